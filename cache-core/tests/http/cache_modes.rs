//! Handles that reload or bypass the cache.

use cache_core::{Cache, CacheOutcome, CachedClient, Filter, PolicyKind, ServiceName};
use rstest::rstest;

use crate::cache;
use crate::origin::{Origin, response};

/// An origin that never returns the same response twice.
async fn counting() -> Origin {
    let fields = [("Cache-Control", "max-age=60, stale-if-error=60"), ("ETag", "\"always\"")];
    Origin::start(move |seen| response(200, &fields, format!("no. {}", seen.number))).await
}

async fn get(client: &CachedClient, origin: &Origin) -> (CacheOutcome, String) {
    let fetched = client.get(origin.url("/")).send().await.unwrap();
    (fetched.cache_status().from, fetched.text().await.unwrap())
}

async fn stored(cache: &Cache) -> usize {
    cache.store().scan(&Filter::default(), None, 100).await.unwrap().entries.len()
}

#[rstest]
#[case(PolicyKind::FixedTtl)]
#[case(PolicyKind::Rfc9111)]
#[tokio::test]
async fn reload_replaces_the_stored_response(#[case] policy: PolicyKind) {
    let origin = counting().await;
    let cache = cache(policy);
    let client = cache.client(ServiceName::new("jikan"));
    assert_eq!(get(&client, &origin).await, (CacheOutcome::Miss, "no. 0".into()));
    assert_eq!(get(&client.reload(), &origin).await, (CacheOutcome::Miss, "no. 1".into()));
    assert_eq!(get(&client.reload(), &origin).await, (CacheOutcome::Miss, "no. 2".into()));
    assert_eq!(get(&client, &origin).await, (CacheOutcome::Hit, "no. 2".into()));
    assert_eq!(stored(&cache).await, 1);
    assert!(origin.seen().iter().all(|seen| seen.field("if-none-match").is_none()));
}

#[tokio::test]
async fn failed_reload_serves_no_stored_response() {
    let origin = Origin::start(|seen| {
        let fields = [("Cache-Control", "max-age=60, stale-if-error=60")];
        if seen.number == 0 { response(200, &fields, "good") } else { response(503, &[], "") }
    })
    .await;
    let client = cache(PolicyKind::Rfc9111).client(ServiceName::new("jikan"));
    get(&client, &origin).await;
    assert_eq!(client.reload().get(origin.url("/")).send().await.unwrap().status(), 503);
    assert_eq!(get(&client, &origin).await, (CacheOutcome::Hit, "good".into()));
    let url = origin.url("/");
    drop(origin);
    assert!(client.reload().get(url).send().await.is_err());
}

#[rstest]
#[case(PolicyKind::FixedTtl)]
#[case(PolicyKind::Rfc9111)]
#[tokio::test]
async fn bypass_neither_reads_nor_stores(#[case] policy: PolicyKind) {
    let origin = counting().await;
    let cache = cache(policy);
    let client = cache.client(ServiceName::new("jikan"));
    assert_eq!(get(&client.bypassed(), &origin).await, (CacheOutcome::Bypass, "no. 0".into()));
    assert_eq!(stored(&cache).await, 0);
    get(&client, &origin).await;
    assert_eq!(get(&client.bypassed(), &origin).await, (CacheOutcome::Bypass, "no. 2".into()));
    assert_eq!(get(&client, &origin).await, (CacheOutcome::Hit, "no. 1".into()));
}
