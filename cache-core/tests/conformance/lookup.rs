//! Lookups: which responses they return, and which TTLs they renew.

use std::time::Duration;

use bytes::Bytes;
use cache_core::{EntryId, Inspect, StorageLayout, clock};

use crate::samples::{DAY, HOUR, body_of, entry, eventually, is_about, put};
use crate::stores::Subject;

const URL: &str = "https://api.jikan.moe/v4/anime/1/full";

/// Remaining TTL of an entry in seconds.
async fn left(store: &dyn Inspect, id: &EntryId) -> Option<f64> {
    store.details(id).await.unwrap()?.summary.ttl(clock::now())
}

pub async fn a_lookup_returns_id_expiry_and_body(s: Subject) {
    let (short, long) = (entry(URL, 10.0), entry(URL, 0.0));
    let short_id = put(&s.store, &short, "short", HOUR).await;
    let long_id = put(&s.store, &long, &"long".repeat(500_000), DAY).await;
    let found = s.store.lookup(&short.cache_key, None).await.unwrap();
    assert_eq!(found.iter().map(|found| &found.id).collect::<Vec<_>>(), [&long_id, &short_id]);
    for (found, ttl) in found.iter().zip([DAY, HOUR]) {
        assert!(is_about(found.expires_at, clock::now() + ttl.as_secs_f64()), "{found:?}");
        // A body returned with the lookup is complete.
        if let Some(body) = &found.body {
            assert_eq!(Some(body), body_of(&*s.store, &found.id).await.as_ref());
        }
    }
    assert!(found[0].body.is_none() || s.layout == StorageLayout::Pipeline, "a body of 2 MB came along");
}

pub async fn a_lookup_renews_only_the_newest(s: Subject) {
    let (older, newer) = (entry(URL, 60.0), entry(URL, 0.0));
    let older_id = put(&s.store, &older, "older", HOUR).await;
    let newer_id = put(&s.store, &newer, "newer", HOUR + Duration::from_secs(60)).await;
    s.store.lookup(&newer.cache_key, None).await.unwrap();
    assert!(left(&*s.store, &newer_id).await.is_some_and(|left| left < 2.0 * HOUR.as_secs_f64()));

    let found = s.store.lookup(&newer.cache_key, Some(DAY)).await.unwrap();
    assert_eq!(found[0].id, newer_id);
    assert!(is_about(found[0].expires_at, clock::now() + DAY.as_secs_f64()), "{found:?}");
    assert!(is_about(found[1].expires_at, clock::now() + HOUR.as_secs_f64()), "{found:?}");
    // A storage may reply before the renewal is written.
    eventually(async || is_about(left(&*s.store, &newer_id).await, DAY.as_secs_f64())).await;
    assert!(is_about(left(&*s.store, &older_id).await, HOUR.as_secs_f64()));
    assert_eq!(body_of(&*s.store, &newer_id).await, Some(Bytes::from("newer")));
    // Every key of the entry, including its index, has the same TTL.
    let keys = s.store.details(&newer_id).await.unwrap().unwrap().keys;
    assert!(keys.iter().all(|key| key.ttl.is_some_and(|ttl| ttl > 2.0 * HOUR.as_secs_f64())), "{keys:?}");
}

pub async fn a_renewal_to_less_shortens_no_other(s: Subject) {
    let (older, newer) = (entry(URL, 60.0), entry(URL, 0.0));
    let older_id = put(&s.store, &older, "older", DAY).await;
    let newer_id = put(&s.store, &newer, "newer", DAY + HOUR).await;
    let found = s.store.lookup(&newer.cache_key, Some(HOUR)).await.unwrap();
    assert_eq!(found[0].id, newer_id);
    eventually(async || is_about(left(&*s.store, &newer_id).await, HOUR.as_secs_f64())).await;
    let older = s.store.details(&older_id).await.unwrap().unwrap();
    assert!(is_about(older.summary.ttl(clock::now()), DAY.as_secs_f64()), "{older:?}");
    assert!(older.keys.iter().all(|key| key.ttl.is_some_and(|ttl| ttl > 2.0 * HOUR.as_secs_f64())), "{older:?}");
}

pub async fn an_entry_with_its_own_ttl_is_not_renewed(s: Subject) {
    let mut own = entry(URL, 0.0);
    own.request.extra.set_ttl(HOUR.as_secs_f64());
    let id = put(&s.store, &own, "{}", HOUR).await;
    // hishel 2 does not store the entry's own TTL.
    if matches!(s.layout, StorageLayout::Sqlite2 | StorageLayout::Hishel2) {
        return;
    }
    let found = s.store.lookup(&own.cache_key, Some(DAY)).await.unwrap();
    assert!(is_about(found[0].expires_at, clock::now() + HOUR.as_secs_f64()), "{found:?}");
    assert!(is_about(left(&*s.store, &id).await, HOUR.as_secs_f64()));
}
