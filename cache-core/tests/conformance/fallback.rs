//! The second store answers while the first cannot be reached, and no longer.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use cache_core::counters::{Batch, Counted};
use cache_core::{
    Backend, CacheKey, Claim, Cursor, Entry, EntryId, Error, Fallback, Filter, Found, Health, Info, Inspect, Inspected,
    Memory, Page, Removed, Result, Store, StoredBody, StoredResult, Writer,
};
use futures_util::StreamExt as _;
use uuid::Uuid;

use crate::samples::{DAY, body_of, entry, list, put};
use crate::stores;

/// A store that stops answering when it is told to.
pub struct Switch {
    inner: Arc<dyn Inspect>,
    fails: AtomicBool,
    pub pings: AtomicU32,
}

impl Switch {
    pub fn new(inner: Arc<dyn Inspect>) -> Arc<Self> {
        Arc::new(Self { inner, fails: AtomicBool::new(false), pings: AtomicU32::new(0) })
    }

    pub fn fail(&self) {
        self.fails.store(true, Ordering::SeqCst);
    }

    pub fn recover(&self) {
        self.fails.store(false, Ordering::SeqCst);
    }

    fn up(&self) -> Result<&dyn Inspect> {
        if self.fails.load(Ordering::SeqCst) {
            Err(Error::Unavailable { backend: self.inner.backend(), source: "switched off".into() })
        } else {
            Ok(&*self.inner)
        }
    }
}

#[async_trait]
impl Store for Switch {
    fn backend(&self) -> Backend {
        self.inner.backend()
    }
    async fn health(&self) -> Health {
        self.pings.fetch_add(1, Ordering::SeqCst);
        let problem = self.up().err().map(|error| error.to_string());
        Health { backend: self.backend(), is_fallback: false, problem }
    }
    async fn lookup(&self, key: &CacheKey, refresh: Option<Duration>) -> Result<Vec<Found>> {
        self.up()?.lookup(key, refresh).await
    }
    async fn begin(&self, entry: Entry, ttl: Option<Duration>) -> Result<Box<dyn Writer>> {
        self.up()?.begin(entry, ttl).await
    }
    async fn body(&self, id: &EntryId) -> Result<Option<StoredBody>> {
        self.up()?.body(id).await
    }
    async fn replace(&self, id: &EntryId, entry: &Entry) -> Result<bool> {
        self.up()?.replace(id, entry).await
    }
    async fn touch(&self, ids: &[EntryId], ttl: Option<Duration>) -> Result<u64> {
        self.up()?.touch(ids, ttl).await
    }
    async fn remove(&self, ids: &[EntryId]) -> Result<Removed> {
        self.up()?.remove(ids).await
    }
    async fn result(&self, key: &str) -> Result<Option<StoredResult>> {
        self.up()?.result(key).await
    }
    async fn put_result(&self, key: &str, value: Bytes, ttl: Duration) -> Result<()> {
        self.up()?.put_result(key, value, ttl).await
    }
    async fn claim(&self, name: &str, holder: Uuid, time: Duration) -> Result<Claim> {
        self.up()?.claim(name, holder, time).await
    }
    async fn release(&self, name: &str, holder: Uuid, alone: Option<Duration>) -> Result<()> {
        self.up()?.release(name, holder, alone).await
    }
    async fn count(&self, batch: &Batch) -> Result<()> {
        self.up()?.count(batch).await
    }
}

#[async_trait]
impl Inspect for Switch {
    async fn scan(&self, filter: &Filter, from: Option<Cursor>, want: usize) -> Result<Page> {
        self.up()?.scan(filter, from, want).await
    }
    async fn inspect(&self, id: &EntryId) -> Result<Option<Inspected>> {
        self.up()?.inspect(id).await
    }
    async fn raw_body(&self, id: &EntryId, limit: usize) -> Result<Option<Bytes>> {
        self.up()?.raw_body(id, limit).await
    }
    async fn info(&self) -> Result<Info> {
        self.up()?.info().await
    }
    async fn counters(&self, since: f64) -> Result<Counted> {
        self.up()?.counters(since).await
    }
}

