//! Settings of a file, `.env`, the environment and flags; later sources take precedence.

use std::fs;

use redis::cmd;
use serde_json::Value;

use crate::program::{Program, Run};
use crate::redis_server::RedisServer;

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
    let config = program.directory.path().join(".xdg/animecache/config.toml");
    fs::create_dir_all(config.parent().unwrap()).unwrap();
    fs::write(&config, "HTTP_CACHE_DIR = 'file'\n[profile.p]\nHTTP_CACHE_DIR = 'profile'\n").unwrap();
    check(&[], &[], "file", "config.toml");
    check(&["--profile", "p"], &[], "profile", "profile p");
    fs::write(program.directory.path().join(".env"), "HTTP_CACHE_DIR=dotenv\nOTHER=two words\n").unwrap();
    check(&[], &[], "dotenv", ".env");
    // The byte order mark that some editors write.
    fs::write(program.directory.path().join(".env"), "\u{feff}HTTP_CACHE_DIR=marked\n").unwrap();
    check(&[], &[], "marked", ".env");
    check(&[], &[("HTTP_CACHE_DIR", "environment")], "environment", "environment");
    // What was typed is stronger than what was found.
    let named = config.to_str().unwrap();
    check(&["--config", named], &[("HTTP_CACHE_DIR", "environment")], "file", "config.toml");
    check(&["--profile", "p"], &[("HTTP_CACHE_DIR", "environment")], "profile", "profile p");
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
        ("ANIMECACHE_STORE_TIMEOUT", "2", Some("0.5"), "0", "a number of seconds greater than 0"),
        ("ANIMECACHE_STORE_PATIENCE", "2", Some("0.5"), "0", "a number of seconds greater than 0"),
        ("ANIMECACHE_LARGEST_ENTRY", "1000", Some("67108864"), "big", "a size in bytes"),
        ("ANIMECACHE_MEMORY_TTL", "1.5", Some("0"), "1e12", "a number of seconds"),
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

/// The names of the keys in a database.
fn keys(server: &RedisServer, database: u32) -> Vec<String> {
    let client = redis::Client::open(format!("redis://{}/{database}", server.address())).unwrap();
    cmd("KEYS").arg("result_cache:*").query(&mut client.get_connection().unwrap()).unwrap()
}

#[test]
fn the_database_that_a_url_names_is_the_one_that_is_flushed() {
    let server = RedisServer::start("");
    let address = server.address();
    let fill = || {
        for database in [0, 3] {
            let client = redis::Client::open(format!("redis://{address}/{database}")).unwrap();
            let set = cmd("SET").arg(format!("result_cache:in:{database}")).arg("{}").clone();
            set.exec(&mut client.get_connection().unwrap()).unwrap();
        }
    };
    for url in [format!("redis://{address}?db=3"), format!("redis://{address}/0?db=3"), format!("redis://{address}/3")]
    {
        fill();
        let run = Program::bare().run(&["flush", "--all", "--yes", "--redis", &url]);
        assert_eq!(run.code, Some(0), "{url}: {}", run.err);
        assert_eq!((keys(&server, 0).len(), keys(&server, 3).len()), (1, 0), "{url}");
        fill();
        let doctor = Program::bare().run(&["doctor", "--json", "--redis", &url]).json();
        let database = doctor["checks"].as_array().unwrap().iter().find(|check| check["name"] == "database").unwrap();
        assert_eq!(database["detail"], "3", "{url}");
    }
    for (query, says) in [("foo=1", "'foo'"), ("db=x", "'db'"), ("db=", "'db'"), ("ssl_ca_certs=x", "rediss://")] {
        let run = Program::bare().run(&["flush", "--all", "--yes", "--redis", &format!("redis://{address}/0?{query}")]);
        assert_eq!(run.code, Some(2), "{query}: {}", run.err);
        assert!(run.err.contains(says), "{query}: {}", run.err);
    }
    assert_eq!((keys(&server, 0).len(), keys(&server, 3).len()), (1, 1));
    for url in ["redis-cluster://h", "redis-sentinel://h/mymaster", "redis://a,b/0"] {
        assert_eq!(Program::bare().run(&["ls", "--redis", url]).code, Some(2), "{url}");
    }
}

#[test]
fn a_named_profile_is_flushed_and_not_what_dot_env_names() {
    let server = RedisServer::start("");
    let url = |database: u32| format!("redis://{}/{database}", server.address());
    for database in [0, 9] {
        let mut connection = redis::Client::open(url(database)).unwrap().get_connection().unwrap();
        cmd("SET").arg("result_cache:x:1").arg("{}").exec(&mut connection).unwrap();
    }
    let program = Program::bare();
    fs::write(program.directory.path().join(".env"), format!("REDIS_CACHE_URL={}\n", url(0))).unwrap();
    let profile = format!("[profile.prod]\nREDIS_CACHE_URL = '{}'\n", url(9));
    fs::write(program.directory.path().join("c.toml"), profile).unwrap();
    let prod = ["--config", "c.toml", "--profile", "prod"];
    let doctor = program.run(&[&["doctor"], &prod[..]].concat());
    assert!(doctor.out.contains(&format!("REDIS_CACHE_URL: {} (profile prod), not {} (.env)", url(9), url(0))));
    let run = program.run(&[&["flush", "--all", "--yes"], &prod[..]].concat());
    assert_eq!(run.code, Some(0), "{}", run.err);
    assert_eq!((keys(&server, 0).len(), keys(&server, 9).len()), (1, 0));
}

