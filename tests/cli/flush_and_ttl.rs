//! `flush` and `ttl` change the selected entries only.

use redis::{Connection, cmd};
use serde_json::json;

use crate::program::{dump, empty, is_ours, pipeline};

/// Foreign keys, some with names similar to those of the cache.
const FOREIGN: [&[u8]; 9] = [
    b"hishel_cachet:x",
    b"hishel_cache",
    b"result_cachet:1",
    b"result_cache",
    b"other:result_cache:p:1",
    b"*",
    b"result_cach[e]:p",
    b"line\nbreak:\xff\xfe",
    b"",
];

/// Keys of the cache with special characters of globs and terminals in their names.
const NASTY: [&[u8]; 6] = [
    b"result_cache:p:82fce6a05e45281a:a*",
    b"result_cache:p:82fce6a05e45281a:a?b",
    b"result_cache:p:82fce6a05e45281a:[a-z]\\",
    b"result_cache:p:82fce6a05e45281a:line\nbreak: and space",
    b"result_cache:p:82fce6a05e45281a:\xff\xfe",
    b"result_cache:p:82fce6a05e45281a:abc",
];

fn set(redis: &mut Connection, keys: &[&[u8]]) {
    for key in keys {
        cmd("SET").arg(key).arg(b"{\"a\": 1}").exec(redis).unwrap();
    }
}

#[test]
fn dry_run_prints_plan_and_changes_nothing() {
    let (program, mut redis) = pipeline();
    let before = dump(&mut redis);
    let plan = program.run(&["flush", "--service", "anisearch", "--dry-run", "--json"]);
    assert_eq!(plan.code, Some(0));
    let mut plan = plan.json();
    assert!(plan["elapsed"].take().as_f64().unwrap() >= 0.0);
    assert_eq!(plan["dry_run"], true);
    assert_eq!(plan["matched"], json!({"entries": 1, "keys": 1, "bytes": 79}));
    assert_eq!(plan["deleted"], json!({"entries": 0, "keys": 0}));
    assert_eq!((&plan["failed"], &plan["undo_file"]), (&json!(0), &json!(null)));
    assert_eq!(plan["by_service"][0]["service"], "anisearch");
    assert_eq!(plan["by_service"][0]["entries"], 1);
    assert_eq!(dump(&mut redis), before);
}

#[test]
fn flush_deletes_whole_entries_and_no_other_key() {
    let (program, mut redis) = pipeline();
    set(&mut redis, &FOREIGN);
    set(&mut redis, &NASTY);
    let mut expected = dump(&mut redis);
    let run = program.run(&["flush", "--url", "*/multi", "--yes", "--json", "--no-undo"]);
    assert_eq!(run.code, Some(0), "{}", run.err);
    assert_eq!(run.json()["deleted"], json!({"entries": 1, "keys": 3}));
    let id = "209662e2-e774-4be9-9d0b-1759981c933b";
    let index = "hishel_cache:key_index:4745543a63623662333638306462366331623962356666663635306166353163666666613966\
                 393434323964616365393135353965376632633034373936386534313666";
    for key in [&format!("hishel_cache:entry:{id}"), &format!("hishel_cache:stream:{id}"), index] {
        assert!(expected.remove(key.as_bytes()).is_some(), "{key}");
    }
    assert_eq!(dump(&mut redis), expected);

    // A prefix is literal, not a glob.
    let run = program.run(&["flush", "--prefix", "result_cache:p:82fce6a05e45281a:a*", "--yes", "--json"]);
    assert_eq!(run.json()["deleted"], json!({"entries": 1, "keys": 1}));
    expected.remove(NASTY[0]);
    assert_eq!(dump(&mut redis), expected);

    let run = program.run(&["flush", "--all", "--yes"]);
    assert_eq!(run.code, Some(0), "{}", run.err);
    expected.retain(|key, _| !is_ours(key));
    assert_eq!(expected.len(), FOREIGN.len());
    assert_eq!(dump(&mut redis), expected);
}

