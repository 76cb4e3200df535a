//! The memory tier serves what the store holds: changes by other clients reach it, whatever happens to the connection.

#![allow(clippy::unwrap_used)]

#[path = "harness/fixed_ttl.rs"]
mod fixed_ttl;
#[path = "harness/origin.rs"]
mod origin;
#[path = "harness/redis_server.rs"]
mod redis_server;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use cache_core::{
    Cache, CacheKey, CacheOutcome, Call, Config, Entry, EntryId, Inspect, Memory, MemoryTier, Redis, RedisUrl, Request,
    Response, ResponseStore as _, ResultStore as _, ServiceName, ServiceRegistry, Storage, StorageLayout, Store, clock,
};
use origin::{Origin, response};
use redis::cmd;
use redis_server::RedisServer;
use rstest::rstest;
use uuid::Uuid;

const HOUR: Duration = Duration::from_secs(3_600);
const KEY: &str = "result_cache:p:82fce6a05e45281a:1";

fn redis(url: &str) -> Arc<Redis> {
    Arc::new(Redis::new(&Config { redis_url: RedisUrl::new(url), ..Config::default() }).unwrap())
}

fn raw(url: &str) -> redis::Connection {
    redis::Client::open(url).unwrap().get_connection().unwrap()
}

fn entry() -> Entry {
    Entry {
        id: Uuid::new_v4(),
        cache_key: cache_core::hishel1_key(b"https://api.jikan.moe/v4/anime/1"),
        request: Request { method: "GET".into(), url: "https://api.jikan.moe/v4/anime/1".into(), ..Request::default() },
        response: Response { status_code: 200, ..Response::default() },
        created_at: Some(clock::now()),
        deleted_at: None,
    }
}

async fn put(store: &dyn Store, entry: &Entry, body: &'static str) -> EntryId {
    let mut writer = store.insert(entry.clone(), Some(HOUR)).await.unwrap();
    writer.write(Bytes::from(body)).await.unwrap();
    writer.commit().await.unwrap()
}

async fn body(store: &dyn Store, key: &CacheKey) -> Option<Bytes> {
    store.lookup(key, Some(HOUR)).await.unwrap().into_iter().next().map(|found| found.body.unwrap())
}

async fn result(store: &dyn Store) -> Option<Bytes> {
    store.get(KEY).await.unwrap().map(|stored| stored.value)
}

