//! [`ReadOnly`]: rejects all modifications (`--read-only`). The lowest layer.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use uuid::Uuid;

use crate::error::{Error, Result};
use crate::model::change::{Applied, Change, StoreIdentity, Target};
use crate::model::entry::{Entry, EntryId};
use crate::model::event::EventSource;
use crate::model::filter::Filter;
use crate::model::generation::Generation;
use crate::model::inspection::{EntryDetails, Health, ServerInfo};
use crate::model::key::CacheKey;
use crate::model::record::Record;
use crate::model::stats::StatsDelta;
use crate::model::stored::{LeaseState, RemoveStats, StoredBody, StoredResponse, StoredResult};
use crate::model::window::StatsSnapshot;
use crate::store::archive::{Archive, RecordBody, Restored, StoredRecord};
use crate::store::events::EventFeed;
use crate::store::inspect::Inspect;
use crate::store::page::{Cursor, Page};
use crate::store::traits::{GenerationStore, LeaseStore, ResponseStore, ResponseWriter, ResultStore, StatsStore};

/// Read-only store.
pub struct ReadOnly(Arc<dyn Inspect>);

impl ReadOnly {
    /// Creates a read-only view of a store.
    pub fn new(store: Arc<dyn Inspect>) -> Self {
        Self(store)
    }

    fn refuse<T>(&self) -> Result<T> {
        Err(Error::ReadOnly(self.0.id()))
    }
}

// A rate limit is not a part of the cache: the service counts the requests of all programs.
delegate_to!(ReadOnly, |this| this.0; Backend, RateLimitStore, Store);

#[async_trait]
impl GenerationStore for ReadOnly {
    /// Nothing is stored, so nothing is compared.
    async fn generation(&self, _key: &[u8]) -> Result<Generation> {
        Ok(Generation::UNKNOWN)
    }

    async fn raise_generation(&self, _key: Option<&[u8]>) -> Result<()> {
        self.refuse()
    }
}

#[async_trait]
impl ResponseStore for ReadOnly {
    async fn lookup(&self, key: &CacheKey, _renew: Option<Duration>) -> Result<Vec<StoredResponse>> {
        self.0.lookup(key, None).await
    }

    async fn insert(&self, _entry: Entry, _ttl: Option<Duration>) -> Result<Box<dyn ResponseWriter>> {
        self.refuse()
    }

    async fn body(&self, id: &EntryId) -> Result<Option<StoredBody>> {
        self.0.body(id).await
    }

    async fn update_head(&self, _id: &EntryId, _entry: &Entry) -> Result<bool> {
        self.refuse()
    }

    async fn expire(&self, _ids: &[EntryId], _ttl: Option<Duration>) -> Result<u64> {
        self.refuse()
    }

    async fn remove(&self, _ids: &[EntryId]) -> Result<RemoveStats> {
        self.refuse()
    }

    async fn invalidate(&self, _key: &CacheKey) -> Result<()> {
        self.refuse()
    }
}

#[async_trait]
impl ResultStore for ReadOnly {
    async fn get(&self, key: &str) -> Result<Option<StoredResult>> {
        self.0.get(key).await
    }

    async fn set(&self, _key: &str, _value: Bytes, _ttl: Duration) -> Result<()> {
        self.refuse()
    }

    async fn set_if(&self, _key: &str, _value: Bytes, _ttl: Duration, _generation: Generation) -> Result<bool> {
        self.refuse()
    }
}

#[async_trait]
impl LeaseStore for ReadOnly {
    /// Nothing can be stored for other processes, so waiting is pointless.
    async fn acquire(&self, _name: &str, _owner: Uuid, _ttl: Duration) -> Result<LeaseState> {
        Ok(LeaseState::Uncacheable)
    }

    async fn release(&self, _name: &str, _owner: Uuid, _uncacheable_for: Option<Duration>) -> Result<()> {
        Ok(())
    }
}

#[async_trait]
impl StatsStore for ReadOnly {
    /// Drops the delta: after an error, the cache would retry for ever.
    async fn add_stats(&self, _delta: &StatsDelta) -> Result<()> {
        Ok(())
    }

    async fn stats(&self, since: f64) -> Result<StatsSnapshot> {
        self.0.stats(since).await
    }
}

#[async_trait]
impl Archive for ReadOnly {
    async fn read_stored(&self, id: &EntryId) -> Result<Vec<StoredRecord>> {
        self.0.read_stored(id).await
    }

    async fn restore(&self, _record: &Record, _body: RecordBody<'_>) -> Result<Restored> {
        self.refuse()
    }
}

#[async_trait]
impl Inspect for ReadOnly {
    async fn scan(&self, filter: &Filter, from: Option<Cursor>, count: usize) -> Result<Page> {
        self.0.scan(filter, from, count).await
    }

    async fn details(&self, id: &EntryId) -> Result<Option<EntryDetails>> {
        self.0.details(id).await
    }

    async fn raw_body(&self, id: &EntryId, limit: usize) -> Result<Option<Bytes>> {
        self.0.raw_body(id, limit).await
    }

    async fn info(&self) -> Result<ServerInfo> {
        self.0.info().await
    }

    async fn identity(&self) -> Result<StoreIdentity> {
        self.0.identity().await
    }

    async fn apply(&self, _store: &StoreIdentity, _change: Change, _targets: &[Target]) -> Result<Applied> {
        self.refuse()
    }

    async fn remove_bodies(&self, _store: &StoreIdentity, _ids: &[EntryId]) -> Result<u64> {
        self.refuse()
    }

    async fn watch(&self, source: EventSource) -> Result<Option<Box<dyn EventFeed>>> {
        match source {
            EventSource::Notifications { enables: true } => self.refuse(),
            _ => self.0.watch(source).await,
        }
    }

    fn health_changes(&self) -> Option<tokio::sync::watch::Receiver<Health>> {
        self.0.health_changes()
    }
}
