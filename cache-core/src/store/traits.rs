//! The traits of a storage, one for each purpose: a caller takes the one that it needs.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use uuid::Uuid;

use crate::error::{BackendId, Result};
use crate::model::entry::{Entry, EntryId};
use crate::model::inspection::Health;
use crate::model::key::CacheKey;
use crate::model::rate_limit::RateLimit;
use crate::model::stats::StatsDelta;
use crate::model::stored::{LeaseState, RemoveStats, StoredBody, StoredResponse, StoredResult};
use crate::model::window::StatsSnapshot;
use crate::store::invalidation::InvalidationListener;

/// Any storage: what it is, and how it is.
#[async_trait]
pub trait Backend: Send + Sync + 'static {
    /// Which storage responds now.
    fn id(&self) -> BackendId;

    /// How the storage is. Cannot fail: a failure is part of the value.
    async fn health(&self) -> Health;
}

/// Stored HTTP responses. A miss is `None` or an empty list, never an error.
#[async_trait]
pub trait ResponseStore: Backend {
    /// The live, complete responses under a key, newest first.
    ///
    /// With `renew`, the TTL of the first one starts again, unless the entry has its own (`hishel_ttl`). A storage that
    /// cannot be written only reads.
    async fn lookup(&self, key: &CacheKey, renew: Option<Duration>) -> Result<Vec<StoredResponse>>;

    /// Starts writing a response. It is visible after [`ResponseWriter::commit`]; a writer that is dropped before leaves
    /// nothing visible.
    async fn insert(&self, entry: Entry, ttl: Option<Duration>) -> Result<Box<dyn ResponseWriter>>;

    /// The body of a live, complete response, as a stream: memory does not grow with the body.
    async fn body(&self, id: &EntryId) -> Result<Option<StoredBody>>;

    /// Replaces head and metadata; body and remaining TTL stay. `false`: the entry no longer exists.
    async fn update_head(&self, id: &EntryId, entry: &Entry) -> Result<bool>;

    /// Sets the TTL of entries, from now on (`None`: no expiry). Returns how many existed.
    async fn expire(&self, ids: &[EntryId], ttl: Option<Duration>) -> Result<u64>;

    /// Removes entries: index member, entry, body, in this order. Missing entries are not an error.
    async fn remove(&self, ids: &[EntryId]) -> Result<RemoveStats>;
}

/// A response that is being stored.
#[async_trait]
pub trait ResponseWriter: Send {
    /// Adds a chunk of the body.
    async fn write(&mut self, chunk: Bytes) -> Result<()>;

    /// Makes the response visible.
    async fn commit(self: Box<Self>) -> Result<EntryId>;
}

/// Values under whole Redis keys: results under `result_cache:`.
///
/// Keys without that prefix hold private data of a program: they are not entries, and are not listed, counted or
/// flushed.
#[async_trait]
pub trait ResultStore: Backend {
    /// The stored value, unless it has expired.
    async fn get(&self, key: &str) -> Result<Option<StoredResult>>;

    /// Stores a value.
    async fn set(&self, key: &str, value: Bytes, ttl: Duration) -> Result<()>;
}

/// Leases among all processes that share the storage. In-process storages always grant them.
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
    /// Adds a delta once: one whose sequence number is known is ignored.
    async fn add_stats(&self, delta: &StatsDelta) -> Result<()>;

    /// The counters of each hour, from the one that `since` (Unix seconds) falls into.
    async fn stats(&self, since: f64) -> Result<StatsSnapshot>;
}

/// Everything that a running cache needs.
pub trait Store: ResponseStore + ResultStore + LeaseStore + RateLimitStore + StatsStore {
    /// Subscribes to the changes that others make; `false`: this storage cannot report them.
    fn subscribe(&self, _listener: Arc<dyn InvalidationListener>) -> bool {
        false
    }
}
