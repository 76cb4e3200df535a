//! Corrupt entries and missing permissions do not affect other entries.

use std::collections::BTreeSet;

use redis::{Connection, cmd};
use serde_json::json;

use crate::program::{HISHEL, PIPELINE, Program, dump, empty, load_all};
use crate::redis_server::RedisServer;

/// A separate server with every layout, and the program as a user without these permissions.
fn without_rights(rights: &[&str]) -> (RedisServer, Program, Connection) {
    let server = RedisServer::start("");
    let mut redis = redis::Client::open(format!("redis://{}/0", server.address())).unwrap().get_connection().unwrap();
    fill_all(&mut redis);
    cmd("ACL").arg(&["SETUSER", "me", "on", ">pw", "~*", "+@all"]).arg(rights).exec(&mut redis).unwrap();
    let program = Program::on(&format!("redis://me:pw@{}/0", server.address()));
    (server, program, redis)
}

fn fill_all(redis: &mut Connection) {
    for recording in [PIPELINE, HISHEL[0], HISHEL[1]] {
        load_all(redis, recording);
    }
}

fn count(redis: &mut Connection) -> u64 {
    cmd("DBSIZE").query(redis).unwrap()
}

#[test]
fn flush_without_unlink_permission_counts_all_deleted_keys() {
    for rights in [&["-unlink"][..], &["-unlink", "-eval", "-evalsha", "-memory", "-info", "-client"]] {
        let (_server, program, mut redis) = without_rights(rights);
        let before = count(&mut redis);
        let run = program.run(&["flush", "--all", "--yes", "--json"]);
        assert_eq!(run.code, Some(0), "{}", run.err);
        assert_eq!(run.json()["deleted"], json!({"entries": 48, "keys": before}));
        assert_eq!(count(&mut redis), 0);
    }
}

#[test]
fn a_flush_that_is_refused_leaves_every_key_as_it_was() {
    let (_server, program, mut redis) = without_rights(&["-unlink", "-del"]);
    let before = dump(&mut redis);
    let run = program.run(&["flush", "--all", "--yes", "--json"]);
    assert_eq!(run.code, Some(1), "{}", run.err);
    assert_eq!((&run.json()["deleted"]["keys"], &run.json()["failed"]), (&json!(0), &json!(48)));
    assert_eq!(dump(&mut redis), before);
}

#[test]
fn permission_for_some_keys_changes_only_those() {
    let (_server, program, mut redis) = without_rights(&["resetkeys", "~result_cache:*", "%R~*"]);
    let mut expected = dump(&mut redis);
    expected.retain(|key, _| !key.starts_with(b"result_cache:"));
    let run = program.run(&["ttl", "--all", "--set", "1h", "--yes", "--json"]);
    assert_eq!((run.code, &run.json()["changed"], &run.json()["failed"]), (Some(4), &json!(10), &json!(38)));
    let run = program.run(&["flush", "--all", "--yes", "--json"]);
    assert_eq!(run.code, Some(4), "{}", run.err);
    assert_eq!((&run.json()["deleted"], &run.json()["failed"]), (&json!({"entries": 10, "keys": 10}), &json!(38)));
    assert_eq!(dump(&mut redis), expected);
}

#[test]
fn entry_without_read_permission_is_refused_not_corrupt() {
    for rights in [&["-lrange"][..], &["-hget"], &["-pttl"], &["-zscore"]] {
        let (_server, program, mut redis) = without_rights(rights);
        let before = count(&mut redis);
        for arguments in [&["ls"][..], &["stats"], &["flush", "--state", "corrupt", "--yes"]] {
            let run = program.run(arguments);
            assert_eq!(run.code, Some(1), "{rights:?} {arguments:?} {}", run.out);
            assert!(run.err.contains("NoPerm"), "{}", run.err);
        }
        assert_eq!(count(&mut redis), before);
    }
    let (_server, program, _redis) = without_rights(&["resetkeys", "~result_cache:*"]);
    assert_eq!(program.run(&["ls", "--kind", "result", "--json"]).rows().len(), 10);
    let run = program.run(&["ls", "--json"]);
    assert_eq!((run.code, run.rows().len()), (Some(4), 10), "{}", run.err);
    assert!(run.err.contains("38 entries could not be read"), "{}", run.err);
    let run = program.run(&["stats", "--json"]);
    assert_eq!(
        (run.code, &run.json()["entries"]["denied"], &run.json()["entries"]["result"]),
        (Some(4), &json!(38), &json!(10))
    );
    assert_eq!(run.json()["hit_source"], "none");
}