#[test]
#[cfg(unix)]
fn bytes_that_are_not_utf_8_name_what_they_name() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt as _;
    let program = Program::bare();
    let name = OsStr::from_bytes(b"caf\xe9");
    fs::create_dir(program.directory.path().join(name)).unwrap();
    fs::create_dir(program.directory.path().join("caf\u{fffd}")).unwrap();
    let recorded = concat!(env!("CARGO_MANIFEST_DIR"), "/cache-core/tests/fixtures/hishel-1.3.db");
    fs::copy(recorded, program.directory.path().join(name).join("http_cache.db")).unwrap();
    let by_flag = Run::of(&program.command().args(["ls", "--json", "--sqlite"]).arg(name).output().unwrap());
    assert!(by_flag.rows().len() > 5, "{}", by_flag.err);
    let variables = [("HTTP_CACHE_STORAGE", OsStr::new("sqlite")), ("HTTP_CACHE_DIR", name)];
    let by_variable = Run::of(&program.command().args(["ls", "--json"]).envs(variables).output().unwrap());
    assert_eq!(by_variable.rows().len(), by_flag.rows().len());

    let url = OsStr::from_bytes(b"redis://:p\xe9@127.0.0.1:1/5");
    let run =
        |arguments: &[&str]| Run::of(&program.command().args(arguments).env("REDIS_CACHE_URL", url).output().unwrap());
    let ls = run(&["ls"]);
    assert_eq!(ls.code, Some(2));
    assert!(ls.err.contains("REDIS_CACHE_URL: expected UTF-8") && !ls.err.contains("xe9"), "{}", ls.err);
    let doctor = run(&["doctor", "--json"]);
    assert_eq!(doctor.code, Some(4), "{}", doctor.out);
    let checks = doctor.json()["checks"].as_array().unwrap().clone();
    assert!(checks.iter().all(|check| check["name"] != "Redis" && check["name"] != "pipeline"), "{checks:?}");
    // A flag decides.
    assert!(run(&["ls", "--json", "--sqlite", "caf\u{fffd}"]).err.contains("does not exist"));
}

#[test]
#[cfg(unix)]
fn a_dot_env_that_cannot_be_read_matters_unless_flags_decide() {
    type Make = fn(&std::path::Path);
    let recorded = concat!(env!("CARGO_MANIFEST_DIR"), "/cache-core/tests/fixtures/hishel-1.3.db");
    let makes: [(Make, &str); 4] = [
        (|path| fs::create_dir(path).unwrap(), "not a regular file"),
        (
            |path| assert!(std::process::Command::new("mkfifo").arg(path).status().unwrap().success()),
            "not a regular file",
        ),
        (|path| fs::write(path, b"# caf\xe9\n").unwrap(), "line 1 is not UTF-8"),
        (|path| fs::write(path, "#".repeat(2 << 20)).unwrap(), "larger than 1 MiB"),
    ];
    for (make, problem) in makes {
        let program = Program::bare();
        make(&program.directory.path().join(".env"));
        fs::copy(recorded, program.directory.path().join("http_cache.db")).unwrap();
        let ls = program.run(&["ls"]);
        assert_eq!(ls.code, Some(2), "{problem}");
        assert!(ls.err.contains(&format!("cannot read .env: {problem}")), "{}", ls.err);
        let doctor = program.run(&["doctor"]);
        assert_eq!(doctor.code, Some(4), "{problem}");
        assert!(doctor.out.contains(problem), "{}", doctor.out);
        let by_flag = program.run(&["ls", "--sqlite", "."]);
        assert_eq!(by_flag.code, Some(0), "{}", by_flag.err);
        assert!(by_flag.err.starts_with("warning: cannot read .env"), "{}", by_flag.err);
        let demo = program.run(&["ls", "--demo", "--limit", "1"]);
        assert_eq!((demo.code, &*demo.err), (Some(0), ""), "{problem}");
        let enrich = program.run(&["enrich", "--title", "Cowboy Bebop", "--offline", "--sqlite", "."]);
        assert_eq!(enrich.code, Some(2), "its services are unknown: {}", enrich.err);
    }
}

#[test]
fn dot_env_names_the_database_that_python_dotenv_finds() {
    let program = Program::bare();
    for (text, value) in [
        ("DB=7\nREDIS_CACHE_URL=redis://127.0.0.1:1/${DB:-5}\n", "redis://127.0.0.1:1/7"),
        ("REDIS_CACHE_URL=redis://127.0.0.1:1/${DB:-5}\n", "redis://127.0.0.1:1/5"),
        ("REDIS_CACHE_URL=redis://127.0.0.1:1/?db=2 # $x\n", "redis://127.0.0.1:1/?db=2"),
    ] {
        fs::write(program.directory.path().join(".env"), text).unwrap();
        let report = program.run(&["doctor", "--json"]).json();
        let all = report["settings"].as_array().unwrap();
        let found = all.iter().find(|setting| setting["name"] == "REDIS_CACHE_URL").unwrap();
        assert_eq!((found["value"].as_str(), found["origin"].as_str()), (Some(value), Some(".env")), "{text}");
    }
    // What python-dotenv leaves as it is names no database, and so no cache.
    fs::write(program.directory.path().join(".env"), "REDIS_CACHE_URL=redis://127.0.0.1:1/$DB\n").unwrap();
    assert_eq!(program.run(&["ls"]).code, Some(2));
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
