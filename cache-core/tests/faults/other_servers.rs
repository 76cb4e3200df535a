//! Servers that are no store, or take no writes, and users with few rights: what is stored is found, or a message says
//! why not.

use std::sync::Arc;
use std::time::Duration;

use cache_core::{Backend as _, Filter};
use cache_core::{
    CacheOutcome, Config, Error, Inspect as _, OpenOptions, Redis, RedisUrl, RefusalScope, ResultStore as _,
    ServerMode, ServerRole, ServiceName, StatsStore as _, WhenUnreachable, error_chain,
};
use redis::cmd;

use crate::proxy::Proxy;
use crate::redis_server::RedisServer;
use crate::{cache, get, origin, until_hit};

const RESULT: &str = "result_cache:p:82fce6a05e45281a:1";
const HOUR: Duration = Duration::from_secs(3_600);

fn store(url: &str) -> Redis {
    Redis::new(&Config { redis_url: RedisUrl::new(url), ..Config::default() }).unwrap()
}

/// The error of opening, as the program opens it to read.
async fn refusal(url: &str) -> Error {
    let directory = tempfile::tempdir().unwrap();
    let config = Config { redis_url: RedisUrl::new(url), sqlite: directory.path().into(), ..Config::default() };
    let options = OpenOptions { when_unreachable: WhenUnreachable::UseSqlite, is_read_only: false, creates: false };
    cache_core::open(&config, options).await.err().expect("a cache on it would lose entries")
}

fn add_user(server: &RedisServer, rules: &[&str]) -> String {
    cmd("ACL").arg(&["SETUSER", "few", "on", ">pw"]).arg(rules).exec(&mut server.connection()).unwrap();
    format!("redis://few:pw@{}/0", server.address())
}

async fn set(store: &Redis) -> cache_core::Result<()> {
    store.set(RESULT, "1".into(), HOUR).await
}

#[tokio::test]
async fn node_of_a_cluster_is_refused_when_it_is_opened() {
    let server = RedisServer::start_cluster();
    let blind = add_user(&server, &["~*", "&*", "+@all", "-info", "-hello"]);
    for url in [format!("redis://{}/0", server.address()), format!("redis://{}/5", server.address()), blind] {
        let error = refusal(&url).await;
        assert!(matches!(error, Error::Config(_)), "{error:?}");
        let text = error.to_string();
        assert!(text.contains("node of a Redis Cluster") && text.contains("redis-cluster://"), "{text}");
    }
}

#[tokio::test]
async fn sentinel_is_refused_with_the_urls_of_its_masters() {
    let server = RedisServer::start("");
    let sentinel = server.start_sentinel();
    for database in [0, 3] {
        let text = refusal(&format!("redis://{}/{database}", sentinel.address())).await.to_string();
        assert!(text.contains(&format!("mymaster at redis://{}/{database}", server.address())), "{text}");
    }
}

#[tokio::test]
async fn replica_is_named_with_its_primary() {
    let (primary, replica) = (RedisServer::start(""), RedisServer::start(""));
    let port = primary.address().split_off("127.0.0.1:".len());
    cmd("REPLICAOF").arg(&["127.0.0.1", &port]).exec(&mut replica.connection()).unwrap();
    let store = store(&format!("redis://{}/0", replica.address()));
    let error = set(&store).await.unwrap_err();
    assert!(matches!(error, Error::Refused { scope: RefusalScope::Writes, .. }), "{error:?}");
    let health = store.health().await;
    assert_eq!(health.problem, None);
    let server = health.server.unwrap();
    assert_eq!(server.mode, Some(ServerMode::Standalone));
    assert!(matches!(&server.role, Some(ServerRole::Replica { primary: Some(at), .. }) if *at == primary.address()));
    assert_eq!(server.write_problem().unwrap(), format!("it is a read-only replica of {}", primary.address()));
}

#[tokio::test]
async fn primary_that_became_a_replica_is_left_for_the_new_one() {
    let (old, new) = (RedisServer::start(""), RedisServer::start(""));
    let port = new.address().split_off("127.0.0.1:".len());
    // One name for both, as of a load balancer or in DNS.
    let proxy = Proxy::start(old.address()).await;
    let store = store(&format!("redis://{}/0", proxy.address()));
    set(&store).await.unwrap();
    cmd("REPLICAOF").arg(&["127.0.0.1", &port]).exec(&mut old.connection()).unwrap();
    proxy.lead_to(new.address());
    set(&store).await.expect("the new primary takes it");
    assert_eq!(cmd("EXISTS").arg(RESULT).query::<u64>(&mut new.connection()), Ok(1));
    assert_eq!(store.health().await.server.unwrap().role, Some(ServerRole::Primary));
}

