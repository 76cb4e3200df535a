//! A store that fails, stalls and recovers, behind its guard.

use std::pin::pin;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};

use async_trait::async_trait;
use futures_util::{StreamExt as _, stream};
use tokio::time::Instant;

use crate::error::{CodecError, RefusalScope};
use crate::model::stats::StatsDelta;
use crate::model::stored::StoredResult;
use crate::runtime::guarded_store::*;
use crate::store::stub::Stub;
use crate::store::traits::Backend as _;

const PATIENCE: Duration = Duration::from_millis(500);

/// How the store behaves.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Mood {
    Well,
    Down,
    Mute,
    /// Refuses to connect: a wrong password.
    Closed,
    /// Out of memory.
    Full,
    /// One entry cannot be read.
    Damaged,
}

struct Moody {
    mood: Mutex<Mood>,
    asked: AtomicU32,
}

impl Moody {
    fn new(mood: Mood) -> Arc<Self> {
        Arc::new(Self { mood: Mutex::new(mood), asked: AtomicU32::new(0) })
    }

    fn becomes(&self, mood: Mood) {
        *self.mood.lock().unwrap() = mood;
    }

    fn asked(&self) -> u32 {
        self.asked.load(Ordering::Relaxed)
    }

    async fn answer<T>(&self, answer: T) -> Result<T> {
        let backend = self.id();
        let refused = |operation| {
            Err(Error::Refused { backend: self.id(), operation, scope: RefusalScope::All, source: "no".into() })
        };
        let mood = *self.mood.lock().unwrap();
        match mood {
            Mood::Well => Ok(answer),
            Mood::Down => Err(Error::Unavailable { backend, source: "down".into() }),
            Mood::Mute => std::future::pending().await,
            Mood::Closed => refused(Error::CONNECTING),
            Mood::Full => refused("SETEX"),
            Mood::Damaged => Err(Error::Corrupt { what: "it".into(), source: CodecError::Trailing }),
        }
    }
}

#[async_trait]
impl Stub for Moody {
    async fn problem(&self) -> Option<String> {
        self.answer(()).await.err().map(|error| error_chain(&error))
    }

    async fn get(&self) -> Result<Option<StoredResult>> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        self.answer(Some(StoredResult { value: "value".into(), expires_at: None })).await
    }

    async fn body(&self) -> Result<Option<StoredBody>> {
        // Two chunks, and then nothing ever.
        let pieces = stream::iter([Ok("one".into()), Ok("two".into())]).chain(stream::pending());
        self.answer(Some(Box::pin(pieces) as StoredBody)).await
    }
}

fn over(store: &Arc<Moody>) -> (GuardedStore, TaskGroup) {
    let tasks = TaskGroup::new();
    (GuardedStore::new(Arc::clone(store) as _, PATIENCE, tasks.clone()), tasks)
}

async fn read(store: &GuardedStore) -> Option<Bytes> {
    store.call("result", |store| async move { store.get("key").await }).await.flatten().map(|stored| stored.value)
}

/// Opens the breaker.
async fn give_up(store: &GuardedStore) {
    while !store.breaker.is_open() {
        assert_eq!(read(store).await, None);
    }
}

#[tokio::test(start_paused = true)]
async fn stalled_store_opens_the_breaker_after_three_timeouts() {
    let moody = Moody::new(Mood::Mute);
    let (store, _tasks) = over(&moody);
    let started = Instant::now();
    give_up(&store).await;
    assert_eq!(started.elapsed(), PATIENCE * 3);
    for _ in 0..100 {
        assert_eq!(read(&store).await, None);
    }
    assert_eq!(started.elapsed(), PATIENCE * 3);
    assert_eq!(moody.asked(), 3);
}

