//! The second store is in use while the first is unreachable, and no longer.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use cache_core::{
    Backend as _, Change, EntryId, Error, ExpiryChange, Fallback, Filter, Health, Inspect, Memory, MemoryTier,
    RemoveStats, ResponseStore as _, ResultStore as _, Target,
};
use futures_util::StreamExt as _;

use crate::faulty_store::FaultyStore;
use crate::samples::{DAY, body_of, entry, list, put};
use crate::stores;

const KEY: &str = "result_cache:p:1";

/// A memory store that can stop responding, with a SQLite file as its fallback.
async fn pair() -> (FaultyStore, stores::Subject, Arc<Fallback>) {
    let first = FaultyStore::new(Arc::new(Memory::new(crate::services::services())));
    let second = stores::sqlite1().await;
    first.inner.set(KEY, "of the first".into(), DAY).await.unwrap();
    second.store.set(KEY, "of the second".into(), DAY).await.unwrap();
    let both = Arc::new(Fallback::new(Arc::new(first.clone()), Arc::clone(&second.store), true));
    (first, second, both)
}

async fn result(store: &dyn Inspect) -> Bytes {
    store.get(KEY).await.unwrap().unwrap().value
}

#[tokio::test(start_paused = true)]
async fn the_second_responds_until_the_first_is_back() {
    let (first, second, both) = pair().await;
    let mut changes = both.health_changes().unwrap();
    assert_eq!(result(&*both).await, "of the first");
    assert_eq!(both.id(), first.id());
    assert_eq!(both.health().await, Health { backend: first.id(), is_fallback: false, problem: None, server: None });

    first.set_down(true);
    assert_eq!(result(&*both).await, "of the second");
    assert_eq!(both.id(), second.store.id());
    let health = both.health().await;
    assert!(health.is_fallback && health.backend == second.store.id());
    assert!(health.problem.as_ref().is_some_and(|why| why.contains("switched off")), "{health:?}");
    assert!(changes.has_changed().unwrap());
    assert_eq!(*changes.borrow_and_update(), health);

    both.set("result_cache:p:2", "new".into(), DAY).await.unwrap();
    first.set_down(false);
    changes.wait_for(|health| !health.is_fallback).await.unwrap();
    assert_eq!(result(&*both).await, "of the first");
    // Entries stored meanwhile are not copied.
    assert_eq!(both.get("result_cache:p:2").await.unwrap(), None);
    assert_eq!(second.store.get("result_cache:p:2").await.unwrap().unwrap().value, "new");
}

const TIMEOUT: Duration = Duration::from_millis(300);

/// Two memory stores, the first of which can be slow; as a cache uses them. The paused clock advances when all tasks
/// wait for time.
async fn with_timeout() -> (FaultyStore, Arc<Fallback>) {
    let first = FaultyStore::new(Arc::new(Memory::new(crate::services::services())));
    let second: Arc<dyn Inspect> = Arc::new(Memory::new(crate::services::services()));
    first.inner.set(KEY, "of the first".into(), DAY).await.unwrap();
    second.set(KEY, "of the second".into(), DAY).await.unwrap();
    let both = Fallback::with_timeout(Arc::new(first.clone()), second, true, Some(TIMEOUT));
    (first, Arc::new(both))
}

#[tokio::test(start_paused = true)]
async fn a_slow_call_is_a_miss_and_not_an_outage() {
    let (first, both) = with_timeout().await;
    for _ in 0..6 {
        first.set_delay(Duration::from_millis(450));
        for outcome in futures_util::future::join_all((0..50).map(|_| both.get(KEY))).await {
            assert!(matches!(outcome, Err(Error::Timeout { .. })), "{outcome:?}");
        }
        assert!(!both.health().await.is_fallback);
        first.set_delay(Duration::ZERO);
        assert_eq!(result(&*both).await, "of the first");
        tokio::time::sleep(Duration::from_millis(800)).await;
    }
    assert_eq!(both.id(), first.id());
}

