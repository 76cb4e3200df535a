//! Commands on a terminal: confirmation, progress, colors and interruption.

use std::io::{Read as _, Write as _};

use portable_pty::{ExitStatus, PtySize, native_pty_system};
use redis::cmd;

use crate::program::{Program, empty, pipeline};
use crate::pty;
use crate::stats_ls_show::fill;

const CTRL_C: &str = "\x03";

/// Runs the program on a terminal; types `typed` as soon as `awaited` is on the screen.
fn run(program: &Program, arguments: &[&str], awaited: &str, typed: &str) -> (ExitStatus, String) {
    run_on((100, &[]), program, arguments, awaited, typed)
}

/// As [`run`], on a terminal of so many columns and with these variables.
fn run_on(
    (cols, variables): (u16, &[(&str, &str)]),
    program: &Program,
    arguments: &[&str],
    awaited: &str,
    typed: &str,
) -> (ExitStatus, String) {
    let size = PtySize { rows: 24, cols, pixel_width: 0, pixel_height: 0 };
    let terminal = native_pty_system().openpty(size).unwrap();
    let mut command = pty::command(&Program::path(), arguments, program.directory.path());
    command.env("REDIS_CACHE_URL", program.url());
    for (name, value) in variables {
        command.env(name, value);
    }
    let mut process = terminal.slave.spawn_command(command).unwrap();
    // With this end open, the reader would never see the end of the output.
    drop(terminal.slave);
    let mut reader = terminal.master.try_clone_reader().unwrap();
    let mut keyboard = terminal.master.take_writer().unwrap();
    let mut screen = String::new();
    let mut is_typed = false;
    let mut buffer = [0; 4096];
    // At the end, Linux returns an error instead of an empty read.
    while let Ok(count @ 1..) = reader.read(&mut buffer) {
        screen.push_str(&String::from_utf8_lossy(&buffer[..count]));
        if !is_typed && screen.contains(awaited) {
            keyboard.write_all(typed.as_bytes()).unwrap();
            is_typed = true;
        }
    }
    assert!(is_typed, "{awaited:?} never came: {screen}");
    (process.wait().unwrap(), screen)
}

#[test]
fn only_a_yes_flushes() {
    let (program, mut redis) = pipeline();
    let keys = |redis: &mut redis::Connection| cmd("DBSIZE").query::<u64>(redis).unwrap();
    for no in ["n\n", "\n", "what\n"] {
        let (status, screen) = run(&program, &["flush", "--kind", "result"], "[y/N]", no);
        assert_eq!(status.exit_code(), 2, "{screen}");
        assert!(screen.contains("10 entries") && screen.contains("Canceled: nothing was deleted"), "{screen}");
        assert_eq!(keys(&mut redis), 52);
    }
    let (status, screen) = run(&program, &["flush", "--kind", "result"], "[y/N]", "y\n");
    assert_eq!(status.exit_code(), 0, "{screen}");
    assert_eq!(keys(&mut redis), 42);
    let (_, screen) = run(&program, &["flush", "--url", "*/multi"], "[y/N]", "y\n");
    assert!(screen.contains("(3 keys, ") && screen.contains("Deleted 1 entry (3 keys)"), "{screen}");
    assert!(!screen.contains("~0 keys") && !screen.contains(", ,"), "{screen}");
}

#[test]
fn bytes_that_a_terminal_would_obey_are_not_written_to_it() {
    let (program, mut redis) = empty();
    cmd("SET").arg("result_cache:p:1").arg("\x1b]52;c;aGk=\x07").exec(&mut redis).unwrap();
    let (status, screen) = run(&program, &["show", "result_cache:p:1", "--raw"], "redirect the output", "");
    assert_eq!(status.exit_code(), 2, "{screen}");
    assert!(!screen.contains("52;c"), "{screen}");
    let piped = program.command().args(["show", "result_cache:p:1", "--raw"]).output().unwrap();
    assert_eq!(piped.stdout, b"\x1b]52;c;aGk=\x07");
}

#[test]
fn terminal_of_unknown_width_has_80_columns_or_columns_variable() {
    let (program, _redis) = pipeline();
    for (variables, columns) in [(&[][..], 80), (&[("COLUMNS", "60")], 60), (&[("COLUMNS", "wide")], 80)] {
        let (_, screen) = run_on((0, variables), &program, &["ls", "--color", "never"], "SERVICE", "");
        let widest = screen.lines().map(|line| line.chars().count()).max();
        assert_eq!(widest, Some(columns), "{screen}");
    }
}

