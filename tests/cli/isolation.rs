//! The tests themselves: no program that they start sees the environment of the developer.

use std::process::Command;
use std::{env, fs};

use animecache::settings::environment::names;

/// Tests that delete: one starts a process, the other a terminal.
const DESTRUCTIVE: [&str; 2] =
    ["flush_and_ttl::flush_deletes_whole_entries_and_no_other_key", "terminal::only_a_yes_flushes"];

#[test]
fn destructive_tests_leave_the_cache_of_the_developer_alone() {
    let own = tempfile::tempdir().unwrap();
    let file = own.path().join("http_cache.db");
    fs::copy(concat!(env!("CARGO_MANIFEST_DIR"), "/cache-core/tests/fixtures/hishel-1.3.db"), &file).unwrap();
    let before = fs::read(&file).unwrap();
    let directory = own.path().to_str().unwrap();
    let config = own.path().join("animecache");
    fs::create_dir(&config).unwrap();
    fs::write(config.join("config.toml"), format!("HTTP_CACHE_STORAGE = 'sqlite'\nHTTP_CACHE_DIR = '{directory}'\n"))
        .unwrap();
    for test in DESTRUCTIVE {
        let mut command = Command::new(env::current_exe().unwrap());
        command.args(["--exact", test]);
        // A value that reaches the program makes it refuse to run.
        command.envs(names().map(|name| (name, "unusable")));
        command.env("HTTP_CACHE_STORAGE", "sqlite").env("HTTP_CACHE_DIR", directory);
        command.env("HOME", directory).env("XDG_CONFIG_HOME", directory).env("COLUMNS", "20").env("NO_COLOR", "1");
        let output = command.output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && text.contains("1 passed"), "{test}: {text}");
    }
    assert_eq!(fs::read(&file).unwrap(), before);
}
