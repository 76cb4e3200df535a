//! What the HTTP cache did is in its store's counters.

use std::sync::Arc;

use cache_core::counters::{Counts, Scope};
use cache_core::{PolicyName, ServedFrom, Service};

use crate::cache;
use crate::origin::{Origin, response};

/// What was counted for Jikan, times aside.
async fn counted(cache: cache_core::Cache) -> Counts {
    let store = Arc::clone(cache.store());
    cache.close().await;
    let counted = store.counters(0.0).await.unwrap().ever;
    Counts { lookup_micros: 0, ..counted[&Scope::Http(Service::Jikan)] }
}

#[tokio::test]
async fn hits_misses_and_stores_are_counted_with_the_bytes_that_were_served() {
    let origin = Origin::start(|seen| {
        let status = if seen.target == "/gone" { 404 } else { 200 };
        response(status, &[], "ten bytes.")
    })
    .await;
    let cache = cache(PolicyName::Ttl);
    for path in ["/", "/", "/", "/gone", "/gone"] {
        let fetched = cache.client(Service::Jikan).get(origin.url(path)).send().await.unwrap();
        fetched.bytes().await.unwrap();
    }
    let expected = Counts { hits: 2, misses: 3, stores: 1, bytes: 20, ..Counts::default() };
    assert_eq!(counted(cache).await, expected);
}

#[tokio::test]
async fn revalidations_are_neither_hits_nor_misses() {
    let origin = Origin::start(|seen| {
        let status = if seen.field("if-none-match").is_some() { 304 } else { 200 };
        response(status, &[("Cache-Control", "no-cache"), ("ETag", "\"1\"")], if status == 200 { "x" } else { "" })
    })
    .await;
    let cache = cache(PolicyName::Specification);
    for _ in 0..3 {
        let fetched = cache.client(Service::Jikan).get(origin.url("/")).send().await.unwrap();
        assert_eq!(fetched.text().await.unwrap(), "x");
    }
    let expected = Counts { misses: 1, stores: 1, revalidations: 2, bytes: 2, ..Counts::default() };
    assert_eq!(counted(cache).await, expected);
}

#[tokio::test]
async fn what_is_fetched_in_the_background_is_no_miss() {
    let fields = [("Cache-Control", "max-age=0, stale-while-revalidate=600")];
    let origin = Origin::start(move |seen| response(200, &fields, format!("body {}", seen.number))).await;
    let cache = cache(PolicyName::Specification);
    let client = cache.client(Service::Jikan);
    client.get(origin.url("/")).send().await.unwrap().bytes().await.unwrap();
    let stale = client.get(origin.url("/")).send().await.unwrap();
    assert_eq!(stale.served().from, ServedFrom::Stale);
    stale.bytes().await.unwrap();
    while origin.count() < 2 {
        tokio::task::yield_now().await;
    }
    // Closing waits for what is under way.
    let expected = Counts { hits: 1, stale: 1, misses: 1, stores: 2, bytes: 6, ..Counts::default() };
    assert_eq!(counted(cache).await, expected);
}