const KEY: &str = "result_cache:p:1";

/// A memory store behind a switch, with a SQLite file to stand in for it.
async fn pair() -> (Arc<Switch>, stores::Subject, Arc<Fallback>) {
    let first = Switch::new(Arc::new(Memory::default()));
    let second = stores::sqlite1().await;
    first.inner.put_result(KEY, "of the first".into(), DAY).await.unwrap();
    second.store.put_result(KEY, "of the second".into(), DAY).await.unwrap();
    let both = Arc::new(Fallback::new(first.clone(), Arc::clone(&second.store), true));
    (first, second, both)
}

async fn result(store: &dyn Inspect) -> Bytes {
    store.result(KEY).await.unwrap().unwrap().value
}

#[tokio::test(start_paused = true)]
async fn the_second_answers_until_the_first_is_back() {
    let (first, second, both) = pair().await;
    let mut changes = both.changes().unwrap();
    assert_eq!(result(&*both).await, "of the first");
    assert_eq!(both.backend(), first.backend());
    assert_eq!(both.health().await, Health { backend: first.backend(), is_fallback: false, problem: None });

    first.fail();
    assert_eq!(result(&*both).await, "of the second");
    assert_eq!(both.backend(), second.store.backend());
    let health = both.health().await;
    assert!(health.is_fallback && health.backend == second.store.backend());
    assert!(health.problem.as_ref().is_some_and(|why| why.contains("switched off")), "{health:?}");
    assert!(changes.has_changed().unwrap());
    assert_eq!(*changes.borrow_and_update(), health);

    both.put_result("result_cache:p:2", "new".into(), DAY).await.unwrap();
    first.recover();
    changes.wait_for(|health| !health.is_fallback).await.unwrap();
    assert_eq!(result(&*both).await, "of the first");
    // What was stored meanwhile is not copied.
    assert_eq!(both.result("result_cache:p:2").await.unwrap(), None);
    assert_eq!(second.store.result("result_cache:p:2").await.unwrap().unwrap().value, "new");
}

#[tokio::test(start_paused = true)]
async fn pauses_between_pings_grow_and_end_with_the_store() {
    // In memory alone: where nothing but time is waited for, the paused clock leaps.
    let first = Switch::new(Arc::new(Memory::default()));
    let both = Fallback::new(first.clone(), Arc::new(Memory::default()), true);
    first.fail();
    assert_eq!(both.result(KEY).await.unwrap(), None);
    tokio::time::sleep(Duration::from_secs(1)).await;
    let in_a_second = first.pings.load(Ordering::SeqCst);
    assert!((1..=4).contains(&in_a_second), "{in_a_second}");
    tokio::time::sleep(Duration::from_secs(60)).await;
    let in_a_minute = first.pings.load(Ordering::SeqCst);
    assert!((8..=14).contains(&in_a_minute), "{in_a_minute}");

    drop(both);
    tokio::task::yield_now().await;
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(first.pings.load(Ordering::SeqCst), in_a_minute);
    assert_eq!(Arc::strong_count(&first), 1);
}

#[tokio::test]
async fn a_change_planned_on_the_first_is_never_made_to_the_second() {
    let (first, second, both) = pair().await;
    first.fail();
    let id = [EntryId::key(KEY.as_bytes())];
    let removed = both.remove(&id).await;
    assert!(removed.as_ref().is_err_and(Error::is_temporary), "{removed:?}");
    assert!(both.health().await.is_fallback);
    assert_eq!(result(&*second.store).await, "of the second");
    // From now on the caller can see where it would go.
    assert_eq!(both.backend(), second.store.backend());
    assert_eq!(both.remove(&id).await.unwrap().entries, 1);

    let (first, second, both) = pair().await;
    first.fail();
    assert!(both.touch(&id, None).await.is_err_and(|error| error.is_temporary()));
    assert!(second.store.inspect(&id[0]).await.unwrap().unwrap().summary.expires_at.is_some());
}

