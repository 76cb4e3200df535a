//! `watch`: its output, its confirmation, and the restored setting of the server.

use std::io::{BufRead as _, BufReader, Lines};
use std::process::{Child, ChildStdout, Command, Stdio};

use redis::{Connection, cmd};
use serde_json::{Value, json};

use crate::program::Program;
use crate::pty::Pty;
use crate::redis_server::RedisServer;

const SETTING: &str = "notify-keyspace-events";
const RESULT: &str = "result_cache:anisearch_anime:82fce6a05e45281a:18878";

/// A separate server, because settings apply to the whole server.
fn server() -> (RedisServer, Program, Connection) {
    let server = RedisServer::start("");
    let url = format!("redis://{}/0", server.address());
    let connection = redis::Client::open(url.as_str()).unwrap().get_connection().unwrap();
    (server, Program::on(&url), connection)
}

fn setting(redis: &mut Connection) -> String {
    let (_, value): (String, String) = cmd("CONFIG").arg("GET").arg(SETTING).query(redis).unwrap();
    value
}

/// A running watch.
struct Watching {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    err: Lines<BufReader<std::process::ChildStderr>>,
}

impl Watching {
    /// Starts a watch, and waits until it is running.
    fn start(program: &Program, arguments: &[&str]) -> Self {
        let mut child = program
            .process()
            .arg("watch")
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let err = BufReader::new(child.stderr.take().unwrap()).lines();
        let mut watching = Self { child, lines, err };
        while !watching.err.next().unwrap().unwrap().contains("Watching") {}
        watching
    }

    fn line(&mut self) -> String {
        self.lines.next().unwrap().unwrap()
    }

    fn json(&mut self) -> Value {
        serde_json::from_str(&self.line()).unwrap()
    }

    fn signal(&self, name: &str) {
        assert!(Command::new("kill").args(["-s", name, &self.child.id().to_string()]).status().unwrap().success());
    }

    /// Waits for its end; returns the exit code and standard error.
    fn end(mut self) -> (Option<i32>, String) {
        let err: Vec<_> = self.err.map(Result::unwrap).collect();
        (self.child.wait().unwrap().code(), err.join("\n"))
    }
}

#[test]
fn watch_without_notifications_prints_hint_changes_nothing() {
    let (_server, program, mut redis) = server();
    let run = program.run(&["watch"]);
    assert_eq!(run.code, Some(2), "{}", run.err);
    assert!(run.err.contains("--enable-notifications") && run.err.contains("--monitor"), "{}", run.err);
    let run = program.run(&["watch", "--enable-notifications", "--read-only"]);
    assert_eq!(run.code, Some(2), "{}", run.err);
    assert_eq!(setting(&mut redis), "");
    let run = program.run(&["watch", "--monitor", "--for", "1h"]);
    assert_eq!(run.code, Some(2), "{}", run.err);
    let run = Program::bare().run(&["watch", "--demo"]);
    assert_eq!(run.code, Some(2), "{}", run.err);
    assert!(run.err.contains("animecache stats"), "{}", run.err);
    assert_eq!(Program::on("redis://127.0.0.1:1/0").run(&["watch"]).code, Some(5));
}

#[test]
fn watch_on_signal_prints_summary_and_restores_setting() {
    let (_server, program, mut redis) = server();
    cmd("CONFIG").arg(&["SET", SETTING, "Elx"]).exec(&mut redis).unwrap();
    let before = setting(&mut redis);
    for name in ["INT", "TERM", "HUP"] {
        let mut watching = Watching::start(&program, &["--enable-notifications", "--json"]);
        assert_ne!(setting(&mut redis), before);
        let _: Option<String> = cmd("GET").arg(RESULT).query(&mut redis).unwrap();
        cmd("SETEX").arg(RESULT).arg(60).arg("{}").exec(&mut redis).unwrap();
        cmd("DEL").arg(RESULT).exec(&mut redis).unwrap();
        for event in ["miss", "store", "remove"] {
            let row = watching.json();
            let expected = json!({"event": event, "kind": "result", "service": "anisearch", "key": RESULT});
            for (field, value) in expected.as_object().unwrap() {
                assert_eq!(&row[field], value, "{row}");
            }
        }
        watching.signal(name);
        let summary = watching.json();
        assert_eq!(summary["event"], "summary");
        assert_eq!((&summary["sample"], &summary["source"]), (&json!(true), &json!("notifications")));
        // Hits of results are unknown, which is not zero.
        assert_eq!((&summary["services"][0]["hits"], &summary["services"][0]["misses"]), (&json!(null), &json!(1)));
        let (code, err) = watching.end();
        assert_eq!(code, Some(0), "{err}");
        assert_eq!(setting(&mut redis), before, "{name}: {err}");
    }
}