#[test]
fn a_limit_holds() {
    let (program, mut redis) = pipeline();
    let run = program.run(&["flush", "--kind", "result", "--limit", "4", "--yes", "--json"]);
    assert_eq!(run.json()["deleted"]["entries"], 4);
    assert_eq!(cmd("DBSIZE").query::<u64>(&mut redis).unwrap(), 48);
}

#[test]
fn corrupt_entries_are_listed_and_flushed_alone() {
    let (program, mut redis) = pipeline();
    let id = "209662e2-e774-4be9-9d0b-1759981c933b";
    let cut = "e7b28522-26a3-4d5d-9ba7-6ee6562b98eb";
    let data: Vec<u8> = cmd("HGET").arg(format!("hishel_cache:entry:{cut}")).arg("data").query(&mut redis).unwrap();
    cmd("HSET").arg(format!("hishel_cache:entry:{cut}")).arg("data").arg(&data[..40]).exec(&mut redis).unwrap();
    cmd("SET").arg(format!("hishel_cache:entry:{id}")).arg("junk").exec(&mut redis).unwrap();
    cmd("RPUSH").arg("result_cache:p:82fce6a05e45281a:list").arg("x").exec(&mut redis).unwrap();
    let rows = program.run(&["ls", "--json"]).rows();
    for broken in [id, cut, "result_cache:p:82fce6a05e45281a:list"] {
        assert_eq!(rows[broken]["state"], "corrupt", "{}", rows[broken]);
        assert!(!rows[broken]["problem"].as_str().unwrap().is_empty());
    }
    assert_eq!(rows.values().filter(|row| row["state"] == "live").count(), 11 + 10);
    // Unknown fields are null, not left out.
    let fields = |row: &serde_json::Value| {
        row.as_object().unwrap().keys().filter(|name| *name != "problem").cloned().collect::<Vec<_>>()
    };
    let whole = rows.values().find(|row| row["kind"] == "http" && row["state"] == "live").unwrap();
    for broken in [id, cut] {
        assert_eq!(fields(&rows[broken]), fields(whole));
        assert!(rows[broken]["url"].is_null());
    }
    let shown = program.run(&["show", cut]);
    assert_eq!(shown.code, Some(0), "{}", shown.err);
    assert!(shown.out.contains("corrupt"), "{}", shown.out);

    let run = program.run(&["flush", "--state", "corrupt", "--yes", "--json"]);
    assert_eq!((run.code, &run.json()["deleted"]["entries"]), (Some(0), &json!(3)), "{}", run.err);
    let left = program.run(&["ls", "--json"]).rows();
    assert_eq!(left.values().filter(|row| row["state"] == "live").count(), 11 + 10);
    assert!(left.values().all(|row| row["state"] != "corrupt"));
}

#[test]
fn nothing_matched_is_a_code_of_its_own() {
    let (program, _redis) = pipeline();
    let run = program.run(&["flush", "--service", "kitsu", "--yes", "--json"]);
    assert_eq!(run.code, Some(3));
    assert_eq!(run.json()["matched"]["entries"], 0);
    assert_eq!(program.run(&["ttl", "--service", "kitsu", "--persist", "--yes"]).code, Some(3));
}

#[test]
fn ttls_are_set_extended_and_taken_away() {
    let (program, mut redis) = empty();
    for (key, seconds) in [("result_cache:p:1", 1_000), ("result_cache:p:2", 5_000)] {
        cmd("SET").arg(key).arg("1").arg("EX").arg(seconds).exec(&mut redis).unwrap();
    }
    let ttls = |redis: &mut Connection| -> [i64; 2] {
        ["result_cache:p:1", "result_cache:p:2"].map(|key| cmd("TTL").arg(key).query(redis).unwrap())
    };
    let near = |actual: [i64; 2], wanted: [i64; 2]| {
        assert!(actual.iter().zip(wanted).all(|(a, b)| (b - 30..=b).contains(a)), "{actual:?}, not {wanted:?}");
    };
    let run = program.run(&["ttl", "--all", "--extend", "2h", "--yes", "--json"]);
    assert_eq!((run.code, &run.json()["changed"]), (Some(0), &json!(2)), "{}", run.err);
    near(ttls(&mut redis), [1_000 + 7_200, 5_000 + 7_200]);
    assert_eq!(program.run(&["ttl", "--all", "--set", "12h", "--dry-run"]).code, Some(0));
    near(ttls(&mut redis), [1_000 + 7_200, 5_000 + 7_200]);
    assert_eq!(program.run(&["ttl", "--id", "result_cache:p:1", "--set", "12h", "--yes"]).code, Some(0));
    near(ttls(&mut redis), [43_200, 5_000 + 7_200]);
    assert_eq!(program.run(&["ttl", "--all", "--persist", "--yes"]).code, Some(0));
    assert_eq!(ttls(&mut redis), [-1, -1]);
}

