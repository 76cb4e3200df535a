//! Unreachable backends and problems of the cache: reports and exit codes.

use std::net::TcpListener;
use std::process::Command;

use redis::cmd;
use serde_json::Value;

use crate::program::{Program, Run, empty, pipeline};
use crate::redis_server::RedisServer;
use crate::stats_ls_show::fill;

/// A recording of hishel 1.3.
const HISHEL_FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/cache-core/tests/fixtures/hishel-1.3.db");

/// A closed port.
fn dead() -> String {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    format!("redis://:hunter2@127.0.0.1:{port}/0")
}

/// The check with this name.
fn check(run: &Run, name: &str) -> Value {
    let report = run.json();
    let found = report["checks"].as_array().unwrap().iter().find(|check| check["name"] == name).cloned();
    found.unwrap_or_else(|| panic!("no check {name}: {report}"))
}

#[test]
fn reading_falls_back_to_sqlite_and_changing_does_not() {
    let program = Program::on(&dead());
    let fails = |arguments: &[&str]| {
        let run = program.run(arguments);
        assert_eq!(run.code, Some(5), "{arguments:?}");
        assert!(run.err.contains("is unreachable") && run.err.contains("hint: "), "{}", run.err);
        assert!(!run.err.contains("hunter2"));
        run
    };
    // A missing file is not an empty cache.
    for arguments in [&["stats", "--prometheus"][..], &["ls"], &["ls", "--json"], &["show", "result_cache:p:1"]] {
        let run = fails(arguments);
        assert_eq!(run.out, "");
        assert!(run.err.contains("no fallback: data/http_cache/http_cache.db does not exist"), "{}", run.err);
    }
    assert!(program.directory.path().read_dir().unwrap().next().is_none(), "reading leaves no file behind");

    let directory = program.directory.path().join("data/http_cache");
    std::fs::create_dir_all(&directory).unwrap();
    std::fs::copy(HISHEL_FILE, directory.join("http_cache.db")).unwrap();
    let stats = program.run(&["stats", "--json"]);
    assert_eq!(stats.code, Some(0));
    assert!(stats.err.starts_with("Redis connection failed: "), "{}", stats.err);
    assert!(stats.err.ends_with(". Falling back to SQLite\n"), "{}", stats.err);
    assert_eq!(stats.json()["backend"]["fallback"], true);
    let list = program.run(&["ls", "-q", "--json"]);
    assert_eq!(list.code, Some(0));
    assert!(list.err.ends_with(". Falling back to SQLite\n"), "{}", list.err);
    let rows = list.rows();
    assert!(!rows.is_empty() && rows.values().all(|row| row["fallback"] == true));
    let shown = program.run(&["show", "--json", rows.keys().next().unwrap()]);
    assert_eq!(shown.json()["fallback"], true);
    for arguments in
        [&["stats", "--no-fallback"][..], &["flush", "--all", "--yes"], &["ttl", "--all", "--persist", "--yes"]]
    {
        fails(arguments);
    }
}

#[test]
fn wrong_password_is_reported() {
    let server = RedisServer::start("--requirepass hunter2");
    for (user, code) in [("", 5), (":wrong@", 5), (":hunter2@", 0)] {
        let program = Program::on(&format!("redis://{user}{}/0", server.address()));
        let run = program.run(&["stats"]);
        assert_eq!(run.code, Some(code), "{}", run.err);
        assert!(!(run.out + &run.err).contains("hunter2"));
        let doctor = program.run(&["doctor", "--json"]);
        if code == 5 {
            assert_eq!(doctor.code, Some(5));
            assert!(check(&doctor, "Redis")["fix"].as_str().unwrap().contains("PASSWORD"), "{}", doctor.out);
        }
        assert!(!doctor.out.contains("hunter2"), "{}", doctor.out);
    }
}