#[tokio::test]
async fn a_store_that_stays_silent_is_left_until_it_is_well() {
    let (first, both) = with_timeout().await;
    let mut changes = both.health_changes().unwrap();
    first.set_delay(Duration::from_secs(60));
    let begun = Instant::now();
    // A cache that has given up asks for the health only.
    while !both.health().await.is_fallback {
        assert!(begun.elapsed() < Duration::from_secs(30), "it is never left");
    }
    assert!(begun.elapsed() >= Duration::from_secs(2), "{:?}", begun.elapsed());
    assert_eq!(result(&*both).await, "of the second");

    first.set_delay(Duration::ZERO);
    let is_well = Instant::now();
    changes.wait_for(|health| !health.is_fallback).await.unwrap();
    assert!(is_well.elapsed() >= Duration::from_secs(2), "{:?}", is_well.elapsed());
    assert_eq!(result(&*both).await, "of the first");
}

#[tokio::test(start_paused = true)]
async fn what_the_second_answers_is_not_kept_in_memory() {
    let (first, both) = with_timeout().await;
    let mut changes = both.health_changes().unwrap();
    let tier = MemoryTier::new(Arc::clone(&both) as _, DAY);
    assert_eq!(result(&tier).await, "of the first");
    first.set_down(true);
    // The first answer is still in memory, until the store is asked for something else.
    assert_eq!(both.get("result_cache:p:2").await.unwrap(), None);
    assert_eq!(result(&tier).await, "of the second");
    first.set_down(false);
    changes.wait_for(|health| !health.is_fallback).await.unwrap();
    assert_eq!(result(&tier).await, "of the first");
}

#[tokio::test(start_paused = true)]
async fn pauses_between_pings_grow_and_end_with_the_store() {
    // In memory only: the paused clock advances when all tasks wait for time.
    let first = FaultyStore::new(Arc::new(Memory::new(crate::services::services())));
    let both = Fallback::new(Arc::new(first.clone()), Arc::new(Memory::new(crate::services::services())), true);
    first.set_down(true);
    assert_eq!(both.get(KEY).await.unwrap(), None);
    tokio::time::sleep(Duration::from_secs(1)).await;
    let in_a_second = first.health_checks();
    assert!((1..=4).contains(&in_a_second), "{in_a_second}");
    tokio::time::sleep(Duration::from_secs(60)).await;
    let in_a_minute = first.health_checks();
    assert!((8..=14).contains(&in_a_minute), "{in_a_minute}");

    drop(both);
    tokio::task::yield_now().await;
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(first.health_checks(), in_a_minute);
    assert_eq!(first.clones(), 1);
}

#[tokio::test]
async fn a_change_of_the_first_is_never_made_on_the_second() {
    let (first, second, both) = pair().await;
    first.set_down(true);
    let id = [EntryId::key(KEY.as_bytes())];
    let removed = both.remove(&id).await;
    assert!(removed.as_ref().is_err_and(Error::is_temporary), "{removed:?}");
    assert!(both.health().await.is_fallback);
    assert_eq!(result(&*second.store).await, "of the second");
    // From now on the caller sees the store in use.
    assert_eq!(both.id(), second.store.id());
    assert_eq!(both.remove(&id).await.unwrap().entries, 1);

    let (first, second, both) = pair().await;
    first.set_down(true);
    assert!(both.expire(&id, None).await.is_err_and(|error| error.is_temporary()));
    assert!(second.store.details(&id[0]).await.unwrap().unwrap().summary.expires_at.is_some());
}

#[tokio::test]
async fn a_plan_for_the_first_is_refused_by_the_second() {
    let (first, second, both) = pair().await;
    let (planned, id) = (both.identity().await.unwrap(), [EntryId::key(KEY.as_bytes())]);
    first.set_down(true);
    // Another caller detects the failure.
    assert_eq!(result(&*both).await, "of the second");
    let targets = [Target::any(id[0].clone())];
    let persist = Change::Expire(ExpiryChange::Persist);
    for change in [Change::Remove, persist] {
        let outcome = both.apply(&planned, change, &targets).await;
        assert!(matches!(&outcome, Err(Error::BackendChanged { now }) if *now == second.store.id()), "{outcome:?}");
    }
    assert!(second.store.details(&id[0]).await.unwrap().unwrap().summary.expires_at.is_some());
    let planned = second.store.id().into();
    assert_eq!(both.apply(&planned, persist, &targets).await.unwrap().entries, 1);
    assert_eq!(both.apply(&planned, Change::Remove, &targets).await.unwrap().entries, 1);
    assert_eq!(result(&*first.inner).await, "of the first");
}

