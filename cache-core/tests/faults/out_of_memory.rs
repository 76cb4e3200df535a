//! A server that has no memory left.

use cache_core::{CacheOutcome, ServiceName};

use crate::redis_server::RedisServer;
use crate::{cache, compute, everlasting, get, origin, until_hit};

#[tokio::test]
async fn a_full_server_still_serves_stored_entries() {
    let server = RedisServer::start("--maxmemory 8mb --maxmemory-policy noeviction");
    let url = format!("redis://{}", server.address());
    let (cache, origin) = (cache(&url), origin().await);
    let client = cache.client(ServiceName::new("jikan"));
    until_hit(&client, &origin, "/200/first").await;
    for number in 0..60 {
        get(&client, &origin, &format!("/300000/{number}")).await;
        compute(&cache, number).await;
    }
    let before = origin.count();
    assert_eq!(get(&client, &origin, "/200/first").await, CacheOutcome::Hit);
    for number in 0..60 {
        get(&client, &origin, &format!("/300000/{number}")).await;
    }
    let asked_again = origin.count() - before;
    assert!((1..60).contains(&asked_again), "some fit and some do not: {asked_again}");
    assert_eq!(everlasting(&url).await, Vec::<String>::new());
    cache.close().await;
}

#[tokio::test]
async fn eviction_never_truncates_a_body() {
    let server = RedisServer::start("--maxmemory 6mb --maxmemory-policy allkeys-lru");
    let url = format!("redis://{}", server.address());
    let (cache, origin) = (cache(&url), origin().await);
    let client = cache.client(ServiceName::new("jikan"));
    let mut hits = 0;
    for round in 0..2 {
        for number in 0..100 {
            // Small ones and such as take several steps to be written and to be read.
            let length = if number % 10 == 0 { 1_500_000 } else { 2_000 };
            let target = format!("/{length}/{number}");
            for _ in 0..2 {
                hits += u32::from(get(&client, &origin, &target).await == CacheOutcome::Hit);
            }
            compute(&cache, round * 100 + number).await;
        }
    }
    assert!((1..400).contains(&hits), "some are evicted and some are not: {hits}");
    assert_eq!(everlasting(&url).await, Vec::<String>::new());
    cache.close().await;
}