#[tokio::test]
async fn what_was_planned_on_the_first_is_refused_once_the_second_answers() {
    let (first, second, both) = pair().await;
    let (planned_on, id) = (both.backend(), [EntryId::key(KEY.as_bytes())]);
    first.fail();
    // Somebody else finds out.
    assert_eq!(result(&*both).await, "of the second");
    for outcome in [
        both.remove_on(&planned_on, &id).await.map(|removed| removed.entries),
        both.touch_on(&planned_on, &id, None).await,
    ] {
        assert!(
            matches!(&outcome, Err(Error::BackendChanged { now }) if *now == second.store.backend()),
            "{outcome:?}"
        );
    }
    assert!(second.store.inspect(&id[0]).await.unwrap().unwrap().summary.expires_at.is_some());
    assert_eq!(both.touch_on(&second.store.backend(), &id, None).await.unwrap(), 1);
    assert_eq!(both.remove_on(&second.store.backend(), &id).await.unwrap().entries, 1);
    assert_eq!(result(&*first.inner).await, "of the first");
}

#[tokio::test]
async fn what_began_on_one_store_ends_there() {
    let (first, second, both) = pair().await;
    let both: Arc<dyn Inspect> = both;
    let (read, written) = (entry("https://api.jikan.moe/", 0.0), entry("https://kitsu.io/", 0.0));
    let whole_body = "0123456789".repeat(100_000);
    let id = put(&both, &read, &whole_body, DAY).await;
    let mut body = both.body(&id).await.unwrap().unwrap();
    let mut writer = both.begin(written.clone(), Some(DAY)).await.unwrap();
    writer.push("half ".into()).await.unwrap();
    let mut seen = body.next().await.unwrap().unwrap().to_vec();

    first.fail();
    assert_eq!(result(&*both).await, "of the second");
    while let Some(piece) = body.next().await {
        seen.extend_from_slice(&piece.unwrap());
    }
    assert!(seen == whole_body.as_bytes());
    writer.push("and half".into()).await.unwrap();
    let id = writer.commit().await.unwrap();
    assert!(second.store.lookup(&written.cache_key, None).await.unwrap().is_empty());
    // Named by the first, it is not there for the second, not even by chance.
    assert!(both.body(&id).await.unwrap().is_none());
    assert_eq!(both.remove(std::slice::from_ref(&id)).await.unwrap(), Removed::default());
    assert_eq!(body_of(&*first.inner, &id).await.unwrap(), "half and half");
}

#[tokio::test]
async fn a_list_of_the_first_does_not_go_on_in_the_second() {
    let (first, _second, both) = pair().await;
    let both: Arc<dyn Inspect> = both;
    put(&both, &entry("https://api.jikan.moe/", 0.0), "{}", DAY).await;
    let from = both.scan(&Filter::default(), None, 1).await.unwrap().next;
    assert!(from.is_some());
    first.fail();
    let outcome = both.scan(&Filter::default(), from, 1).await;
    assert!(matches!(outcome, Err(Error::CursorExpired)), "{outcome:?}");
    assert_eq!(list(&both, &Filter::default(), 10).await.len(), 1);
}

#[tokio::test]
async fn an_answer_that_is_an_error_is_no_reason_to_change() {
    let first = stores::sqlite1().await;
    let readonly: Arc<dyn Inspect> = Arc::new(cache_core::ReadOnly::new(Arc::clone(&first.store)));
    let second: Arc<dyn Inspect> = Arc::new(Memory::default());
    let both = Fallback::new(readonly, Arc::clone(&second), true);
    let refused = both.put_result(KEY, "1".into(), DAY).await;
    assert!(matches!(refused, Err(Error::ReadOnly(_))), "{refused:?}");
    assert!(!both.health().await.is_fallback);
    assert_eq!(second.result(KEY).await.unwrap(), None);
}