#[test]
fn hanging_server_times_out() {
    let server = RedisServer::start("");
    let url = format!("redis://{}/0", server.address());
    let mut redis = redis::Client::open(url.as_str()).unwrap().get_connection().unwrap();
    cmd("CLIENT").arg("PAUSE").arg(60_000).arg("ALL").exec(&mut redis).unwrap();
    let program = Program::on(&url);
    let run = |arguments: &[&str]| {
        let times = [("REDIS_SOCKET_TIMEOUT", "0.3"), ("REDIS_SOCKET_CONNECT_TIMEOUT", "0.3")];
        Run::of(&program.command().args(arguments).envs(times).output().unwrap())
    };
    let flush = run(&["flush", "--all", "--yes"]);
    assert_eq!(flush.code, Some(5), "{}", flush.err);
    let directory = program.directory.path().join("data/http_cache");
    std::fs::create_dir_all(&directory).unwrap();
    std::fs::copy(HISHEL_FILE, directory.join("http_cache.db")).unwrap();
    let stats = run(&["stats"]);
    assert_eq!(stats.code, Some(0));
    assert!(stats.err.starts_with("Redis connection failed: "), "{}", stats.err);
}

#[test]
fn loading_server_is_reported() {
    let directory = tempfile::tempdir().unwrap();
    let server = RedisServer::start(&format!(
        "--enable-debug-command yes --loading-process-events-interval-bytes 1024 --dir {}",
        directory.path().display()
    ));
    let url = format!("redis://{}/0", server.address());
    let connect = || redis::Client::open(url.as_str()).unwrap().get_connection().unwrap();
    let mut redis = connect();
    fill(&mut redis, 20_000);
    // A millisecond per key: loading takes longer than this test.
    cmd("CONFIG").arg("SET").arg("key-load-delay").arg(1_000).exec(&mut redis).unwrap();
    let mut loading = connect();
    let reload = std::thread::spawn(move || cmd("DEBUG").arg("RELOAD").exec(&mut loading));
    while cmd("PING").exec(&mut redis).is_ok() {}
    let program = Program::on(&url);
    let flush = program.run(&["flush", "--all", "--yes"]);
    assert_eq!(flush.code, Some(5), "{}", flush.err);
    let doctor = program.run(&["doctor", "--json"]);
    assert_eq!(doctor.code, Some(5), "{}", doctor.out);
    assert!(check(&doctor, "Redis")["fix"].as_str().unwrap().starts_with("wait"), "{}", doctor.out);
    drop(server);
    assert!(reload.join().unwrap().is_err(), "it was still loading");
}

#[test]
fn missing_or_invalid_sqlite_file_is_reported() {
    let program = Program::bare();
    let missing = program.run(&["stats", "--sqlite", "none.db"]);
    assert_eq!(missing.code, Some(5));
    assert!(missing.err.contains("none.db does not exist") && missing.err.contains("--sqlite PATH"), "{}", missing.err);
    std::fs::write(program.directory.path().join("text.db"), "not a database, and long enough to be looked at")
        .unwrap();
    let other = program.run(&["flush", "--all", "--yes", "--sqlite", "text.db"]);
    assert_eq!(other.code, Some(5));
    assert!(other.err.contains("not a database"), "{}", other.err);
    let doctor = program.run(&["doctor", "--sqlite", "text.db", "--json"]);
    assert_eq!(doctor.code, Some(5));
    assert_eq!(check(&doctor, "SQLite file")["status"], "fail");
}

#[test]
fn what_doctor_says_to_type_is_quoted_for_a_shell() {
    let program = Program::bare();
    let directory = program.directory.path().join("it's animecache ours");
    std::fs::create_dir(&directory).unwrap();
    std::fs::write(directory.join("http_cache.db"), "not a database, and long enough to be looked at").unwrap();
    let doctor = program.run(&["doctor", "--sqlite", directory.to_str().unwrap(), "--json"]);
    for name in ["SQLite file", "pipeline"] {
        let check = check(&doctor, name);
        let fix = check["fix"].as_str().unwrap();
        // Not run: only parsed by the shell, and printed one word a line.
        let script = format!("set -- {fix}; printf '%s\\n' \"$@\"");
        let words = Command::new("sh").args(["-c", &script]).output().unwrap().stdout;
        let words = String::from_utf8(words).unwrap();
        let is_path = |word: &str| word.trim_start_matches("HTTP_CACHE_DIR=").starts_with(directory.to_str().unwrap());
        assert!(words.lines().any(is_path), "{fix} is read as {words}");
    }
}