/// Polls until the condition is `true`.
async fn eventually(mut is_so: impl AsyncFnMut() -> bool) {
    let limit = tokio::time::Instant::now() + Duration::from_secs(10);
    while !is_so().await {
        assert!(tokio::time::Instant::now() < limit, "it did not come about within 10 s");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Number of requests to the server for an entry's head or for a result.
fn reads(connection: &mut redis::Connection) -> u64 {
    let text: String = cmd("INFO").arg("commandstats").query(connection).unwrap();
    let calls = |name: &str| {
        let line = text.lines().find(|line| line.starts_with(&format!("cmdstat_{name}:")))?;
        line.split("calls=").nth(1)?.split(',').next()?.parse::<u64>().ok()
    };
    calls("hget").unwrap_or(0) + calls("getrange").unwrap_or(0)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_read_is_served_from_memory() {
    let server = RedisServer::start("");
    let url = format!("redis://{}/0", server.address());
    let first = MemoryTier::new(redis(&url), HOUR);
    let entry = entry();
    put(&first, &entry, "body").await;
    first.set(KEY, "1".into(), HOUR).await.unwrap();
    let mut raw = raw(&url);
    assert_eq!((body(&first, &entry.cache_key).await, result(&first).await), (Some("body".into()), Some("1".into())));
    // An extension of the TTL by our own script arrives as an invalidation, once.
    eventually(async || {
        let before = reads(&mut raw);
        for _ in 0..10 {
            assert_eq!(body(&first, &entry.cache_key).await.as_deref(), Some(b"body".as_slice()));
            assert_eq!(result(&first).await.as_deref(), Some(b"1".as_slice()));
        }
        reads(&mut raw) == before
    })
    .await;
}

#[rstest]
#[case(None, false)]
#[case(Some(HOUR), true)]
#[tokio::test(flavor = "multi_thread")]
async fn a_cache_has_a_memory_tier_when_configured(#[case] memory_ttl: Option<Duration>, #[case] is_expected: bool) {
    let (server, directory) = (RedisServer::start(""), tempfile::tempdir().unwrap());
    let url = format!("redis://{}/0", server.address());
    let config = Config {
        storage: Storage::Redis,
        redis_url: RedisUrl::new(url.as_str()),
        sqlite: directory.path().to_owned(),
        memory_ttl,
        services: fixed_ttl::fixed_ttl(),
        ..Config::default()
    };
    let cache = Cache::open(&config).await.unwrap();
    let origin = Origin::start(|_| response(200, &[], "body")).await;
    let (client, call) = (cache.client(ServiceName::new("jikan")), Call::new("p", "82fce6a05e45281a").argument(1));
    let get = async || {
        let fetched = client.get(origin.url("/")).send().await.unwrap();
        let from = fetched.cache_status().from;
        assert_eq!(fetched.text().await.unwrap(), "body");
        assert_eq!(cache.results().get_or_compute(&call, || async { 1 }).await, 1);
        from
    };
    assert_eq!(get().await, CacheOutcome::Miss);
    let mut raw = raw(&url);
    eventually(async || {
        let before = reads(&mut raw);
        for _ in 0..10 {
            assert_eq!(get().await, CacheOutcome::Hit);
        }
        let asked = reads(&mut raw) - before;
        if is_expected { asked == 0 } else { asked >= 20 }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_by_another_process_invalidates_memory() {
    let url = RedisServer::fresh_database();
    let (first, other) = (MemoryTier::new(redis(&url), HOUR), redis(&url));
    let (older, newer) = (entry(), entry());
    let id = put(&*other, &older, "older").await;
    assert_eq!(body(&first, &older.cache_key).await, Some("older".into()));
    // The entry is stored again.
    put(&*other, &newer, "newer").await;
    eventually(async || body(&first, &older.cache_key).await == Some("newer".into())).await;
    // The entry is removed.
    other.remove(&[EntryId::Http(StorageLayout::Pipeline, newer.id)]).await.unwrap();
    eventually(async || body(&first, &older.cache_key).await == Some("older".into())).await;
    // The entry is removed by another program.
    cmd("DEL").arg(&*id.redis_key()).exec(&mut raw(&url)).unwrap();
    eventually(async || body(&first, &older.cache_key).await.is_none()).await;

    other.set(KEY, "1".into(), HOUR).await.unwrap();
    assert_eq!(result(&first).await, Some("1".into()));
    other.set(KEY, "2".into(), HOUR).await.unwrap();
    eventually(async || result(&first).await == Some("2".into())).await;
    cmd("FLUSHDB").exec(&mut raw(&url)).unwrap();
    eventually(async || result(&first).await.is_none()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_own_change_invalidates_memory_at_once() {
    let url = RedisServer::fresh_database();
    for store in [redis(&url) as Arc<dyn Inspect>, Arc::new(Memory::new(ServiceRegistry::default()))] {
        let first = MemoryTier::new(store, HOUR);
        for text in ["1", "2"] {
            let newest = entry();
            let id = put(&first, &newest, if text == "1" { "one" } else { "two" }).await;
            assert_eq!(body(&first, &newest.cache_key).await, Some(if text == "1" { "one" } else { "two" }.into()));
            let mut changed = newest.clone();
            changed.response.status_code = 203;
            assert!(first.update_head(&id, &changed).await.unwrap());
            let found = first.lookup(&newest.cache_key, None).await.unwrap();
            assert_eq!(found[0].entry.response.status_code, 203);
            first.remove(&[id]).await.unwrap();
            assert_eq!(body(&first, &newest.cache_key).await, None);

            first.set(KEY, text.into(), HOUR).await.unwrap();
            assert_eq!(result(&first).await, Some(text.into()));
        }
        first.remove(&[EntryId::key(KEY.as_bytes())]).await.unwrap();
        assert_eq!(result(&first).await, None);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_serves_nothing_while_disconnected() {
    let server = RedisServer::start("");
    let url = format!("redis://{}/0", server.address());
    let first = MemoryTier::new(redis(&url), HOUR);
    first.set(KEY, "1".into(), HOUR).await.unwrap();
    assert_eq!(result(&first).await, Some("1".into()));

    // The connection is cut, and another client changes the value before there is a new one.
    let mut other = raw(&url);
    let mut cut = cmd("CLIENT");
    cut.arg("KILL").arg(&["TYPE", "normal", "SKIPME", "yes"]);
    redis::pipe().add_command(cut).cmd("SET").arg(KEY).arg("2").exec(&mut other).unwrap();
    eventually(async || result(&first).await == Some("2".into())).await;
    cmd("SET").arg(KEY).arg("3").exec(&mut other).unwrap();
    eventually(async || result(&first).await == Some("3".into())).await;

    let stopped = server.stop();
    eventually(async || first.get(KEY).await.is_err()).await;
    let _server = stopped.start();
    eventually(async || first.get(KEY).await.is_ok_and(|value| value.is_none())).await;
    cmd("SET").arg(KEY).arg("4").exec(&mut raw(&url)).unwrap();
    assert_eq!(result(&first).await, Some("4".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_invalidation_the_ttl_alone_bounds_memory() {
    let store = Arc::new(Memory::new(ServiceRegistry::default()));
    let first = MemoryTier::new(Arc::clone(&store) as _, Duration::from_millis(300));
    store.set(KEY, "1".into(), HOUR).await.unwrap();
    assert_eq!(result(&first).await, Some("1".into()));
    store.set(KEY, "2".into(), HOUR).await.unwrap();
    eventually(async || result(&first).await == Some("2".into())).await;

    // A stored entry is not served after it has expired.
    let first = MemoryTier::new(Arc::clone(&store) as _, HOUR);
    let entry = entry();
    let mut writer = store.insert(entry.clone(), Some(Duration::from_secs(1))).await.unwrap();
    writer.write(Bytes::from("body")).await.unwrap();
    writer.commit().await.unwrap();
    assert_eq!(first.lookup(&entry.cache_key, None).await.unwrap().len(), 1);
    store.set(KEY, "3".into(), Duration::from_secs(1)).await.unwrap();
    assert_eq!(result(&first).await, Some("3".into()));
    eventually(async || first.lookup(&entry.cache_key, None).await.unwrap().is_empty()).await;
    eventually(async || result(&first).await.is_none()).await;
}