#[test]
fn what_may_not_be_asked_is_unknown() {
    let (_server, program, _redis) = without_rights(&["-info"]);
    let run = program.run(&["stats", "--json"]);
    assert_eq!(run.code, Some(0), "{}", run.err);
    assert_eq!((&run.json()["backend"]["memory_bytes"], &run.json()["backend"]["database"]), (&json!(null), &json!(0)));
    assert!(!program.run(&["stats", "--prometheus"]).out.contains("\nanimecache_backend_memory_bytes "));
    let doctor = program.run(&["doctor", "--json"]);
    let check = |name: &str| doctor.json()["checks"].as_array().unwrap().iter().find(|c| c["name"] == name).cloned();
    assert_eq!(check("memory").unwrap()["status"], "note", "{}", doctor.out);
    assert!(check("rights").unwrap()["fix"].as_str().unwrap().contains("+info"), "{}", doctor.out);
}

#[test]
fn server_that_is_no_store_is_refused() {
    let cluster = RedisServer::start_cluster();
    let program = Program::on(&format!("redis://{}/0", cluster.address()));
    for command in [&["ls"][..], &["stats"], &["show", "x"], &["flush", "--all", "--yes"], &["watch", "--for", "1s"]] {
        let run = program.run(command);
        assert_eq!(run.code, Some(2), "{command:?} {}", run.err);
        assert!(run.err.contains("node of a Redis Cluster"), "{command:?} {}", run.err);
    }
    let store = RedisServer::start("");
    let sentinel = store.start_sentinel();
    let run = Program::on(&format!("redis://{}/0", sentinel.address())).run(&["ls"]);
    assert_eq!(run.code, Some(2), "{}", run.err);
    assert!(run.err.contains(&format!("mymaster at redis://{}/0", store.address())), "{}", run.err);
}