#[test]
fn monitor_reports_result_hits_without_secrets() {
    let (_server, program, mut redis) = server();
    cmd("SET").arg(RESULT).arg("{}").exec(&mut redis).unwrap();
    let mut watching = Watching::start(&program, &["--monitor", "--for", "60s", "--json", "--service", "anisearch"]);
    for secret in [&["AUTH", "me", "hunter2"][..], &["HELLO", "3", "AUTH", "me", "hunter2"]] {
        let _: redis::RedisResult<()> = cmd(secret[0]).arg(&secret[1..]).exec(&mut redis);
    }
    cmd("GET").arg("result_cache:of_another_service").exec(&mut redis).unwrap();
    cmd("SET").arg("other").arg("result_cache:hunter2").exec(&mut redis).unwrap();
    cmd("GET").arg(RESULT).exec(&mut redis).unwrap();
    let hit = watching.line();
    assert_eq!(serde_json::from_str::<Value>(&hit).unwrap()["event"], "hit", "{hit}");
    watching.signal("INT");
    let summary = watching.line();
    let (code, err) = watching.end();
    assert_eq!(code, Some(0), "{err}");
    assert!(![hit, summary.clone(), err].concat().contains("hunter2"));
    let summary: Value = serde_json::from_str(&summary).unwrap();
    assert_eq!(summary["services"].as_array().unwrap().len(), 1, "{summary}");
    assert_eq!((&summary["hit_rate"], &summary["expiries"]), (&json!(1.0), &json!(null)), "{summary}");
    assert_eq!(setting(&mut redis), "");
}

#[test]
fn it_ends_by_itself_and_a_hostile_key_is_only_text() {
    let (_server, program, mut redis) = server();
    cmd("CONFIG").arg(&["SET", SETTING, "AKm"]).exec(&mut redis).unwrap();
    let mut watching = Watching::start(&program, &["--for", "1s"]);
    cmd("SET").arg(b"result_cache:\xff\x1b]52;c;aGk=\x07").arg("{}").exec(&mut redis).unwrap();
    let mut out = Vec::new();
    for line in watching.lines.by_ref() {
        out.push(line.unwrap());
    }
    let out = out.join("\n");
    assert!(out.contains("store") && out.contains("\\xff␛]52") && !out.contains('\x1b'), "{out}");
    assert!(out.contains("Watched ") && out.contains("source: keyspace notifications"), "{out}");
    assert_eq!(watching.end().0, Some(0));
}

#[test]
fn watch_on_terminal_confirms_and_ends_at_ctrl_c() {
    let (_server, program, mut redis) = server();
    let arguments = ["watch", "--redis", program.url()];
    let mut terminal = Pty::start(&Program::path(), &arguments, program.directory.path());
    terminal.wait_for("[y/N]");
    terminal.keys("n\n");
    assert_eq!(terminal.end().0, 2);
    assert_eq!(setting(&mut redis), "");

    let mut terminal = Pty::start(&Program::path(), &arguments, program.directory.path());
    terminal.wait_for("[y/N]");
    terminal.keys("y\n");
    terminal.wait_for("Watching");
    assert_ne!(setting(&mut redis), "");
    cmd("SET").arg(RESULT).arg("{}").exec(&mut redis).unwrap();
    terminal.wait_for("store");
    terminal.keys("\x03");
    let (code, screen) = terminal.end();
    assert_eq!(code, 0, "{screen}");
    assert!(screen.contains("Restored notify-keyspace-events") && screen.contains("Watched "), "{screen}");
    assert_eq!(setting(&mut redis), "");
}

#[test]
fn watch_without_config_permission_suggests_monitor() {
    let (server, _, mut redis) = server();
    cmd("ACL").arg(&["SETUSER", "me", "on", ">pw", "~*", "&*", "+@all", "-config"]).exec(&mut redis).unwrap();
    let program = Program::on(&format!("redis://me:pw@{}/0", server.address()));
    let run = program.run(&["watch", "--enable-notifications"]);
    assert_eq!(run.code, Some(1), "{}", run.err);
    assert!(run.err.contains("--monitor"), "{}", run.err);
}
