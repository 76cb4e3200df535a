//! `enrich --browser`: pages rendered by a real Chromium, which ends with the program.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};
use std::{env, fs, thread};

use animecache::enrich::browser::Browser;
use animecache::services::Services;
use serde_json::json;

use crate::program::{Program, Run};
use crate::upstream::Upstream;

const RENDERED: [&str; 8] =
    ["enrich", "--title", "Death Note", "--only", "anisearch", "--sqlite", "cache.db", "--browser"];

/// Whether a browser is installed. Under `CI=true` it must be.
fn is_there() -> bool {
    let browser = Browser::new(None, &Services::default());
    assert!(browser.is_ok() || env::var_os("CI").is_none(), "CI needs a browser: {:?}", browser.err());
    browser.inspect_err(|missing| eprintln!("SKIPPED, NO BROWSER IS TESTED: {missing}")).is_ok()
}

/// The directory of the browser profiles of a program.
fn profiles(program: &Program) -> PathBuf {
    let directory = program.directory.path().join("tmp");
    fs::create_dir_all(&directory).unwrap();
    directory
}

/// Waits until there are so many profiles.
fn become_so_many(profiles: &Path, number: usize) -> bool {
    let timeout = Instant::now() + Duration::from_secs(30);
    while Instant::now() < timeout {
        if fs::read_dir(profiles).unwrap().count() == number {
            return true;
        }
        thread::sleep(Duration::from_millis(20));
    }
    false
}

#[test]
fn the_browser_ends_with_the_program() {
    if !is_there() {
        return;
    }
    let (program, upstream) = (Program::bare(), Upstream::start());
    let profiles = profiles(&program);
    let mut command = program.command();
    command.envs(upstream.settings()).env("TMPDIR", &profiles).env("PATH", env::var_os("PATH").unwrap());
    let run = Run::of(&command.args(RENDERED).arg("--json").output().unwrap());
    assert_eq!(run.code, Some(0), "{}", run.err);
    let service = &run.json()["services"][0];
    assert_eq!((&service["ok"], &service["identical"]), (&json!(true), &json!(true)), "{service}");
    assert!(become_so_many(&profiles, 0), "the shell that watches over the browser cleans up");
}

#[test]
fn the_browser_ends_with_a_program_that_is_killed() {
    if !is_there() {
        return;
    }
    let (program, upstream) = (Program::bare(), Upstream::start());
    let profiles = profiles(&program);
    let mut command = program.process();
    command.envs(upstream.settings()).env("TMPDIR", &profiles).env("PATH", env::var_os("PATH").unwrap());
    command.args(RENDERED).stdout(Stdio::null()).stderr(Stdio::null());
    let mut process = command.spawn().unwrap();
    // Killed any earlier, it might not have started the shell yet.
    while upstream.requests() == json!({}) {
        assert!(process.try_wait().unwrap().is_none(), "it ends by itself");
    }
    assert!(become_so_many(&profiles, 1), "the browser has a profile");
    process.kill().unwrap();
    process.wait().unwrap();
    assert!(become_so_many(&profiles, 0), "the shell that watches over the browser cleans up");
}

#[test]
fn missing_browser_is_reported_before_anything_is_fetched() {
    let (program, upstream) = (Program::bare(), Upstream::start());
    let mut command = program.command();
    let run = Run::of(&command.envs(upstream.settings()).args(RENDERED).arg("/nowhere/chromium").output().unwrap());
    assert_eq!(run.code, Some(1));
    assert!(run.err.contains("/nowhere/chromium") && run.err.contains("apt-get install chromium"), "{}", run.err);
    assert_eq!(upstream.requests(), json!({}));
}

#[test]
fn challenge_page_without_browser_is_reported() {
    let (program, upstream) = (Program::bare(), Upstream::start());
    for (chrome, missing) in [
        ("", "Chromium not found (chromium, chromium-browser, google-chrome, google-chrome-stable)"),
        ("/typo/chromium", "Chromium not found (/typo/chromium)"),
    ] {
        let mut command = program.command();
        command.envs(upstream.settings()).env("CHROME", chrome);
        command.args(["enrich", "--title", "Sen to Chihiro", "--only", "anisearch", "--sqlite", "cache.db"]);
        let run = Run::of(&command.output().unwrap());
        assert_eq!(run.code, Some(1), "{}", run.err);
        assert!(
            run.out.contains("blocked by a challenge page") && run.out.contains("apt-get install chromium"),
            "{}",
            run.out
        );
        assert!(run.out.contains(missing), "{}", run.out);
    }
}
