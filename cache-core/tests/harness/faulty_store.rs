//! A store that stops responding on demand, as a server does that restarts or hangs.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use cache_core::{
    Archive, Backend, BackendId, CacheKey, Cursor, Entry, EntryDetails, EntryId, Error, Filter, Generation,
    GenerationStore, Health, Inspect, LeaseState, LeaseStore, Page, RateLimit, RateLimitStore, RemoveStats,
    ResponseStore, ResponseWriter, Result, ResultStore, ServerInfo, StatsDelta, StatsSnapshot, StatsStore, Store,
    StoredBody, StoredResponse, StoredResult,
};
use tokio::sync::Semaphore;
use uuid::Uuid;

/// The store; clones are the same one.
#[derive(Clone)]
pub struct FaultyStore {
    pub inner: Arc<dyn Inspect>,
    state: Arc<State>,
}

struct State {
    is_down: AtomicBool,
    /// Before each response, in milliseconds.
    delay: AtomicU64,
    health_checks: AtomicU32,
    /// A removal waits for a permit, once the number of removals is limited.
    removals: Semaphore,
}

#[allow(dead_code, reason = "each test binary uses some of them")]
impl FaultyStore {
    pub fn new(inner: Arc<dyn Inspect>) -> Self {
        let state = State {
            is_down: AtomicBool::new(false),
            delay: AtomicU64::new(0),
            health_checks: AtomicU32::new(0),
            removals: Semaphore::new(Semaphore::MAX_PERMITS),
        };
        Self { inner, state: Arc::new(state) }
    }

    /// Stops responding, or responds again.
    pub fn set_down(&self, is_down: bool) {
        self.state.is_down.store(is_down, Ordering::SeqCst);
    }

    /// Responds only after this time.
    pub fn set_delay(&self, delay: Duration) {
        self.state.delay.store(delay.as_millis() as u64, Ordering::SeqCst);
    }

    /// Allows this number of further removal batches.
    pub fn allow_removals(&self, batches: usize) {
        self.state.removals.forget_permits(Semaphore::MAX_PERMITS);
        self.state.removals.add_permits(batches);
    }

    pub fn health_checks(&self) -> u32 {
        self.state.health_checks.load(Ordering::SeqCst)
    }

    /// How many clones there are.
    pub fn clones(&self) -> usize {
        Arc::strong_count(&self.state)
    }

    async fn up(&self) -> Result<&dyn Inspect> {
        match self.state.delay.load(Ordering::SeqCst) {
            0 => {}
            delay => tokio::time::sleep(Duration::from_millis(delay)).await,
        }
        if self.state.is_down.load(Ordering::SeqCst) {
            let source = io::Error::new(io::ErrorKind::ConnectionRefused, "switched off").into();
            return Err(Error::Unavailable { backend: self.inner.id(), source });
        }
        Ok(&*self.inner)
    }
}

#[async_trait]
impl GenerationStore for FaultyStore {
    async fn generation(&self, key: &[u8]) -> Result<Generation> {
        self.up().await?.generation(key).await
    }

    async fn raise_generation(&self, key: Option<&[u8]>) -> Result<()> {
        self.up().await?.raise_generation(key).await
    }
}

#[async_trait]
impl ResultStore for FaultyStore {
    async fn get(&self, key: &str) -> Result<Option<StoredResult>> {
        self.up().await?.get(key).await
    }

    async fn set(&self, key: &str, value: Bytes, ttl: Duration) -> Result<()> {
        self.up().await?.set(key, value, ttl).await
    }

    async fn set_if(&self, key: &str, value: Bytes, ttl: Duration, generation: Generation) -> Result<bool> {
        self.up().await?.set_if(key, value, ttl, generation).await
    }
}

#[async_trait]
impl LeaseStore for FaultyStore {
    async fn acquire(&self, name: &str, owner: Uuid, ttl: Duration) -> Result<LeaseState> {
        self.up().await?.acquire(name, owner, ttl).await
    }

    async fn release(&self, name: &str, owner: Uuid, uncacheable_for: Option<Duration>) -> Result<()> {
        self.up().await?.release(name, owner, uncacheable_for).await
    }
}

#[async_trait]
impl RateLimitStore for FaultyStore {
    async fn acquire_slot(&self, name: &str, limit: &RateLimit, max_wait: Duration) -> Result<Duration> {
        self.up().await?.acquire_slot(name, limit, max_wait).await
    }

    async fn block(&self, name: &str, time: Duration) -> Result<()> {
        self.up().await?.block(name, time).await
    }
}

#[async_trait]
impl StatsStore for FaultyStore {
    async fn add_stats(&self, delta: &StatsDelta) -> Result<()> {
        self.up().await?.add_stats(delta).await
    }

    async fn stats(&self, since: f64) -> Result<StatsSnapshot> {
        self.up().await?.stats(since).await
    }
}

impl Store for FaultyStore {}

#[async_trait]
impl Backend for FaultyStore {
    fn id(&self) -> BackendId {
        self.inner.id()
    }

    async fn health(&self) -> Health {
        self.state.health_checks.fetch_add(1, Ordering::SeqCst);
        let problem = self.up().await.err().map(|error| error.to_string());
        Health { backend: self.id(), is_fallback: false, problem, server: None }
    }
}

#[async_trait]
impl ResponseStore for FaultyStore {
    async fn lookup(&self, key: &CacheKey, renew: Option<Duration>) -> Result<Vec<StoredResponse>> {
        self.up().await?.lookup(key, renew).await
    }

    async fn insert(&self, entry: Entry, ttl: Option<Duration>) -> Result<Box<dyn ResponseWriter>> {
        self.up().await?.insert(entry, ttl).await
    }

    async fn body(&self, id: &EntryId) -> Result<Option<StoredBody>> {
        self.up().await?.body(id).await
    }

    async fn update_head(&self, id: &EntryId, entry: &Entry) -> Result<bool> {
        self.up().await?.update_head(id, entry).await
    }

    async fn expire(&self, ids: &[EntryId], ttl: Option<Duration>) -> Result<u64> {
        self.up().await?.expire(ids, ttl).await
    }

    async fn remove(&self, ids: &[EntryId]) -> Result<RemoveStats> {
        self.state.removals.acquire().await.expect("never closed").forget();
        self.up().await?.remove(ids).await
    }
}

impl Archive for FaultyStore {}

#[async_trait]
impl Inspect for FaultyStore {
    async fn scan(&self, filter: &Filter, from: Option<Cursor>, count: usize) -> Result<Page> {
        self.up().await?.scan(filter, from, count).await
    }

    async fn details(&self, id: &EntryId) -> Result<Option<EntryDetails>> {
        self.up().await?.details(id).await
    }

    async fn raw_body(&self, id: &EntryId, limit: usize) -> Result<Option<Bytes>> {
        self.up().await?.raw_body(id, limit).await
    }

    async fn info(&self) -> Result<ServerInfo> {
        self.up().await?.info().await
    }
}