#[tokio::test]
async fn an_operation_ends_on_the_store_it_began_on() {
    let (first, second, both) = pair().await;
    let both: Arc<dyn Inspect> = both;
    let (read, written) = (entry("https://api.jikan.moe/", 0.0), entry("https://kitsu.io/", 0.0));
    let whole_body = "0123456789".repeat(100_000);
    let id = put(&both, &read, &whole_body, DAY).await;
    let mut body = both.body(&id).await.unwrap().unwrap();
    let mut writer = both.insert(written.clone(), Some(DAY)).await.unwrap();
    writer.write("half ".into()).await.unwrap();
    let mut seen = body.next().await.unwrap().unwrap().to_vec();

    first.set_down(true);
    assert_eq!(result(&*both).await, "of the second");
    while let Some(piece) = body.next().await {
        seen.extend_from_slice(&piece.unwrap());
    }
    assert!(seen == whole_body.as_bytes());
    writer.write("and half".into()).await.unwrap();
    let id = writer.commit().await.unwrap();
    assert!(second.store.lookup(&written.cache_key, None).await.unwrap().is_empty());
    // Its key is in the first store only, and must not be found in the second by chance.
    assert!(both.body(&id).await.unwrap().is_none());
    assert_eq!(both.remove(std::slice::from_ref(&id)).await.unwrap(), RemoveStats::default());
    assert_eq!(body_of(&*first.inner, &id).await.unwrap(), "half and half");
}

#[tokio::test]
async fn a_cursor_of_the_first_expires_in_the_second() {
    let (first, _second, both) = pair().await;
    let both: Arc<dyn Inspect> = both;
    put(&both, &entry("https://api.jikan.moe/", 0.0), "{}", DAY).await;
    let from = both.scan(&Filter::default(), None, 1).await.unwrap().next;
    assert!(from.is_some());
    first.set_down(true);
    let outcome = both.scan(&Filter::default(), from, 1).await;
    assert!(matches!(outcome, Err(Error::CursorExpired)), "{outcome:?}");
    assert_eq!(list(&both, &Filter::default(), 10).await.len(), 1);
}

#[tokio::test]
async fn a_refusal_does_not_switch_to_the_second() {
    let first = stores::sqlite1().await;
    let readonly: Arc<dyn Inspect> = Arc::new(cache_core::ReadOnly::new(Arc::clone(&first.store)));
    let second: Arc<dyn Inspect> = Arc::new(Memory::new(crate::services::services()));
    let both = Fallback::new(readonly, Arc::clone(&second), true);
    let refused = both.set(KEY, "1".into(), DAY).await;
    assert!(matches!(refused, Err(Error::ReadOnly(_))), "{refused:?}");
    assert!(!both.health().await.is_fallback);
    assert_eq!(second.get(KEY).await.unwrap(), None);
}

#[tokio::test]
async fn an_invalidation_reaches_both_stores() {
    let (first, second, both) = pair().await;
    let (old, inner) = (entry("https://api.jikan.moe/v4/anime/1", 0.0), Arc::clone(&first.inner));
    put(&inner, &old, "of the first", DAY).await;
    put(&second.store, &old, "of the second", DAY).await;
    first.set_down(true);
    both.invalidate(&old.cache_key).await.unwrap_err();
    assert!(second.store.lookup(&old.cache_key, None).await.unwrap().is_empty());
    first.set_down(false);
    both.invalidate(&old.cache_key).await.unwrap();
    assert!(inner.lookup(&old.cache_key, None).await.unwrap().is_empty());
}
