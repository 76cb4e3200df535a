//! A read-only store delegates reads and rejects all modifications.

use std::sync::Arc;
use std::time::Duration;

use cache_core::{Backend as _, Error, Filter, Inspect, ReadOnly};

use crate::samples::{DAY, body_of, entry, list, put};
use crate::stores;

#[tokio::test]
async fn reads_pass_and_changes_are_refused() {
    let subject = stores::sqlite1().await;
    let stored = entry("https://api.jikan.moe/v4/anime/1", 0.0);
    let id = put(&subject.store, &stored, "{}", DAY).await;
    subject.store.set("result_cache:p:1", "1".into(), DAY).await.unwrap();
    let store: Arc<dyn Inspect> = Arc::new(ReadOnly::new(Arc::clone(&subject.store)));

    assert_eq!(store.lookup(&stored.cache_key, None).await.unwrap().len(), 1);
    assert!(body_of(&*store, &id).await.is_some());
    assert!(store.get("result_cache:p:1").await.unwrap().is_some());
    assert!(store.details(&id).await.unwrap().is_some());
    assert!(store.raw_body(&id, 1).await.unwrap().is_some());
    let before = list(&store, &Filter::default(), 10).await;
    assert_eq!(before.len(), 2);

    let refused = |outcome: Option<Error>| assert!(matches!(outcome, Some(Error::ReadOnly(_))), "{outcome:?}");
    refused(store.insert(stored.clone(), Some(DAY)).await.err());
    refused(store.update_head(&id, &stored).await.err());
    refused(store.expire(std::slice::from_ref(&id), Some(DAY)).await.err());
    refused(store.remove(std::slice::from_ref(&id)).await.err());
    refused(store.set("result_cache:p:1", "2".into(), DAY).await.err());
    assert_eq!(list(&store, &Filter::default(), 10).await, before);

    // The limits of a service count the requests of programs that change nothing, too.
    let (limit, wait) = ("1/1m".parse().unwrap(), Duration::from_secs(100));
    assert_eq!(store.acquire_slot("host", &limit, wait).await.unwrap(), Duration::ZERO);
    assert!(subject.store.acquire_slot("host", &limit, wait).await.unwrap() > Duration::from_secs(50));
}

#[tokio::test]
async fn health_changes_of_a_fallback_below_pass_through() {
    let below = stores::fallback_with_its_second().await;
    let store = ReadOnly::new(below.store);
    assert!(store.health_changes().unwrap().borrow().is_fallback);
    assert!(store.health().await.is_fallback);
}
