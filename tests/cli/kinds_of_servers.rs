//! Every command on the server under test, with both protocols: what is stored is found, or a message says why not.

use redis::cmd;
use serde_json::json;

use crate::program::{PIPELINE, Program, load_all};
use crate::redis_server::RedisServer;

#[test]
fn every_command_works_over_both_protocols() {
    for protocol in ["2", "3"] {
        let server = RedisServer::start("");
        load_all(&mut server.connection(), PIPELINE);
        let program = Program::on(&format!("redis://{}/0?protocol={protocol}", server.address()));
        let list = program.run(&["ls", "--json"]);
        assert_eq!((list.code, list.rows().len()), (Some(0), 24), "{}", list.err);
        let id = list.rows().keys().next().unwrap().clone();
        assert_eq!(program.run(&["show", &id, "--json"]).code, Some(0));
        let stats = program.run(&["stats", "--json"]).json();
        assert_eq!((&stats["entries"]["http"], &stats["entries"]["result"]), (&json!(13), &json!(10)));
        assert_eq!((&stats["backend"]["mode"], &stats["backend"]["role"]), (&json!("standalone"), &json!("primary")));
        assert!(stats["backend"]["version"].is_string() && stats["backend"]["memory_bytes"].is_u64(), "{stats}");
        let ttl = program.run(&["ttl", "--kind", "result", "--set", "1h", "--yes", "--json"]);
        assert_eq!((ttl.code, &ttl.json()["changed"]), (Some(0), &json!(10)), "{}", ttl.err);
        let watch = program.run(&["watch", "--enable-notifications", "--for", "200ms", "--json"]);
        assert_eq!(watch.code, Some(0), "{}", watch.err);
        let doctor = program.run(&["doctor", "--json"]);
        assert!(matches!(doctor.code, Some(0 | 4)) && doctor.out.contains("\"role\""), "{}", doctor.out);
        let flush = program.run(&["flush", "--all", "--yes", "--json"]);
        assert_eq!((flush.code, &flush.json()["deleted"]["entries"]), (Some(0), &json!(24)), "{}", flush.err);
        assert_eq!(program.run(&["ls"]).code, Some(3));
    }
}

#[test]
fn full_server_is_flushed() {
    let server = RedisServer::start("--maxmemory-policy noeviction");
    let mut redis = server.connection();
    load_all(&mut redis, PIPELINE);
    cmd("CONFIG").arg(&["SET", "maxmemory", "100kb"]).exec(&mut redis).unwrap();
    let program = Program::on(&format!("redis://{}/0", server.address()));
    let flush = program.run(&["flush", "--prefix", "result_cache", "--yes", "--json"]);
    assert_eq!((flush.code, &flush.json()["deleted"]["entries"]), (Some(0), &json!(10)), "{}", flush.err);
}
