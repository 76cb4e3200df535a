//! The program on a pseudo-terminal: it starts, shows the cache, and restores the terminal however it ends.

use std::path::Path;

use crate::pty::Pty;
use crate::redis_server::RedisServer;
use animecache::tui;
use animecache::tui::options::Options;
use animecache::tui::terminal;
use cache_core::Config;
use rstest::rstest;
use tempfile::tempdir;

fn demo() -> (Pty, tempfile::TempDir) {
    let directory = tempdir().unwrap();
    let pty = Pty::start(Path::new(env!("CARGO_BIN_EXE_animecache")), &["tui", "--demo"], directory.path());
    pty.wait_for("kitsu");
    (pty, directory)
}

/// This test executable, running one of the programs below.
fn this(test: &str) -> Pty {
    let program = std::env::current_exe().unwrap();
    Pty::start(&program, &["--exact", &format!("terminal::{test}"), "--ignored", "--nocapture"], Path::new("/"))
}

#[rstest]
#[case::quit("q")]
#[case::ctrl_c("\u{3}")]
fn leaving_gives_the_terminal_back(#[case] key: &str) {
    let (mut pty, _directory) = demo();
    pty.keys(key);
    assert_eq!(pty.end().0, 0);
}

#[rstest]
#[case("TERM", 143)]
#[case("HUP", 129)]
#[case("INT", 0)]
fn a_signal_restores_the_terminal_and_is_the_exit_code(#[case] signal: &str, #[case] code: u32) {
    let (pty, _directory) = demo();
    pty.signal(signal);
    assert_eq!(pty.end().0, code);
}

#[test]
fn a_closed_terminal_ends_the_dashboard_without_a_panic() {
    let (pty, _directory) = demo();
    assert_eq!(pty.close(), 129);
}

#[test]
fn a_dumb_terminal_is_refused() {
    let directory = tempdir().unwrap();
    let script = format!("TERM=dumb '{}' tui --demo", env!("CARGO_BIN_EXE_animecache"));
    let (code, screen) = Pty::start(Path::new("/bin/sh"), &["-c", &script], directory.path()).end();
    assert_eq!(code, 2, "{screen}");
    assert!(screen.contains("TERM is 'dumb'"), "{screen}");
}

#[test]
fn late_responses_of_the_terminal_press_no_key() {
    let (mut pty, _directory) = demo();
    pty.keys("\x1b]11;rgb:ffff/ffff/ffff\x1b\\\x1bP1$rdy\x1b\\\x1b_dy\x1b\\/frieren");
    pty.wait_for("/ frieren");
    pty.keys("\x03");
    assert_eq!(pty.end().0, 0);
}

#[test]
fn ctrl_c_leaves_during_an_unfinished_paste() {
    let (mut pty, _directory) = demo();
    pty.keys("\x1b[200~body");
    pty.keys("\x03");
    assert_eq!(pty.end().0, 0);
}

#[test]
fn a_verbose_dashboard_logs_to_a_file_not_to_the_terminal() {
    let directory = tempdir().unwrap();
    let program = Path::new(env!("CARGO_BIN_EXE_animecache"));
    let mut pty = Pty::start(program, &["-vv", "tui", "--demo"], directory.path());
    pty.wait_for("kitsu");
    pty.keys("e");
    pty.wait_for("No runs yet");
    pty.keys("\tuG \r");
    pty.wait_for("Cowboy Bebop · ");
    assert!(!pty.screen().contains("DEBUG"), "{}", pty.screen());
    pty.keys("q");
    assert_eq!(pty.end().0, 0);
    let log = std::fs::read_to_string(directory.path().join(".xdg/animecache/log")).unwrap();
    assert!(log.contains("cache_core"), "{log}");
}

#[test]
fn ctrl_z_restores_terminal_until_shell_resumes_program() {
    let directory = tempdir().unwrap();
    // A shell with job control continues when its job stops.
    let script = format!("'{}' tui --demo; stty -a; read -r _; fg", env!("CARGO_BIN_EXE_animecache"));
    let mut pty = Pty::start(Path::new("/bin/sh"), &["-mc", &script], directory.path());
    pty.wait_for("kitsu");
    pty.keys("\u{1a}");
    pty.wait_for("isig icanon");
    pty.keys("\r");
    pty.wait_for("kitsu");
    pty.keys("q");
    assert_eq!(pty.end().0, 0);
}

