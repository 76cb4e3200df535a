//! Failures of Redis, as seen by a caller: misses, and nothing worse.

#![allow(clippy::unwrap_used)]

#[path = "../harness/fixed_ttl.rs"]
mod fixed_ttl;
#[path = "../harness/origin.rs"]
mod origin;
#[path = "../harness/proxy.rs"]
mod proxy;
#[path = "../harness/redis_server.rs"]
mod redis_server;

mod contention;
mod other_servers;
mod out_of_memory;
mod password;
mod restart;
mod slow;

use std::sync::Arc;
use std::time::Duration;

use cache_core::{Cache, CacheOutcome, CachedClient, Call, Config, Redis, RedisUrl};
use origin::{Origin, response};

/// The store timeout of the caches in these tests.
const PATIENCE: Duration = Duration::from_millis(500);
/// Timeout of an expected effect.
const DEADLINE: Duration = Duration::from_secs(30);

/// A cache on one Redis server without a fallback. Only its timeout bounds how long it waits.
fn cache(url: &str) -> Cache {
    over(&Config {
        redis_url: RedisUrl::new(url),
        store_timeout: PATIENCE,
        services: fixed_ttl::fixed_ttl(),
        ..Config::default()
    })
}

fn over(config: &Config) -> Cache {
    Cache::with_store(Arc::new(Redis::new(config).unwrap()), config)
}

/// An origin with bodies that show whether they are complete. `/length/name` returns a body of that length,
/// `/length/same/name` one that is always the same.
async fn origin() -> Origin {
    Origin::start(|seen| {
        let number = if seen.target.contains("/same/") { 0 } else { seen.number };
        response(200, &[("Cache-Control", "max-age=600")], body(&seen.target, number))
    })
    .await
}

/// A body with its identity in every line.
fn body(target: &str, number: usize) -> Vec<u8> {
    let length: usize = target.split('/').nth(1).and_then(|length| length.parse().ok()).expect("/length/name");
    let line = format!("{target} {number}\n");
    let mut body = line.repeat(length / line.len() + 1).into_bytes();
    body.truncate(length);
    body
}

/// Checks that a body is neither short nor mixed of two, nor of another request. Returns how many requests came before
/// its own.
fn assert_whole(target: &str, whole: &[u8]) -> usize {
    let first = whole.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let number = std::str::from_utf8(first).ok().and_then(|line| line.strip_prefix(target)?.trim().parse().ok());
    let number = number.unwrap_or_else(|| panic!("{target} got the body of another"));
    assert!(body(target, number) == whole, "{target}: {} bytes are not a whole body", whole.len());
    number
}

/// Gets a target through the cache: whatever happens to the store, the body is complete.
async fn get(client: &CachedClient, origin: &Origin, target: &str) -> CacheOutcome {
    let fetched = client.get(origin.url(target)).send().await.expect("no error reaches the caller");
    let from = fetched.cache_status().from;
    assert_whole(target, &fetched.bytes().await.expect("no error reaches the caller"));
    from
}

/// Gets a result through the cache, or computes it: whatever happens to the store, it is the right one.
async fn compute(cache: &Cache, number: u64) {
    let call = Call::new("faults", "0123456789abcdef").argument(number);
    assert_eq!(cache.results().get_or_compute(&call, || async { number * 7 }).await, number * 7);
}

/// Waits until a target is served from the store, fetching it as often as necessary.
async fn until_hit(client: &CachedClient, origin: &Origin, target: &str) {
    let hit = async {
        while get(client, origin, target).await != CacheOutcome::Hit {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(DEADLINE, hit).await.expect("the store is used again");
}

/// The keys of a server's database without a TTL.
async fn everlasting(url: &str) -> Vec<String> {
    let mut connection = redis_server::connection(url).await;
    let keys: Vec<Vec<u8>> = redis::cmd("KEYS").arg("*").query_async(&mut connection).await.unwrap();
    let mut everlasting = Vec::new();
    for key in keys {
        let ttl: i64 = redis::cmd("PTTL").arg(&key).query_async(&mut connection).await.unwrap();
        if ttl == -1 {
            everlasting.push(String::from_utf8_lossy(&key).into_owned());
        }
    }
    everlasting
}
