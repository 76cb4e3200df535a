//! Invalid input is refused with the allowed values.

use crate::program::Program;

#[test]
fn a_mistyped_selector_is_refused_with_what_is_allowed() {
    let program = Program::bare();
    for (arguments, allowed) in [
        (["--service", "mal"], "jikan, anilist"),
        (["--state", "dead"], "live, incomplete"),
        (["--kind", "both"], "http or result"),
        (["--older-than", "soon"], "6h"),
        (["--ttl-under", "5 parsecs"], "6h"),
        (["--larger-than", "big"], "1MiB"),
        (["--status", "teapot"], "404"),
        (["--status", "9xx"], "404"),
        (["--status", "200-600"], "404"),
        (["--url", "[z-a]"], "invalid range in pattern: z-a"),
        (["--match", "a[b"], "unclosed ["),
        (["--url", "a\\"], "backslash"),
        (["--body-match", "("], "unclosed group"),
    ] {
        let run = program.run(&[&["ls"], &arguments[..]].concat());
        assert_eq!(run.code, Some(2), "{arguments:?}");
        assert!(run.err.contains(allowed) && run.err.contains(arguments[0]), "{arguments:?}: {}", run.err);
        assert!(run.out.is_empty());
    }
}

#[test]
fn a_mistyped_command_is_refused_and_help_is_not() {
    let program = Program::bare();
    assert_eq!(program.run(&["list"]).code, Some(2));
    assert_eq!(program.run(&[]).code, Some(2));
    assert_eq!(program.run(&["stats", "--json", "--prometheus"]).code, Some(2));
    for more in [&[][..], &["--titles", "x", "--index", "1"]] {
        let warm = program.run(&[&["warm"], more].concat());
        assert_eq!(warm.code, Some(2));
        assert!(warm.err.contains("--titles <FILE>") && warm.err.contains("--index <RANGE>"), "{}", warm.err);
    }
    let help = program.run(&["flush", "--help"]);
    assert_eq!(help.code, Some(0));
    assert!(help.out.contains("--dry-run") && help.out.contains("--dead-schemas"), "{}", help.out);
    for command in [&["--help"][..], &["ls", "--help"], &["show", "-h"], &["flush", "--help"], &["ttl", "--help"]] {
        let help = program.run(command).out;
        assert!(help.contains("Examples:\n  # ") && help.contains("\n  animecache "), "{help}");
    }
}

#[test]
fn dashboard_without_terminal_names_commands_for_scripts() {
    let run = Program::bare().run(&["tui"]);
    assert_eq!(run.code, Some(2));
    assert!(run.err.contains("stats, ls, show, flush"), "{}", run.err);
}

#[test]
fn packagers_get_completions_and_a_manual_page() {
    let program = Program::bare();
    for shell in ["bash", "zsh", "fish"] {
        let run = program.run(&["completions", shell]);
        assert_eq!(run.code, Some(0));
        assert!(run.out.contains("dead-schemas"), "{shell}");
    }
    let manual = program.run(&["man"]);
    assert!(manual.out.contains(".TH") && manual.out.contains("dry\\-run"), "{}", manual.out);
}
