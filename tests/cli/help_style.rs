//! The style of all help texts: imperatives, no final period, plain words, and one page for `-h` and `--help`.

use animecache::cli::Cli;
use cache_core::EntryState;
use clap::{Arg, Command, CommandFactory as _};

use crate::program::Program;

/// First words of commands and options.
const VERBS: &[&str] = &[
    "Change", "Check", "Compare", "Delete", "Do", "Enable", "Extend", "Fail", "Fetch", "Fill", "Generate", "Ignore",
    "Inspect", "List", "Log", "Multiply", "Open", "Print", "Reject", "Remove", "Render", "Repeat", "Restore",
    "Reverse", "Serve", "Set", "Show", "Skip", "Sort", "Stop", "Use", "Watch", "Write",
];

/// First words of options with a value or an input; those of selectors state a condition for entries.
const NOUNS: &[&str] = &[
    "AniDB ID",
    "AniList ID",
    "AniSearch ID",
    "Anime database",
    "Anime-Planet slug",
    "Backend to use",
    "Configuration file",
    "File to",
    "File with",
    "First of",
    "ID",
    "Index of",
    "Kitsu ID",
    "MyAnimeList ID",
    "Range of",
    "Redis server",
    "SQLite file",
    "Shell to",
    "Time limit",
    "Time span",
    "Title of",
    "When to",
];

/// Replaced words, which must not be used again, in any case.
const AVOIDED: &[&str] = &[
    "stands in",
    "stand in",
    "anew",
    "for ever",
    "meanwhile",
    "somebody",
    "nobody",
    "whoever",
    "who ",
    " his ",
    " him ",
    " he ",
    "tells",
    "is told",
    "says",
    "what is kept",
    "what is set",
    "what is there",
    "what was",
    "is there ",
    "are gone",
    "is gone",
    "left alone",
    "brought",
    "brings",
    "had of",
    "by hand",
    "at most so",
    "so many",
    "so long",
    "a line ",
    "an entry,",
    "our ",
    " ours ",
    "whole list",
    "be it",
    "must not make",
    "throw-away",
    "politely",
    "catalogue",
    "colour",
    "authoris",
    "behaviour",
    "cancelled",
    "repeatable",
    "`",
];

#[test]
fn help_texts_are_imperative_without_final_period() {
    let mut wrong = Vec::new();
    for command in commands() {
        let name = command.get_name();
        let about = command.get_about().map(ToString::to_string).unwrap_or_default();
        wrong.extend(faults(&about, VERBS).map(|fault| format!("{name}: {fault}: {about:?}")));
        for argument in arguments(&command) {
            let help = argument.get_help().map(ToString::to_string).unwrap_or_default();
            let beginnings = if is_selector(argument) { &[][..] } else { &[VERBS, NOUNS].concat() };
            wrong.extend(
                faults(&help, beginnings).map(|fault| format!("{name} {}: {fault}: {help:?}", argument.get_id())),
            );
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn words_that_were_replaced_do_not_come_back() {
    let mut wrong = Vec::new();
    for command in commands() {
        let (page, long) = (command.clone().render_help(), command.clone().render_long_help());
        let text = format!("{page}\n{long}").to_lowercase().split_whitespace().collect::<Vec<_>>().join(" ");
        for word in AVOIDED.iter().filter(|word| text.contains(**word)) {
            wrong.push(format!("{}: {word:?}", command.get_name()));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn values_written_out_in_the_help_are_those_that_are_taken() {
    let listed = |names: &[&str]| format!("[possible values: {}]", names.join(", "));
    for (option, names) in [("state", &EntryState::ALL.map(EntryState::name)[..]), ("kind", &["http", "result"])] {
        for command in commands().iter().filter(|command| ["ls", "flush", "ttl"].contains(&command.get_name())) {
            let argument = command.get_arguments().find(|argument| argument.get_id() == option).unwrap();
            let help = argument.get_help().unwrap().to_string();
            assert!(help.ends_with(&listed(names)), "{option}: {help}");
        }
    }
}

#[test]
fn help_of_commands_has_commented_examples_on_one_page() {
    let program = Program::bare();
    for command in commands() {
        let name = command.get_name();
        let arguments = if name == "animecache" { vec![] } else { vec![name] };
        let page = program.run(&[&arguments[..], &["--help"]].concat());
        let short = program.run(&[&arguments[..], &["-h"]].concat());
        assert_eq!((page.code, &page.out), (Some(0), &short.out), "{name}");
        assert!(page.out.contains("\n  -h, --help ") && !page.out.contains("see more"), "{}", page.out);
        assert!(page.out.lines().all(|line| line.chars().count() <= 100), "{}", page.out);
        assert!(!page.out.contains("\n\n\n"), "{}", page.out);
        let Some((_, examples)) = page.out.split_once("\nExamples:\n") else {
            assert!(["completions", "man"].contains(&name), "{name} has no examples");
            continue;
        };
        for example in examples.split("\n\n").take_while(|example| example.starts_with("  ")) {
            let (comment, line) = example.trim_end().split_once('\n').unwrap();
            assert!(comment.starts_with("  # ") && !comment.ends_with('.'), "{name}: {comment}");
            assert!(line.starts_with("  animecache "), "{name}: {line}");
        }
    }
}

/// The program and its commands, with global options.
fn commands() -> Vec<Command> {
    let mut program = Cli::command();
    program.build();
    let commands = program.get_subcommands().filter(|command| command.get_name() != "help").cloned();
    std::iter::once(program.clone()).chain(commands).collect()
}

/// The arguments of a command, without those of Clap itself.
fn arguments(command: &Command) -> impl Iterator<Item = &Arg> {
    command.get_arguments().filter(|argument| argument.get_id() != "help" && argument.get_id() != "version")
}

fn is_selector(argument: &Arg) -> bool {
    argument.get_help_heading().is_some_and(|heading| heading.starts_with("Selectors"))
}

/// The problems of one line of help; without `beginnings`, any first word is allowed.
fn faults(help: &str, beginnings: &[&str]) -> impl Iterator<Item = &'static str> {
    let begins_well = beginnings.iter().any(|beginning| {
        help.strip_prefix(beginning).is_some_and(|rest| !rest.starts_with(|next: char| next.is_alphanumeric()))
    });
    [
        (help.is_empty(), "no help"),
        (help.ends_with('.'), "a final period"),
        (help.contains('\n'), "more than one line"),
        (help.starts_with(char::is_lowercase), "begins in lower case"),
        (!beginnings.is_empty() && !begins_well, "an unknown first word"),
    ]
    .into_iter()
    .filter_map(|(is_wrong, fault)| is_wrong.then_some(fault))
}