#[test]
fn colours_are_left_out_where_they_are_not_wanted() {
    let (program, _redis) = pipeline();
    let dumb = (100, &[("TERM", "dumb")][..]);
    for (terminal, arguments, awaited) in [
        (dumb, &["stats"][..], "entries"),
        ((100, &[]), &["--color", "never", "stats"], "entries"),
        ((100, &[]), &["--color", "never", "lss"], "unrecognized"),
        ((100, &[]), &["lss", "--color=never"], "unrecognized"),
    ] {
        let (_, screen) = run_on(terminal, &program, arguments, awaited, "");
        assert!(!screen.contains('\x1b'), "{arguments:?} {screen:?}");
    }
    assert!(run(&program, &["stats"], "entries", "").1.contains('\x1b'));
    // The dashboard moves the cursor even without colors.
    for (variables, has_color) in [(&[("NO_COLOR", "1")][..], false), (&[], true)] {
        let (_, screen) = run_on((100, variables), &program, &["tui", "--demo"], "kitsu", "q");
        assert_eq!(screen.contains("\x1b[38;"), has_color, "{screen:?}");
    }
    let (status, screen) = run_on(dumb, &program, &["tui", "--demo"], "TERM is", "");
    assert_eq!(status.exit_code(), 2, "{screen}");
}

#[test]
fn short_id_on_narrow_terminal_selects_its_entry() {
    let (program, mut redis) = pipeline();
    for columns in [80, 100] {
        let (_, screen) = run_on((columns, &[]), &program, &["ls", "--url", "*/multi"], "SERVICE", "");
        assert!(screen.contains("  209662e2  GET "), "{screen}");
    }
    assert!(program.run(&["show", "209662e2"]).out.contains("/multi"));
    let ttl = program.run(&["ttl", "--id", "209662e2", "--persist", "--yes", "--json"]);
    assert_eq!(ttl.json()["changed"], 1, "{}", ttl.err);
    assert_eq!(program.run(&["flush", "--id", "00000000", "--yes"]).code, Some(3));

    let other = "hishel_cache:entry:209662e2-0000-4000-8000-000000000000";
    cmd("SET").arg(other).arg("junk").exec(&mut redis).unwrap();
    for arguments in [&["show", "209662e2"][..], &["flush", "--id", "209662e2", "--yes"]] {
        let run = program.run(arguments);
        assert_eq!(run.code, Some(2), "{}", run.out);
        assert!(run.err.contains("209662e2-0000-4000-8000-000000000000"), "{}", run.err);
    }
    cmd("DEL").arg(other).exec(&mut redis).unwrap();
    let flush = program.run(&["flush", "--id", "209662e2", "--yes", "--json"]);
    assert_eq!(flush.json()["deleted"], serde_json::json!({"entries": 1, "keys": 3}), "{}", flush.err);
}

#[test]
fn ctrl_c_at_question_leaves_no_demo_cache() {
    let (program, mut redis) = pipeline();
    for change in [&["flush"][..], &["ttl", "--persist"]] {
        for demo in [&[][..], &["--demo"]] {
            let (status, screen) = run(&program, &[change, &["--all"], demo].concat(), "[y/N]", CTRL_C);
            assert_eq!(status.exit_code(), 4, "{screen}");
        }
    }
    assert_eq!(cmd("DBSIZE").query::<u64>(&mut redis).unwrap(), 52);
    assert!(program.directory.path().read_dir().unwrap().next().is_none(), "a demo cache was left behind");
}

#[test]
fn an_interrupted_flush_stops_at_a_batch_and_says_what_was_done() {
    const ENTRIES: u32 = 400_000;
    let (program, mut redis) = empty();
    fill(&mut redis, ENTRIES);
    let (status, screen) = run(&program, &["flush", "--all", "--yes"], "Deleting", CTRL_C);
    assert_eq!(status.exit_code(), 4, "{screen}");
    assert!(screen.contains("Interrupted: the remaining entries were not changed"), "{screen}");
    let left: u32 = cmd("DBSIZE").query(&mut redis).unwrap();
    // Whole batches, possibly none: the key may arrive before the first one.
    assert!(left > 0 && left.is_multiple_of(100), "{left} left");
}

#[test]
fn a_watch_ends_well_at_an_interrupt() {
    let (program, _redis) = pipeline();
    let (status, screen) = run(&program, &["stats", "--watch", "1h"], "anisearch", CTRL_C);
    assert_eq!(status.exit_code(), 0, "{screen}");
}

#[test]
fn an_enrichment_shows_its_services_and_ends_at_an_interrupt() {
    let (program, _redis) = empty();
    let arguments = ["enrich", "--title", "one piece", "--demo-upstream"];
    let (status, screen) = run(&program, &arguments, "anisearch", CTRL_C);
    assert_eq!(status.exit_code(), 4, "{screen}");
    assert!(screen.contains("Interrupted: responses fetched so far are cached"), "{screen}");
}
