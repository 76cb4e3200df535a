//! `warm`: many titles, repeated until all of them are cached.

use std::fs;

use rstest::rstest;
use serde_json::json;

use crate::enriching::{Cache, interrupt, run, start, total};
use crate::program::{Program, Run, empty};
use crate::pty::Pty;
use crate::upstream::Upstream;

const TITLES: &str = "\u{feff}# what is wanted\nCowboy Bebop\r\n\n# by a part\n  frieren\nno such title\nhi\n";

#[rstest]
fn warm_again_continues_where_it_stopped(#[values(Cache::Redis, Cache::Sqlite)] cache: Cache) {
    let (program, upstream) = (cache.program(), Upstream::start());
    fs::write(program.directory.path().join("titles"), TITLES).unwrap();
    let warm = |titles: &str| {
        run(&program, &upstream, &[&["warm", "--titles", titles, "--only", "jikan"], cache.arguments()].concat())
    };
    let first = warm("titles");
    assert_eq!(first.code, Some(4), "{}", first.err);
    assert!(first.out.contains("Cached 2 titles (0 already cached), 2 with errors"), "{}", first.out);
    assert!(first.err.contains("1/4 Cowboy Bebop: ") && first.err.contains("no such title"), "{}", first.err);
    assert!(first.err.contains("Naruto: Shippuuden"), "{}", first.err);
    let asked = total(&upstream);
    let second = warm("titles");
    assert!(second.out.contains("Cached 2 titles (2 already cached), 2 with"), "{}", second.out);
    assert!(second.err.contains("(already cached)"), "{}", second.err);
    assert_eq!(total(&upstream), asked);
}

#[test]
fn titles_are_read_from_file_standard_input_or_index_range() {
    let (program, upstream) = (Program::bare(), Upstream::start());
    let warm = |arguments: &[&str], input: &'static str| {
        let mut command = program.command();
        command.envs(upstream.settings()).args(["warm", "--only", "jikan", "--sqlite", "x.db", "--json", "-q"]);
        Run::of(&command.args(arguments).write_stdin(input).output().unwrap())
    };
    let by_input = warm(&["--titles", "-"], "Cowboy Bebop\nDeath Note");
    assert_eq!((by_input.code, by_input.err.as_str()), (Some(0), ""));
    let by_place = warm(&["--index", "0..2"], "").json();
    let titles: Vec<_> = by_place["titles"].as_array().unwrap().iter().map(|title| &title["title"]).collect();
    assert_eq!(titles, ["Cowboy Bebop", "Sousou no Frieren"]);
    assert_eq!((&by_place["done"], &by_place["already_warm"], &by_place["failed"]), (&json!(2), &json!(1), &json!(0)));
    assert_eq!((&by_place["interrupted"], &by_place["titles"][0]["upstream"]), (&json!(false), &json!(0)));
    for (arguments, input, code) in [
        (&["--titles", "-"][..], "# nothing\n", 3),
        (&["--titles", "-"], "No such title\n", 3),
        (&["--index", "50..60"], "", 3),
        (&["--titles", "none"], "", 2),
        (&["--index", "a..b"], "", 2),
        (&["--titles", "-", "--index", "0..1"], "", 2),
        (&[], "", 2),
        (&["--index", "0..1", "--read-only"], "", 2),
        // Jikan does not have Shirobako.
        (&["--titles", "-"], "Shirobako", 1),
    ] {
        let run = warm(arguments, input);
        assert_eq!(run.code, Some(code), "{arguments:?} {input} {} {}", run.out, run.err);
    }
}

#[test]
fn an_odd_entry_of_a_database_spoils_no_other() {
    let (program, upstream) = (Program::bare(), Upstream::start());
    let source = ["https://myanimelist.net/anime/1"];
    let entries = json!([{"title": 1}, {"title": "Cowboy Bebop", "sources": source}]);
    fs::write(program.directory.path().join("my.json"), json!({"data": entries}).to_string()).unwrap();
    let warm = ["warm", "--file", "my.json", "--index", "0..2", "--only", "jikan", "--sqlite", "x.db"];
    let warmed = run(&program, &upstream, &warm);
    assert_eq!(warmed.code, Some(0), "{}", warmed.err);
    assert!(warmed.err.contains("skipped 1 invalid entry in my.json (1 title)"), "{}", warmed.err);
    assert!(warmed.out.contains("Cached 1 title"), "{}", warmed.out);
}

#[test]
fn title_without_requested_service_is_not_warm() {
    let (program, upstream) = (Program::bare(), Upstream::start());
    let titles = [("Bebop", "https://myanimelist.net/anime/1"), ("Elsewhere", "https://kitsu.io/anime/7")];
    let entries = titles.map(|(title, source)| json!({"title": title, "sources": [source]}));
    fs::write(program.directory.path().join("my.json"), json!({"data": entries}).to_string()).unwrap();
    let warm = |range: &str| {
        let warm = ["warm", "--file", "my.json", "--only", "jikan", "--sqlite", "x.db", "--json", "--index", range];
        run(&program, &upstream, &warm)
    };
    let both = warm("0..2");
    assert_eq!(both.code, Some(4), "{}", both.err);
    assert!(
        both.err.contains("2/2 Elsewhere: ") && both.err.contains("no ID for the selected services"),
        "{}",
        both.err
    );
    let summary = both.json();
    assert_eq!((&summary["done"], &summary["already_warm"], &summary["failed"]), (&json!(1), &json!(0), &json!(1)));
    let nobody = warm("1..2");
    assert_eq!((nobody.code, &nobody.json()["done"]), (Some(3), &json!(0)), "{}", nobody.err);
}

#[test]
fn a_terminal_is_shown_which_title_it_is_and_left_clean() {
    let program = Program::bare();
    fs::write(program.directory.path().join("titles"), "Cowboy Bebop\nDeath Note\n").unwrap();
    let arguments = ["warm", "--demo", "--titles", "titles", "--only", "anime_planet,anisearch"];
    let mut terminal = Pty::start(&Program::path(), &arguments, program.directory.path());
    terminal.wait_for("1/2 Cowboy Bebop");
    terminal.wait_for("anisearch ");
    terminal.keys("\u{3}");
    let (code, screen) = terminal.end();
    assert_eq!(code, 4, "{screen}");
    assert!(screen.contains("Interrupted: 1 title not started"), "{screen}");
    // Progress bars fill their lines.
    assert!(!screen.contains("1/2 Cowboy Bebop  ") && !screen.contains("anisearch  "), "{screen}");
}

#[test]
fn an_interrupt_ends_it_at_once_and_says_what_is_left() {
    let ((program, _redis), upstream) = (empty(), Upstream::at_pace("100"));
    let run = interrupt(start(&program, &upstream, &["warm", "--index", "0..3", "--only", "jikan"]), &upstream);
    assert_eq!(run.code, Some(4), "{}", run.err);
    assert!(run.out.contains("Interrupted: 2 titles not started"), "{}", run.out);
}