#[tokio::test(start_paused = true)]
async fn recovered_store_is_called_again() {
    for mood in [Mood::Down, Mood::Mute, Mood::Closed] {
        let moody = Moody::new(mood);
        let (store, _tasks) = over(&moody);
        give_up(&store).await;
        // Not before.
        tokio::time::sleep(Duration::from_secs(100)).await;
        assert!(store.breaker.is_open(), "{mood:?}");
        moody.becomes(Mood::Well);
        tokio::time::sleep(Duration::from_secs(20)).await;
        assert_eq!(read(&store).await.unwrap(), "value", "{mood:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn success_resets_the_failures() {
    let moody = Moody::new(Mood::Well);
    let (store, _tasks) = over(&moody);
    for _ in 0..10 {
        moody.becomes(Mood::Down);
        assert_eq!(read(&store).await, None);
        assert_eq!(read(&store).await, None);
        moody.becomes(Mood::Well);
        assert!(read(&store).await.is_some());
    }
}

#[tokio::test(start_paused = true)]
async fn failure_of_one_entry_does_not_open_the_breaker() {
    for mood in [Mood::Full, Mood::Damaged] {
        let moody = Moody::new(mood);
        let (store, _tasks) = over(&moody);
        for _ in 0..10 {
            assert_eq!(read(&store).await, None);
        }
        assert_eq!(moody.asked(), 10, "{mood:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn failure_hook_is_called_for_every_call_that_failed() {
    let moody = Moody::new(Mood::Well);
    let (store, _tasks) = over(&moody);
    let failures = Arc::new(AtomicU32::new(0));
    let message = Arc::clone(&failures);
    let store = store.with_failure_hook(move |_, _, _| {
        message.fetch_add(1, Ordering::Relaxed);
    });
    read(&store).await;
    assert_eq!(failures.load(Ordering::Relaxed), 0);
    moody.becomes(Mood::Down);
    give_up(&store).await;
    read(&store).await;
    assert_eq!(failures.load(Ordering::Relaxed), 3);
}

#[tokio::test(start_paused = true)]
async fn stalled_body_ends_with_an_error() {
    let (store, _tasks) = over(&Moody::new(Mood::Well));
    let mut body = pin!(store.body(&EntryId::key(*b"any")).await.unwrap());
    assert_eq!(body.next().await.unwrap().unwrap(), "one");
    // A slow caller causes no timeout.
    tokio::time::sleep(PATIENCE * 10).await;
    assert_eq!(body.next().await.unwrap().unwrap(), "two");
    let started = Instant::now();
    assert!(matches!(body.next().await, Some(Err(Error::Timeout { .. }))));
    assert_eq!(started.elapsed(), PATIENCE);
    assert!(body.next().await.is_none());
}

#[tokio::test(start_paused = true)]
async fn probe_ends_with_the_cache() {
    let (store, tasks) = over(&Moody::new(Mood::Down));
    give_up(&store).await;
    let runtime = tokio::runtime::Handle::current().metrics();
    assert_eq!(runtime.num_alive_tasks(), 1);
    tasks.end();
    tokio::task::yield_now().await;
    assert_eq!(runtime.num_alive_tasks(), 0);
}

/// A store that serves reads and never ends a write.
struct Unwritable(AtomicU32);

#[async_trait]
impl Stub for Unwritable {
    async fn get(&self) -> Result<Option<StoredResult>> {
        Ok(Some(StoredResult { value: "value".into(), expires_at: None }))
    }

    async fn add_stats(&self, _: &StatsDelta) -> Result<()> {
        self.0.fetch_add(1, Ordering::Relaxed);
        std::future::pending().await
    }
}

#[tokio::test(start_paused = true)]
async fn failed_writes_cost_no_reads_and_little_time() {
    let unwritable = Arc::new(Unwritable(AtomicU32::new(0)));
    let tasks = TaskGroup::new();
    let store = GuardedStore::new(Arc::clone(&unwritable) as _, PATIENCE, tasks.clone());
    let started = Instant::now();
    for _ in 0..12 {
        let delta = StatsDelta::single(Vec::new());
        assert_eq!(store.call("counting", |store| async move { store.add_stats(&delta).await }).await, None);
        assert_eq!(read(&store).await.unwrap(), "value");
    }
    assert_eq!((started.elapsed(), unwritable.0.load(Ordering::Relaxed)), (PATIENCE * 3, 3));
    assert!(store.is_slow_to_write());
}
