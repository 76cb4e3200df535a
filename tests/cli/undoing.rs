//! `undo` puts back what `flush` and `ttl` changed, also after they were killed.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;

use redis::{Connection, Pipeline, cmd};
use serde_json::json;

use crate::program::{empty, is_ours, pipeline};

/// Every key of the cache with its value: a restored hash may list its fields in another order.
fn content(redis: &mut Connection) -> BTreeMap<Vec<u8>, Value> {
    let keys: Vec<Vec<u8>> = cmd("KEYS").arg("*").query(redis).unwrap();
    let value = |key: Vec<u8>| {
        let kind: String = cmd("TYPE").arg(&key).query(redis).unwrap();
        let value = match kind.as_str() {
            "hash" => {
                let fields: BTreeMap<Vec<u8>, Vec<u8>> = cmd("HGETALL").arg(&key).query(redis).unwrap();
                Value::Hash(fields)
            }
            "list" => Value::List(cmd("LRANGE").arg(&key).arg(0).arg(-1).query(redis).unwrap()),
            "set" => Value::Set(cmd("SMEMBERS").arg(&key).query(redis).unwrap()),
            _ => Value::Text(cmd("GET").arg(&key).query(redis).unwrap()),
        };
        (key, value)
    };
    keys.into_iter().filter(|key| is_ours(key)).map(value).collect()
}

#[derive(Debug, PartialEq)]
enum Value {
    Hash(BTreeMap<Vec<u8>, Vec<u8>>),
    List(Vec<Vec<u8>>),
    Set(BTreeSet<Vec<u8>>),
    Text(Vec<u8>),
}

fn ttls(redis: &mut Connection) -> Vec<(Vec<u8>, i64)> {
    let mut keys: Vec<Vec<u8>> = cmd("KEYS").arg("*").query(redis).unwrap();
    keys.retain(|key| is_ours(key));
    keys.sort();
    keys.into_iter()
        .map(|key| {
            let left = cmd("PTTL").arg(&key).query(redis).unwrap();
            (key, left)
        })
        .collect()
}

/// The time since then counts.
fn assert_same_ttls(before: &[(Vec<u8>, i64)], after: &[(Vec<u8>, i64)], since: std::time::Instant) {
    assert_eq!(before.len(), after.len());
    let passed = since.elapsed().as_millis() as i64;
    for ((key, before), (same, after)) in before.iter().zip(after) {
        assert_eq!(key, same);
        let is_same = if *before < 0 { before == after } else { (after - (before - passed)).abs() <= 1_000 };
        assert!(is_same, "{}: {before} {after}", key.escape_ascii());
    }
}

#[test]
fn undo_puts_a_flush_back_to_the_byte() {
    let (program, mut redis) = pipeline();
    let (before, times, since) = (content(&mut redis), ttls(&mut redis), std::time::Instant::now());
    let flush = program.run(&["flush", "--all", "--yes", "--json"]);
    assert_eq!(flush.code, Some(0), "{}", flush.err);
    let file = flush.json()["undo_file"].as_str().unwrap().to_owned();
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let directory = Path::new(&file).parent().unwrap();
    assert_eq!(std::fs::metadata(directory).unwrap().permissions().mode() & 0o777, 0o700);
    assert_eq!(ttls(&mut redis), []);

    let listed = program.run(&["undo", "--list", "--json"]).json();
    assert_eq!((&listed["file"], &listed["command"]), (&json!(file), &json!("flush")));
    let plan = program.run(&["undo", "--dry-run", "--json"]).json();
    assert_eq!(plan["restored"], json!({"entries": 0, "keys": 0, "bytes": 0}));
    assert_eq!(ttls(&mut redis), []);

    let undo = program.run(&["undo", "--yes", "--json"]);
    assert_eq!(undo.code, Some(0), "{}{}", undo.out, undo.err);
    let report = undo.json();
    assert_eq!(report["restored"]["entries"], plan["restorable"]);
    assert_eq!(report["skipped"], json!({"expired": 0, "newer": 0, "present": 0}));
    assert_eq!(content(&mut redis), before);
    assert_same_ttls(&times, &ttls(&mut redis), since);

    assert_eq!(program.run(&["undo", "--yes"]).code, Some(3));
    assert_eq!(content(&mut redis), before);
}

#[test]
fn undo_sets_changed_ttls_back() {
    let (program, mut redis) = pipeline();
    let (times, since) = (ttls(&mut redis), std::time::Instant::now());
    let changed = program.run(&["ttl", "--set", "1h", "--prefix", "result_cache", "--yes", "--json"]);
    assert_eq!(changed.code, Some(0), "{}", changed.err);
    assert!(changed.json()["undo_file"].is_string());
    assert_ne!(ttls(&mut redis), times);
    let undo = program.run(&["undo", "--yes", "--json"]);
    assert_eq!(undo.code, Some(0), "{}{}", undo.out, undo.err);
    assert_same_ttls(&times, &ttls(&mut redis), since);
}

#[test]
fn a_limit_refuses_and_no_undo_writes_no_file() {
    let (program, mut redis) = pipeline();
    let before = content(&mut redis);
    let refused = program.run(&["flush", "--all", "--yes", "--undo-limit", "1B"]);
    assert_eq!(refused.code, Some(2), "{}", refused.err);
    assert!(refused.err.contains("--undo-limit") && refused.err.contains("--no-undo"), "{}", refused.err);
    assert_eq!(content(&mut redis), before);
    let flush = program.run(&["flush", "--all", "--yes", "--no-undo", "--json"]);
    assert_eq!((flush.code, &flush.json()["undo_file"]), (Some(0), &json!(null)));
    assert_eq!(program.run(&["undo", "--yes"]).code, Some(3));
}

#[test]
fn a_killed_flush_is_undone() {
    let (program, mut redis) = empty();
    let mut fill = Pipeline::new();
    for number in 0..6_000 {
        let key = format!("result_cache:p:82fce6a05e45281a:{number}");
        fill.cmd("SET").arg(key).arg(format!("{{\"n\": {number}}}")).arg("EX").arg(80_000 + number).ignore();
    }
    fill.exec(&mut redis).unwrap();
    let (before, times, since) = (content(&mut redis), ttls(&mut redis), std::time::Instant::now());
    for (round, delay) in [150, 300, 450, 700, 1_000].into_iter().enumerate() {
        let mut flush = program.process().args(["flush", "--all", "--yes", "-q"]).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(delay));
        flush.kill().unwrap();
        flush.wait().unwrap();
        let undo = program.run(&["undo", "--yes", "-q"]);
        assert!(matches!(undo.code, Some(0 | 3)), "round {round}: {:?} {}", undo.code, undo.err);
        assert_eq!(content(&mut redis), before, "round {round}");
        assert_same_ttls(&times, &ttls(&mut redis), since);
    }
}
