//! Settings of a file, `.env`, the environment and flags; later sources take precedence.

use std::fs;

use serde_json::Value;

use crate::program::Program;

/// Value and source of a setting in the report of `doctor`.
fn setting(program: &Program, arguments: &[&str], environment: &[(&str, &str)]) -> (String, String) {
    let mut command = program.command();
    command.args(["doctor", "--json"]).args(arguments).envs(environment.iter().copied());
    let report: Value = serde_json::from_slice(&command.output().unwrap().stdout).unwrap();
    let all = report["settings"].as_array().unwrap();
    let found = all.iter().find(|setting| setting["name"] == "HTTP_CACHE_DIR").unwrap();
    (found["value"].as_str().unwrap().to_owned(), found["origin"].as_str().unwrap().to_owned())
}

#[test]
fn later_source_wins_and_is_reported() {
    let program = Program::bare();
    let sqlite = ("HTTP_CACHE_STORAGE", "sqlite");
    let check = |arguments: &[&str], environment: &[(&str, &str)], value: &str, origin: &str| {
        let (actual, from) = setting(&program, arguments, &[&[sqlite], environment].concat());
        assert_eq!((actual.as_str(), from.ends_with(origin)), (value, true), "{from}, not {origin}");
    };
    check(&[], &[], "data/http_cache", "built-in");
    let config = program.directory.path().join(".config/animecache/config.toml");
    fs::create_dir_all(config.parent().unwrap()).unwrap();
    fs::write(&config, "HTTP_CACHE_DIR = 'file'\n[profile.p]\nHTTP_CACHE_DIR = 'profile'\n").unwrap();
    check(&[], &[], "file", "config.toml");
    check(&["--profile", "p"], &[], "profile", "profile p");
    fs::write(program.directory.path().join(".env"), "HTTP_CACHE_DIR=dotenv\nOTHER=two words\n").unwrap();
    check(&["--profile", "p"], &[], "dotenv", ".env");
    // The byte order mark that some editors write.
    fs::write(program.directory.path().join(".env"), "\u{feff}HTTP_CACHE_DIR=marked\n").unwrap();
    check(&["--profile", "p"], &[], "marked", ".env");
    check(&[], &[("HTTP_CACHE_DIR", "environment")], "environment", "environment");
    check(&["--sqlite", "flag"], &[("HTTP_CACHE_DIR", "environment")], "flag", "--sqlite");
}

#[test]
fn a_token_is_accepted_and_never_shown() {
    let program = Program::bare();
    fs::write(program.directory.path().join(".env"), "ANIMECACHE_JIKAN_TOKEN=hunter2\n").unwrap();
    fs::write(program.directory.path().join("my.toml"), "ANIMECACHE_KITSU_TOKEN = 'hunter2'\n").unwrap();
    for arguments in [&["doctor"][..], &["doctor", "--json"]] {
        let run = program.run(&[arguments, &["--config", "my.toml", "--storage", "sqlite"]].concat());
        for name in ["ANIMECACHE_JIKAN_TOKEN", "ANIMECACHE_KITSU_TOKEN", "***"] {
            assert!(run.out.contains(name), "{}", run.out);
        }
        assert!(!(run.out + &run.err).contains("hunter2"));
    }
}