#[test]
fn replica_is_read_and_not_changed() {
    let (primary, replica) = (RedisServer::start(""), RedisServer::start(""));
    load_all(&mut primary.connection(), PIPELINE);
    let port = primary.address().split_off("127.0.0.1:".len());
    let mut redis = replica.connection();
    cmd("REPLICAOF").arg(&["127.0.0.1", &port]).exec(&mut redis).unwrap();
    while !cmd("INFO").arg("replication").query::<String>(&mut redis).unwrap().contains("master_link_status:up") {
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    let program = Program::on(&format!("redis://{}/0", replica.address()));
    let run = program.run(&["ls", "--json"]);
    assert_eq!((run.code, run.rows().len()), (Some(0), 24), "{}", run.err);
    assert!(run.err.contains("read-only replica"), "{}", run.err);
    let run = program.run(&["flush", "--all", "--yes"]);
    assert_eq!((run.code, run.out.as_str()), (Some(2), ""), "{}", run.err);
    assert!(run.err.contains(&primary.address()), "{}", run.err);
    assert!(program.run(&["doctor"]).out.contains("read-only replica"));
}

#[test]
fn missing_dbsize_permission_is_not_an_error() {
    let (_server, program, _redis) = without_rights(&["-dbsize"]);
    assert_eq!(program.run(&["ls", "--json"]).rows().len(), 48);
    let stats = program.run(&["stats", "--json"]).json();
    assert_eq!(stats["scanned"], json!({"keys": stats["keys"], "complete": true}));
    let [doctor, flush] = [&["doctor"][..], &["flush", "--all", "--yes"]].map(|arguments| program.run(arguments));
    assert!(!doctor.out.contains("grant the Redis user permission"), "{}", doctor.out);
    assert_eq!(flush.code, Some(0), "{}", flush.err);

    let (_server, program, _redis) = without_rights(&["-scan"]);
    let doctor = program.run(&["doctor"]);
    assert!(doctor.out.contains("grant the Redis user permission for SCAN"), "{}", doctor.out);
}

#[test]
fn failure_of_one_entry_does_not_stop_the_others() {
    let (program, mut redis) = empty();
    fill_all(&mut redis);
    // The layout of hishel 1 has no entries without a TTL.
    let run = program.run(&["ttl", "--all", "--persist", "--yes", "--json"]);
    assert_eq!(run.code, Some(4), "{}", run.err);
    assert!(run.err.contains("hishel 1 layout"), "{}", run.err);
    let (changed, failed) = (run.json()["changed"].as_u64().unwrap(), run.json()["failed"].as_u64().unwrap());
    assert_eq!((changed + failed, failed), (48, 10));
    assert_eq!(
        cmd("TTL").arg("result_cache:no_prefix:ace6d8c92ebc96ea:[\"t\", 1]").query::<i64>(&mut redis).unwrap(),
        -1
    );

    // Keys of the wrong type get a TTL, too.
    let broken = ["hishel_cache:entry:00000000000000000000000000000014", "hishel_cache:idx:x"];
    for key in broken {
        cmd("RPUSH").arg(key).arg("x").exec(&mut redis).unwrap();
    }
    let run = program.run(&["ttl", "--all", "--set", "1h", "--yes", "--json"]);
    assert_eq!((run.code, &run.json()["changed"]), (Some(0), &json!(50)), "{}", run.err);
    for key in broken {
        assert!((3_500..=3_780).contains(&cmd("TTL").arg(key).query::<i64>(&mut redis).unwrap()));
    }
}

#[test]
fn a_ttl_beyond_a_century_is_refused() {
    let (program, mut redis) = empty();
    fill_all(&mut redis);
    let before = dump(&mut redis);
    for (how, duration) in [("--set", "18446744073709551615s"), ("--extend", "101y")] {
        let run = program.run(&["ttl", "--all", how, duration, "--yes"]);
        assert_eq!(run.code, Some(2), "{}", run.err);
        assert!(run.err.contains("at most 100 years"), "{}", run.err);
    }
    assert_eq!(dump(&mut redis), before);
    assert_eq!(program.run(&["ttl", "--all", "--set", "99y", "--yes"]).code, Some(0));
    assert_eq!(program.run(&["ls", "--ttl-over", "98y", "--json"]).rows().len(), 48);
}

#[test]
fn an_index_that_others_share_is_never_shortened() {
    let (program, mut redis) = empty();
    load_all(&mut redis, HISHEL[0]);
    let rows = program.run(&["ls", "--json"]).rows();
    let row = rows.values().next().unwrap();
    let index = format!("hishel_cache:idx:{}", row["cache_key"].as_str().unwrap());
    cmd("EXPIRE").arg(&index).arg(360_000).exec(&mut redis).unwrap();
    let run = program.run(&["ttl", "--id", row["id"].as_str().unwrap(), "--set", "1m", "--yes"]);
    assert_eq!(run.code, Some(0), "{}", run.err);
    assert!(cmd("TTL").arg(&index).query::<i64>(&mut redis).unwrap() > 350_000);
}

#[test]
fn index_without_ttl_expires_with_its_last_entry() {
    let (program, mut redis) = empty();
    fill_all(&mut redis);
    let keys: Vec<Vec<u8>> = cmd("KEYS").arg("hishel_cache:*").query(&mut redis).unwrap();
    let persist = |redis: &mut Connection| keys.iter().for_each(|key| cmd("PERSIST").arg(key).exec(redis).unwrap());
    let ttl = |redis: &mut Connection, key: &[u8]| cmd("TTL").arg(key).query::<i64>(redis).unwrap();
    persist(&mut redis);
    assert_eq!(program.run(&["ttl", "--all", "--set", "24h", "--yes"]).code, Some(0));
    for key in &keys {
        assert!((86_000..=86_580).contains(&ttl(&mut redis, key)), "{}", String::from_utf8_lossy(key));
    }

    // The index is stored until the last of its entries expires.
    persist(&mut redis);
    let [one, other] = ["209662e2-e774-4be9-9d0b-1759981c933b", "e7b28522-26a3-4d5d-9ba7-6ee6562b98eb"];
    let names = |key: &&Vec<u8>| {
        key.starts_with(b"hishel_cache:key_index:") && cmd("SISMEMBER").arg(*key).arg(one).query(&mut redis).unwrap()
    };
    let index = keys.iter().find(names).unwrap();
    cmd("SADD").arg(index).arg(other).exec(&mut redis).unwrap();
    for (id, time, wanted) in [(one, "1h", -1..=-1), (other, "2h", -1..=-1), (one, "1h", 7_000..=7_200)] {
        assert_eq!(program.run(&["ttl", "--id", id, "--set", time, "--yes"]).code, Some(0));
        assert!(wanted.contains(&ttl(&mut redis, index)), "{time}");
    }
}

#[test]
fn a_server_without_the_newer_commands_serves_as_well() {
    let server = RedisServer::start(
        "--rename-command UNLINK '' --rename-command EVALSHA '' --rename-command SCRIPT '' \
         --rename-command MEMORY '' --rename-command CLIENT '' --rename-command INFO ''",
    );
    let url = format!("redis://{}/0", server.address());
    let mut redis = redis::Client::open(url.as_str()).unwrap().get_connection().unwrap();
    fill_all(&mut redis);
    let program = Program::on(&url);
    let usual = RedisServer::fresh_database();
    fill_all(&mut redis::Client::open(usual.as_str()).unwrap().get_connection().unwrap());
    let listed = |program: &Program| -> BTreeSet<String> {
        program.run(&["ls", "--json", "--state", "live"]).rows().into_keys().collect()
    };
    assert!(!listed(&program).is_empty());
    assert_eq!(listed(&program), listed(&Program::on(&usual)));
    let before = count(&mut redis);
    let run = program.run(&["flush", "--all", "--yes", "--json"]);
    assert_eq!(run.json()["deleted"]["keys"], before, "{}", run.err);
}