#[test]
fn read_only_refuses_and_a_script_must_agree_first() {
    let (program, mut redis) = pipeline();
    let before = dump(&mut redis);
    for arguments in [
        &["flush", "--all", "--yes", "--read-only"][..],
        &["ttl", "--all", "--persist", "--yes", "--read-only"],
        &["flush", "--all"],
        &["ttl", "--all", "--persist"],
        &["flush", "--yes"],
        &["flush", "--yes", "--prefix", ""],
        &["ttl", "--persist", "--yes"],
        &["ttl", "--all", "--yes"],
        &["ttl", "--all", "--yes", "--set", "1h", "--persist"],
        &["ttl", "--all", "--yes", "--set", "0s"],
        &["ttl", "--all", "--yes", "--set", "1ns"],
        &["flush", "--yes", "--body-match", ""],
    ] {
        let run = program.run(arguments);
        assert_eq!(run.code, Some(2), "{arguments:?} {}", run.err);
        assert!(!run.err.is_empty());
    }
    assert_eq!(program.run(&["flush", "--all", "--dry-run", "--read-only"]).code, Some(0));
    assert_eq!(dump(&mut redis), before);
}

#[test]
fn dead_schemas_are_a_guess_unless_the_living_are_named() {
    let (program, mut redis) = empty();
    let set = |key: &str, redis: &mut redis::Connection| {
        redis::cmd("SETEX").arg(format!("result_cache:{key}")).arg(80_000).arg("1").exec(redis).unwrap();
    };
    for key in ["f:aaaaaaaaaaaaaaaa:1", "f:bbbbbbbbbbbbbbbb:1", "g:aaaaaaaaaaaaaaaa:1", "g:bbbbbbbbbbbbbbbb:1"] {
        set(key, &mut redis);
    }
    let run = program.run(&["flush", "--dead-schemas", "--yes"]);
    assert_eq!(run.code, Some(2), "{}", run.err);
    assert!(run.err.contains("--living"), "{}", run.err);
    let plan = program.run(&["flush", "--dead-schemas", "--dry-run"]);
    assert!(plan.out.contains("of f (a guess"), "{}", plan.out);

    let living = ["flush", "--dead-schemas", "--living", "f=AAAAAAAAAAAAAAAA", "--yes"];
    assert_eq!(program.run(&living).code, Some(0));
    let mut left: Vec<String> = redis::cmd("KEYS").arg("*").query(&mut redis).unwrap();
    left.sort();
    let expected = ["f:aaaaaaaaaaaaaaaa:1", "g:aaaaaaaaaaaaaaaa:1", "g:bbbbbbbbbbbbbbbb:1"];
    assert_eq!(left, expected.map(|key| format!("result_cache:{key}")));
}

#[test]
fn a_change_that_changes_nothing_is_told() {
    let (program, mut redis) = empty();
    redis::cmd("SET").arg("result_cache:f:aaaaaaaaaaaaaaaa:1").arg("1").exec(&mut redis).unwrap();
    let run = program.run(&["ttl", "--all", "--extend", "1h", "--yes", "--json"]);
    assert_eq!(run.code, Some(3), "{}", run.err);
    assert_eq!((&run.json()["changed"], &run.json()["unchanged"]), (&0.into(), &1.into()));
    assert_eq!(run.json()["backend"]["kind"], "redis");
    assert!(run.err.contains("without a TTL to extend"), "{}", run.err);
}
