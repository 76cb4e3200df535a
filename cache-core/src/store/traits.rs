//! The storage interface of the caches, as one trait for each purpose: a caller takes the one that it needs.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use uuid::Uuid;

use crate::error::{BackendId, Result, error_chain};
use crate::model::entry::{Entry, EntryId};
use crate::model::generation::Generation;
use crate::model::inspection::Health;
use crate::model::key::CacheKey;
use crate::model::rate_limit::RateLimit;
use crate::model::stats::StatsDelta;
use crate::model::stored::{LeaseState, RemoveStats, StoredBody, StoredResponse, StoredResult};
use crate::model::window::StatsSnapshot;
use crate::store::invalidation::InvalidationListener;

/// Identity and health of a storage.
#[async_trait]
pub trait Backend: Send + Sync + 'static {
    /// The backend in use.
    fn id(&self) -> BackendId;

    /// Checks the health of the store. Never fails: failures are reported in [`Health`].
    async fn health(&self) -> Health;
}

/// Generations of keys, among all processes that share the storage.
#[async_trait]
pub trait GenerationStore: Backend {
    /// The generation of a cache key or a result key; [`Generation::UNKNOWN`]: the storage has none.
    async fn generation(&self, key: &[u8]) -> Result<Generation>;

    /// Changes the generation of a key (`None`: of all keys): what was requested or computed before is not stored.
    async fn raise_generation(&self, key: Option<&[u8]>) -> Result<()>;
}

/// Storage of responses. Misses are `None` or empty, not errors.
#[async_trait]
pub trait ResponseStore: GenerationStore {
    /// Returns the live responses stored under `key`, newest first.
    ///
    /// With `renew`, renews the TTL of the first one, unless the entry has its own (`hishel_ttl`) or the storage cannot
    /// be written.
    async fn lookup(&self, key: &CacheKey, renew: Option<Duration>) -> Result<Vec<StoredResponse>>;

    /// Starts storing a response. It becomes visible when [`ResponseWriter::commit`] is called, and is discarded if the
    /// writer is dropped.
    async fn insert(&self, entry: Entry, ttl: Option<Duration>) -> Result<Box<dyn ResponseWriter>>;

    /// The body of a live response, as a stream: memory does not grow with the body.
    async fn body(&self, id: &EntryId) -> Result<Option<StoredBody>>;

    /// Replaces head and metadata; body and remaining TTL are unchanged. Returns `false` if the entry does not exist.
    async fn update_head(&self, id: &EntryId, entry: &Entry) -> Result<bool>;

    /// Sets the TTL of entries (`None` removes it). Returns the number of entries found.
    async fn expire(&self, ids: &[EntryId], ttl: Option<Duration>) -> Result<u64>;

    /// Deletes entries: index record, entry, then body. Missing entries are not an error.
    async fn remove(&self, ids: &[EntryId]) -> Result<RemoveStats>;

    /// Deletes the responses under `key`, and lets no response be stored that was requested before.
    async fn invalidate(&self, key: &CacheKey) -> Result<()> {
        // A full server refuses the new generation, but not the removal.
        match self.raise_generation(Some(key.as_bytes())).await {
            Err(error) if error.is_temporary() => return Err(error),
            Err(error) => tracing::warn!(%key, error = error_chain(&error), "a fetch under way may store its response"),
            Ok(()) => {}
        }
        let ids: Vec<EntryId> = self.lookup(key, None).await?.into_iter().map(|found| found.id).collect();
        if !ids.is_empty() {
            self.remove(&ids).await?;
        }
        Ok(())
    }
}

/// A response that is being stored.
#[async_trait]
pub trait ResponseWriter: Send {
    /// Adds a chunk of the body.
    async fn write(&mut self, chunk: Bytes) -> Result<()>;

    /// Sets the generation that the key must still have when the response is committed.
    fn expect_generation(&mut self, generation: Generation);

    /// Makes the response visible. Fails with [`Error::Removed`](crate::Error::Removed) if the key was invalidated.
    async fn commit(self: Box<Self>) -> Result<EntryId>;
}

/// Values under whole Redis keys: results under `result_cache:`.
///
/// Keys without that prefix hold private data of a program: they are not entries, and are not listed, counted or
/// flushed.
#[async_trait]
pub trait ResultStore: Backend {
    /// The stored value, unless it has expired or is longer than [`StoredResult::MAX_BYTES`].
    async fn get(&self, key: &str) -> Result<Option<StoredResult>>;

    /// Stores a value.
    async fn set(&self, key: &str, value: Bytes, ttl: Duration) -> Result<()>;

    /// Stores a value if the key still has this generation; returns whether it was stored.
    async fn set_if(&self, key: &str, value: Bytes, ttl: Duration, generation: Generation) -> Result<bool>;
}

/// Leases among all processes that share the storage. In-memory storages always grant them.
#[async_trait]
pub trait LeaseStore: Backend {
    /// Acquires or extends the lease of `name` for `owner`.
    async fn acquire(&self, name: &str, owner: Uuid, ttl: Duration) -> Result<LeaseState>;

    /// Releases the lease if `owner` still holds it. With `uncacheable_for`, [`Self::acquire`] returns
    /// [`LeaseState::Uncacheable`] for that long: the response could not be stored, so waiting is pointless.
    async fn release(&self, name: &str, owner: Uuid, uncacheable_for: Option<Duration>) -> Result<()>;
}

/// Rate limits among all processes that share the storage: a sliding-window log for each name.
#[async_trait]
pub trait RateLimitStore: Backend {
    /// Takes the next slot and returns the wait until it; takes none where the wait would exceed `max_wait`.
    async fn acquire_slot(&self, name: &str, limit: &RateLimit, max_wait: Duration) -> Result<Duration>;

    /// Allows no slot within this time (`Retry-After`).
    async fn block(&self, name: &str, time: Duration) -> Result<()>;
}

/// Statistics of all processes that share the storage.
#[async_trait]
pub trait StatsStore: Backend {
    /// Adds a delta. A delta with a known sequence number is ignored: retries are idempotent.
    async fn add_stats(&self, delta: &StatsDelta) -> Result<()>;

    /// The counters by hour, from the hour of `since` (Unix seconds) on.
    async fn stats(&self, since: f64) -> Result<StatsSnapshot>;
}

/// Storage interface of the caches. Misses are `None` or empty, not errors.
pub trait Store: ResponseStore + ResultStore + LeaseStore + RateLimitStore + StatsStore {
    /// Subscribes to changes by other clients; `false`: this storage cannot report them.
    fn subscribe(&self, _listener: Arc<dyn InvalidationListener>) -> bool {
        false
    }
}