#[tokio::test]
async fn failed_snapshot_refuses_writes_and_no_reads() {
    let directory = tempfile::tempdir().unwrap();
    let server = RedisServer::start(&format!("--dir {}", directory.path().display()));
    let mut redis = server.connection();
    cmd("SET").arg(&[RESULT, "1"]).exec(&mut redis).unwrap();
    // Nothing can be written over a directory.
    std::fs::create_dir(directory.path().join("dump.rdb")).unwrap();
    cmd("CONFIG").arg(&["SET", "save", "3600 1"]).exec(&mut redis).unwrap();
    cmd("BGSAVE").exec(&mut redis).unwrap();
    let failed = || {
        let info: String = cmd("INFO").arg("persistence").query(&mut server.connection()).unwrap();
        info.contains("rdb_last_bgsave_status:err")
    };
    while !failed() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let url = format!("redis://{}/0", server.address());
    let config = Config { redis_url: RedisUrl::new(&*url), ..Config::default() };
    let options = OpenOptions { when_unreachable: WhenUnreachable::Fail, is_read_only: false, creates: false };
    let opened = cache_core::open(&config, options).await.expect("an error answer shows that the server is there");
    let health = opened.store.health().await;
    assert_eq!(health.problem, None);
    assert!(health.server.unwrap().writes_refused.unwrap().contains("snapshot"), "the reason is shown");
    assert_eq!(opened.store.get(RESULT).await.unwrap().unwrap().value, "1");
    let refused = opened.store.set(RESULT, "2".into(), HOUR).await.unwrap_err();
    assert!(matches!(refused, Error::Refused { scope: RefusalScope::Writes, .. }), "{refused:?}");
}

#[tokio::test]
async fn user_without_ping_opens_the_cache() {
    let server = RedisServer::start("");
    let store = store(&add_user(&server, &["~*", "&*", "+@all", "-ping"]));
    store.ping().await.unwrap();
    assert_eq!(store.health().await.problem, None);
    set(&store).await.unwrap();
}

#[tokio::test]
async fn server_says_why_it_closes_connections() {
    let server = RedisServer::start("--maxclients 1");
    let _taken = server.connection();
    let error = store(&format!("redis://{}/0", server.address())).ping().await.unwrap_err();
    assert!(matches!(error, Error::Unavailable { .. }), "{error:?}");
    let text = error_chain(&error);
    assert!(text.ends_with("max number of clients reached"), "{text}");
}

#[tokio::test]
async fn user_of_two_prefixes_finds_what_is_stored() {
    let server = RedisServer::start("");
    let url = add_user(&server, &["~hishel_cache:*", "~result_cache:*", "&*", "+@all", "-@admin", "-info"]);
    let (cache, origin) = (cache(&url), origin().await);
    let client = cache.client(ServiceName::new("jikan"));
    until_hit(&client, &origin, "/200/anime").await;
    cmd("CONFIG").arg("RESETSTAT").exec(&mut server.connection()).unwrap();
    get(&client, &origin, "/200/other").await;
    // The keys of leases and counters are refused, not the script of lookups.
    let stats: String = cmd("INFO").arg("commandstats").query(&mut server.connection()).unwrap();
    assert!(stats.contains("cmdstat_evalsha") && !stats.contains("cmdstat_zrevrangebyscore"), "{stats}");
    assert_eq!(get(&client, &origin, "/200/anime").await, CacheOutcome::Hit);
    cache.close().await;

    let store = store(&url);
    let stats = store.stats(0.0).await.unwrap();
    assert!(stats.unavailable.unwrap().contains("counters"), "the reason");
    let info = store.info().await.unwrap();
    assert_eq!((info.memory_bytes, info.limit), (None, None));
}

#[tokio::test]
async fn entries_that_may_not_be_read_are_counted() {
    let server = RedisServer::start("");
    let cache = cache(&format!("redis://{}/0", server.address()));
    let (origin, all) = (origin().await, store(&format!("redis://{}/0", server.address())));
    until_hit(&cache.client(ServiceName::new("jikan")), &origin, "/200/anime").await;
    set(&all).await.unwrap();
    cache.close().await;
    let few = Arc::new(store(&add_user(&server, &["~result_cache:*", "&*", "+@all"])));
    let mut pages = std::pin::pin!(cache_core::pages(few, Filter::default()));
    let (mut listed, mut denied) = (Vec::new(), 0);
    while let Some(page) = futures_util::StreamExt::next(&mut pages).await {
        let page = page.expect("the listing goes on");
        listed.extend(page.entries.into_iter().map(|entry| entry.id.text().into_owned()));
        denied += page.denied;
    }
    assert_eq!((listed, denied), (vec![RESULT.to_owned()], 1));
}