#[test]
fn a_recording_of_hishel_in_sqlite_is_listed() {
    let program = Program::bare();
    std::fs::copy(HISHEL_FILE, program.directory.path().join("http_cache.db")).unwrap();
    let rows = program.run(&["ls", "--json", "--sqlite", "."]).rows();
    assert!(rows.len() > 5);
    assert!(rows.values().all(|row| row["layout"] == "sqlite" && row["kind"] == "http" && row["fallback"].is_null()));

    // Years old, and without a TTL in the file: hishel serves them, and a program that stores something keeps them.
    let live = || program.run(&["stats", "--json", "--sqlite", "."]).json()["entries"]["http"].as_u64().unwrap();
    assert_eq!(live(), 9);
    let enrich = ["enrich", "--sqlite", ".", "--title", "Cowboy Bebop", "--demo-upstream", "--only", "animeschedule"];
    let run = program.run(&enrich);
    assert_eq!(run.code, Some(0), "{}", run.err);
    let after = program.run(&["ls", "--json", "--sqlite", "."]).rows();
    assert_eq!(rows.keys().filter(|id| rows[*id]["state"] == "live" && after.contains_key(*id)).count(), 9);
    let ttl = program.run(&["ttl", "--sqlite", ".", "--service", "other", "--set", "7d", "--yes", "--json"]);
    assert_eq!(ttl.code, Some(0), "{}", ttl.err);
    let doctor = program.run(&["doctor", "--sqlite", ".", "--json"]);
    assert_eq!(check(&doctor, "TTLs")["status"], "ok", "{}", doctor.out);
}

#[test]
fn doctor_is_content_with_a_cache_that_is_well() {
    let (program, _redis) = pipeline();
    let run = program.run(&["doctor", "--json"]);
    assert_eq!(run.code, Some(0), "{}", run.out);
    for name in [
        "enabled",
        "storage",
        "pipeline",
        "SQLite folder",
        "Redis",
        "version",
        "memory",
        "entries",
        "TTLs",
        "integrity",
    ] {
        assert_eq!(check(&run, name)["status"], "ok", "{name}");
    }
    assert!(program.run(&["doctor"]).out.contains("No problems found."));
}

#[test]
fn doctor_finds_what_is_wrong_and_says_what_to_type() {
    let (program, mut redis) = pipeline();
    cmd("SET").arg("hishel_cache:entry:209662e2-e774-4be9-9d0b-1759981c933b").arg("junk").exec(&mut redis).unwrap();
    cmd("SET").arg("result_cache:p:1").arg("1").exec(&mut redis).unwrap();
    let elsewhere = Program::bare();
    let run = Run::of(
        &elsewhere
            .command()
            .args(["doctor", "--json", "--redis", program.url()])
            .env("ENABLE_HTTP_CACHE", "false")
            .output()
            .unwrap(),
    );
    assert_eq!(run.code, Some(4));
    let [ttl, flush] = ["ttl --no-ttl", "flush --state corrupt"]
        .map(|command| format!("animecache --redis {} {command}", program.url()));
    for (name, fix) in [
        ("enabled", "export ENABLE_HTTP_CACHE=true"),
        ("pipeline", "REDIS_CACHE_URL=redis://127.0.0.1"),
        ("TTLs", &ttl),
        ("corrupt", &flush),
    ] {
        let check = check(&run, name);
        assert_eq!(check["status"], "warn", "{check}");
        assert!(check["fix"].as_str().unwrap().contains(fix), "{check}");
    }
    assert_eq!(check(&Program::on(empty().0.url()).run(&["doctor", "--json"]), "entries")["status"], "warn");
}

#[test]
fn doctor_warns_of_a_server_that_evicts_single_keys() {
    let server = RedisServer::start("--maxmemory 50mb --maxmemory-policy allkeys-lru");
    let run = Program::on(&format!("redis://{}/0", server.address())).run(&["doctor", "--json"]);
    assert_eq!(check(&run, "memory")["status"], "warn");
    assert!(check(&run, "memory")["detail"].as_str().unwrap().contains("allkeys-lru"));
    for policy in ["volatile-lru", "volatile-ttl"] {
        cmd("CONFIG").arg("SET").arg("maxmemory-policy").arg(policy).exec(&mut server.connection()).unwrap();
        let memory =
            check(&Program::on(&format!("redis://{}/0", server.address())).run(&["doctor", "--json"]), "memory");
        assert_eq!((memory["status"].as_str(), memory["fix"].as_str()), (Some("warn"), None), "{memory}");
    }
}