#[test]
fn error_restores_terminal_and_is_printed() {
    let directory = tempdir().unwrap();
    let arguments = ["tui", "--redis", "redis://127.0.0.1:1/0", "--no-fallback"];
    let pty = Pty::start(Path::new(env!("CARGO_BIN_EXE_animecache")), &arguments, directory.path());
    let (code, screen) = pty.end();
    assert_eq!(code, 5, "{screen}");
    assert!(screen.contains("is unreachable"), "{screen}");
}

#[test]
fn panic_restores_terminal_and_is_printed() {
    let (code, screen) = this("program_that_panics").end();
    assert_ne!(code, 0);
    assert!(screen.contains("on purpose"), "{screen}");
}

#[test]
fn task_panic_ends_dashboard_and_restores_terminal() {
    let (code, screen) = this("program_whose_task_panics").end();
    assert_ne!(code, 0);
    assert!(screen.contains("on purpose"), "{screen}");
}

#[test]
fn it_goes_on_at_any_size() {
    let (mut pty, _directory) = demo();
    for (columns, rows) in [(40, 10), (20, 5), (1, 1), (200, 60)] {
        pty.resize(columns, rows);
        pty.keys("jk");
    }
    pty.resize(120, 40);
    pty.wait_for("Summary");
    pty.keys("q");
    assert_eq!(pty.end().0, 0);
}

#[test]
fn a_filter_a_flush_and_its_report() {
    let (mut pty, _directory) = demo();
    pty.keys("/service:kitsu\r");
    pty.wait_for("of 24");
    // Nothing that is typed together with the key that asks, is an answer.
    pty.keys("Dy\r");
    pty.wait_for("press Enter to flush");
    let screen = pty.screen();
    let count = screen.split("Type ").nth(1).and_then(|rest| rest.split(' ').next()).unwrap().to_owned();
    pty.keys(&format!("{count}\r"));
    pty.wait_for(" keys) in ");
    pty.keys("q");
    assert_eq!(pty.end().0, 0);
}

#[rstest]
#[case::quit("q")]
#[case::ctrl_c("\u{3}")]
fn leaving_in_the_middle_of_a_flush_says_what_was_done(#[case] key: &str) {
    let server = RedisServer::start("");
    let url = format!("redis://{}", server.address());
    let mut redis = redis::Client::open(url.as_str()).unwrap().get_connection().unwrap();
    let mut filling = redis::pipe();
    for number in 0..1_500 {
        filling.set(format!("result_cache:anisearch_anime:82fce6a05e45281a:{number}"), "{}").ignore();
    }
    filling.exec(&mut redis).unwrap();
    let directory = tempdir().unwrap();
    let program = Path::new(env!("CARGO_BIN_EXE_animecache"));
    let mut pty = Pty::start(program, &["tui", "--redis", &url], directory.path());
    pty.wait_for("1,500 entries");
    // The first batch blocks until the dashboard is being left.
    redis::cmd("CLIENT").arg(&["PAUSE", "60000", "WRITE"]).exec(&mut redis).unwrap();
    pty.keys("D");
    pty.wait_for("press Enter to flush");
    pty.keys("1500\r");
    pty.wait_for("Deleting");
    pty.keys(key);
    pty.wait_for("Stopping");
    redis::cmd("CLIENT").arg("UNPAUSE").exec(&mut redis).unwrap();
    let (code, screen) = pty.end();
    assert_eq!(code, 4, "{screen}");
    assert!(screen.contains("Deleted 100 entries (100 keys)"), "{screen}");
}

#[test]
#[ignore = "a program that the tests above run on a pseudo-terminal"]
fn program_that_panics() {
    let (_guard, mut screen) = terminal::enter().unwrap();
    screen.draw(|_| panic!("on purpose")).unwrap();
}

#[tokio::test]
#[ignore = "a program that the tests above run on a pseudo-terminal"]
async fn program_whose_task_panics() {
    tui::run(
        async { panic!("on purpose") },
        (Config::default(), animecache::services::Services::default()),
        None,
        Options::default(),
    )
    .await
    .unwrap();
}
