//! Counters of the HTTP cache.

use std::sync::Arc;

use cache_core::{Cache, CacheOutcome, PolicyKind, ServiceName};
use cache_core::{Counters, Scope};

use crate::origin::{Origin, response};
use crate::redis_server::RedisServer;
use crate::{cache, redis_cache, redis_cache_at};

/// The counters of Jikan.
pub async fn counted(cache: Cache) -> Counters {
    let store = Arc::clone(cache.store());
    cache.close().await;
    store.stats(0.0).await.unwrap().ever[&Scope::Http(ServiceName::new("jikan"))]
}

/// As [`counted`], without times.
async fn counted_but_times(cache: Cache) -> Counters {
    Counters { lookup_micros: 0, ..counted(cache).await }
}

#[tokio::test]
async fn hits_misses_stores_and_bytes_are_counted() {
    let origin = Origin::start(|seen| {
        let status = if seen.target == "/gone" { 404 } else { 200 };
        response(status, &[], "ten bytes.")
    })
    .await;
    let cache = cache(PolicyKind::FixedTtl);
    for path in ["/", "/", "/", "/gone", "/gone"] {
        let fetched = cache.client(ServiceName::new("jikan")).get(origin.url(path)).send().await.unwrap();
        fetched.bytes().await.unwrap();
    }
    let expected = Counters { hits: 2, misses: 3, stores: 1, bytes: 20, ..Counters::default() };
    assert_eq!(counted_but_times(cache).await, expected);
}

#[tokio::test]
async fn revalidations_are_neither_hits_nor_misses() {
    let origin = Origin::start(|seen| {
        let status = if seen.field("if-none-match").is_some() { 304 } else { 200 };
        response(status, &[("Cache-Control", "no-cache"), ("ETag", "\"1\"")], if status == 200 { "x" } else { "" })
    })
    .await;
    let cache = cache(PolicyKind::Rfc9111);
    for _ in 0..3 {
        let fetched = cache.client(ServiceName::new("jikan")).get(origin.url("/")).send().await.unwrap();
        assert_eq!(fetched.text().await.unwrap(), "x");
    }
    let expected = Counters { misses: 1, stores: 1, revalidations: 2, bytes: 2, ..Counters::default() };
    assert_eq!(counted_but_times(cache).await, expected);
}

#[tokio::test]
async fn background_revalidation_is_no_miss() {
    let fields = [("Cache-Control", "max-age=0, stale-while-revalidate=600")];
    let origin = Origin::start(move |seen| response(200, &fields, format!("body {}", seen.number))).await;
    let cache = cache(PolicyKind::Rfc9111);
    let client = cache.client(ServiceName::new("jikan"));
    client.get(origin.url("/")).send().await.unwrap().bytes().await.unwrap();
    let stale = client.get(origin.url("/")).send().await.unwrap();
    assert_eq!(stale.cache_status().from, CacheOutcome::Stale);
    stale.bytes().await.unwrap();
    while origin.count() < 2 {
        tokio::task::yield_now().await;
    }
    // Closing waits for running tasks.
    let expected = Counters { hits: 1, stale: 1, misses: 1, stores: 2, bytes: 6, ..Counters::default() };
    assert_eq!(counted_but_times(cache).await, expected);
}

#[tokio::test]
async fn lookup_time_is_counted_by_service() {
    let origin = Origin::start(|_| response(200, &[], "x")).await;
    // A lookup over a connection takes more than a microsecond.
    let (cache, _) = redis_cache(PolicyKind::FixedTtl);
    cache.client(ServiceName::new("jikan")).get(origin.url("/")).send().await.unwrap().bytes().await.unwrap();
    let store = Arc::clone(cache.store());
    assert!(counted(cache).await.lookup_micros > 0);
    let services: Vec<Scope> = store.stats(0.0).await.unwrap().ever.into_keys().collect();
    assert_eq!(services, [Scope::Http(ServiceName::new("jikan"))]);
}

#[tokio::test]
async fn store_failures_are_counted_after_recovery() {
    let server = RedisServer::start("");
    let cache = redis_cache_at(&format!("redis://{}/0", server.address()), PolicyKind::FixedTtl);
    let origin = Origin::start(|_| response(404, &[], "x")).await;
    let client = cache.client(ServiceName::new("jikan"));
    let get = async || {
        let fetched = client.get(origin.url("/")).send().await.unwrap();
        assert_eq!(fetched.text().await.unwrap(), "x");
    };
    let stopped = server.stop();
    get().await;
    let _server = stopped.start();
    get().await;
    // Only the lookup failed: without a store no caller waits, and a 404 is not stored.
    let Counters { misses, errors, .. } = counted(cache).await;
    assert_eq!((misses, errors), (2, 1));
}