#[test]
fn doctor_tries_what_a_cache_does() {
    let full = RedisServer::start("--maxmemory 1 --maxmemory-policy noeviction");
    let run = Program::on(&format!("redis://{}/0", full.address())).run(&["doctor", "--json"]);
    assert_eq!(run.code, Some(4), "{}", run.err);
    for name in ["writes", "memory"] {
        assert_eq!(check(&run, name)["status"], "fail", "{}", run.out);
        assert!(check(&run, name)["fix"].as_str().unwrap().ends_with("flush --ttl-under 1h"), "{}", run.out);
    }

    let limited = RedisServer::start("");
    let rules = ["reader", "on", ">pw", "~*", "+@read", "+ping", "+info", "+select", "+scan"];
    cmd("ACL").arg("SETUSER").arg(&rules).exec(&mut limited.connection()).unwrap();
    let program = Program::on(&format!("redis://reader:pw@{}/0", limited.address()));
    let writes = check(&program.run(&["doctor", "--json"]), "writes");
    assert_eq!(writes["status"], "fail");
    assert!(writes["detail"].as_str().unwrap().contains("may not store, flush or change"), "{writes}");
    let writes = check(&program.run(&["doctor", "--json", "--read-only"]), "writes");
    assert_eq!(writes["status"], "note");

    let (program, mut redis) = pipeline();
    let keys = |redis: &mut redis::Connection| cmd("DBSIZE").query::<u64>(redis).unwrap();
    let before = keys(&mut redis);
    let run = program.run(&["doctor", "--json"]);
    assert_eq!(check(&run, "writes")["status"], "ok", "{}", run.out);
    assert_eq!(keys(&mut redis), before);
}

#[test]
fn doctor_names_what_is_wrong_with_an_address() {
    for (url, detail, fix) in [
        ("redis://nowhere.invalid/0".to_owned(), "does not resolve", None),
        (dead(), "refused", Some("docker compose")),
    ] {
        let redis = check(&Program::on(&url).run(&["doctor", "--json"]), "Redis");
        assert!(redis["detail"].as_str().unwrap().contains(detail), "{redis}");
        assert_eq!(redis["fix"].as_str().is_some(), fix.is_some(), "{redis}");
        assert!(redis["fix"].as_str().unwrap_or_default().contains(fix.unwrap_or_default()), "{redis}");
    }
    let cluster = RedisServer::start_cluster();
    let run = Program::on(&format!("redis://{}/0", cluster.address())).run(&["doctor", "--json"]);
    assert!(run.out.contains("node of a Redis Cluster") && !run.out.contains("docker"), "{}", run.out);
    let sentinel = cluster.start_sentinel();
    let run = Program::on(&format!("redis://{}/0", sentinel.address())).run(&["doctor", "--json"]);
    assert!(run.out.contains("Sentinel") && !run.out.contains("docker"), "{}", run.out);
}

#[test]
fn doctor_examines_no_other_cache_than_the_configured_one() {
    let program = Program::bare();
    let output = program.command().args(["doctor", "--json"]).env("HTTP_CACHE_STORAGE", "disk").output().unwrap();
    let run = Run::of(&output);
    assert_eq!(run.code, Some(4));
    assert!(!run.out.contains("unreachable"), "{}", run.out);
    assert_eq!(check(&run, "cache")["status"], "note");
}

#[test]
fn a_damaged_sqlite_file_is_found_by_quick_check() {
    let program = Program::bare();
    let mut bytes = std::fs::read(HISHEL_FILE).unwrap();
    for page in std::iter::once(7).chain(60..80) {
        if let Some(page) = bytes.get_mut((page - 1) * 4_096 + 100..page * 4_096) {
            page.fill(b'U');
        }
    }
    std::fs::write(program.directory.path().join("http_cache.db"), bytes).unwrap();
    let file = check(&program.run(&["doctor", "--sqlite", ".", "--json"]), "SQLite file");
    assert_eq!(file["status"], "fail", "{file}");
    assert!(file["fix"].as_str().unwrap().ends_with("http_cache.db .recover"), "{file}");
    std::fs::copy(HISHEL_FILE, program.directory.path().join("http_cache.db")).unwrap();
    let file = check(&program.run(&["doctor", "--sqlite", ".", "--json"]), "SQLite file");
    assert!(file["detail"].as_str().unwrap().contains("quick_check found no damage"), "{file}");
}
