//! `enrich --browser`: pages rendered by a real Chromium, which ends with the program.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
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

/// Allows Chromium to run as root, as tests do.
const UNCONFINED: &str = "ANIMECACHE_BROWSER_WITHOUT_SANDBOX";

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
    command
        .envs(upstream.settings())
        .env("TMPDIR", &profiles)
        .env(UNCONFINED, "1")
        .env("PATH", env::var_os("PATH").unwrap());
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
    command.env(UNCONFINED, "1");
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

/// A stand-in for Chromium that writes down its environment.
fn observed(program: &Program, is_unconfined: bool) -> (Run, Option<String>) {
    let (browser, seen) = (program.directory.path().join("chrome"), program.directory.path().join("seen"));
    fs::write(&browser, "#!/bin/sh\nenv >\"${0%/*}/seen\"; exit 1\n").unwrap();
    fs::set_permissions(&browser, fs::Permissions::from_mode(0o755)).unwrap();
    let mut command = program.command();
    command.env("AWS_SECRET_ACCESS_KEY", "S3CRET").env("ANIMECACHE_ANIMESCHEDULE_TOKEN", "S3CRET");
    command.env("REDIS_CACHE_URL", "redis://:S3CRET@127.0.0.1:1/0").env("PATH", env::var_os("PATH").unwrap());
    if is_unconfined {
        command.env(UNCONFINED, "1");
    }
    command.args(["enrich", "--title", "Cowboy Bebop", "--demo", "--only", "anisearch", "--browser"]).arg(browser);
    (Run::of(&command.output().unwrap()), fs::read_to_string(seen).ok())
}

#[test]
fn the_browser_gets_no_credential_of_the_environment() {
    let (run, seen) = observed(&Program::bare(), true);
    let seen = seen.unwrap_or_else(|| panic!("it was not started: {}{}", run.out, run.err));
    // The shell adds the others.
    let known = ["PATH", "HOME", "LANG", "TMPDIR", "PWD", "OLDPWD", "SHLVL", "_"];
    let names: Vec<_> = seen.lines().filter_map(|line| Some(line.split_once('=')?.0)).collect();
    assert!(names.iter().all(|name| known.contains(name)), "{seen}");
    assert!(names.contains(&"PATH") && !seen.contains("S3CRET"), "{seen}");
}

#[test]
fn the_browser_runs_as_root_only_if_allowed() {
    let program = Program::bare();
    if program.directory.path().metadata().unwrap().uid() != 0 {
        return;
    }
    let (run, seen) = observed(&program, false);
    assert_eq!((run.code, seen), (Some(1), None), "{}", run.out);
    assert!(run.out.contains("no sandbox as root") && run.out.contains(UNCONFINED), "{}", run.out);
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