#[test]
fn settings_of_caches_are_listed_with_their_source() {
    let program = Program::bare();
    let doctor = |name: &str, value: &str| {
        let mut command = program.command();
        let run = crate::program::Run::of(
            &command.args(["doctor", "--storage", "sqlite"]).env(name, value).output().unwrap(),
        );
        run.out.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect::<Vec<_>>()
    };
    for (name, value, built_in, bad, allowed) in [
        ("ANIMECACHE_STORE_PATIENCE", "2", Some("0.5"), "0", "a number of seconds greater than 0"),
        ("ANIMECACHE_LARGEST_ENTRY", "1000", Some("67108864"), "big", "a size in bytes"),
        ("ANIMECACHE_FIRST_LEVEL", "1.5", Some("0"), "soon", "a number of seconds"),
        ("ANIMECACHE_POLICY_KITSU", "Specification", None, "rfc", "ttl, specification or shared"),
    ] {
        assert!(doctor(name, value).contains(&format!("{name} {value} (environment)")), "{name}");
        let without = doctor("UNRELATED", "1");
        assert_eq!(
            without.iter().find(|line| line.starts_with(name)),
            built_in.map(|value| format!("{name} {value} (default)")).as_ref()
        );
        let message =
            format!("fail settings invalid value '{bad}' for {name}: expected {allowed} (set in the environment)");
        assert!(doctor(name, bad).contains(&message), "{name}");
    }
}

#[test]
fn settings_that_cannot_be_used_stop_everything_but_doctor() {
    let program = Program::bare();
    let run = |arguments: &[&str]| {
        crate::program::Run::of(&program.command().args(arguments).env("HTTP_CACHE_STORAGE", "disk").output().unwrap())
    };
    let stats = run(&["stats"]);
    assert_eq!(stats.code, Some(2));
    assert!(
        stats.err.contains("invalid value 'disk' for HTTP_CACHE_STORAGE: expected redis or sqlite"),
        "{}",
        stats.err
    );
    assert!(run(&["doctor"]).out.contains("redis or sqlite"));

    let file = program.directory.path().join("my.toml");
    let with_file = |text: &str| {
        fs::write(&file, text).unwrap();
        program.run(&["stats", "--config", "my.toml", "--profile", "p"])
    };
    for (text, message) in [
        ("REDIS_URL = 'redis://:hunter2@h'", "unknown setting 'REDIS_URL'"),
        ("REDIS_CACHE_URL = 'redis://:hunter2@h", "invalid TOML in "),
        ("profile = 1", "[profile.NAME]"),
        ("[profile.q]", "available: q"),
        ("HTTP_CACHE_DIR = []", "must be a single value"),
    ] {
        let refused = with_file(text);
        assert_eq!(refused.code, Some(2), "{text}");
        assert!(refused.err.contains(message) && !refused.err.contains("hunter2"), "{text}: {}", refused.err);
    }
    assert_eq!(program.run(&["stats", "--config", "none.toml"]).code, Some(2));
}

#[test]
fn the_example_file_is_one_that_can_be_used() {
    let program = Program::bare();
    let example = include_str!("../../assets/config.toml");
    // Every line that is commented out is a valid setting.
    let whole: String = example
        .lines()
        .map(|line| {
            line.strip_prefix("# ").filter(|line| line.contains(" = ") || line.starts_with('[')).unwrap_or(line)
        })
        .flat_map(|line| [line, "\n"])
        .collect();
    for text in [example, &whole] {
        fs::write(program.directory.path().join("example.toml"), text).unwrap();
        let run = program.run(&["doctor", "--config", "example.toml", "--storage", "sqlite", "--json"]);
        assert_eq!(run.code, Some(5), "{}", run.err);
    }
    let url = "REDIS_CACHE_URL";
    let report =
        program.run(&["doctor", "--config", "example.toml", "--profile", "staging", "--sqlite", "x", "--json"]).json();
    let found = report["settings"].as_array().unwrap().iter().find(|setting| setting["name"] == url).unwrap().clone();
    assert_eq!(found["origin"], "profile staging");
}

#[test]
fn two_caches_are_not_one() {
    let program = Program::bare();
    for arguments in [
        &["stats", "--redis", "redis://localhost:1", "--sqlite", "x.db"][..],
        &["--redis", "redis://localhost:1", "stats", "--sqlite", "x.db"],
    ] {
        let run = program.run(arguments);
        assert_eq!(run.code, Some(2), "{}", run.err);
        assert!(run.err.contains("--redis and --sqlite"), "{}", run.err);
    }
}
