//! [`MemoryTier`]: an in-memory cache in front of a store.
//!
//! Served entries may be stale for at most the TTL of the tier, and never outlive their TTL in the store. If the store
//! reports changes by other clients ([`Store::subscribe`]), they are stale only until the report arrives. While a store
//! that supports it is disconnected, the tier is off.
//!
//! [`Store::subscribe`]: crate::store::traits::Store::subscribe

pub(crate) mod changes;
pub(crate) mod entries;
pub(crate) mod names;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

use crate::clock;
use crate::error::Result;
use crate::model::change::{Applied, Change, StoreIdentity, Target};
use crate::model::entry::{Entry, EntryId};
use crate::model::event::EventSource;
use crate::model::filter::Filter;
use crate::model::generation::Generation;
use crate::model::inspection::{EntryDetails, Health, ServerInfo};
use crate::model::key::CacheKey;
use crate::model::record::Record;
use crate::model::stored::{RemoveStats, StoredBody, StoredResponse, StoredResult};
use crate::store::archive::{Archive, RecordBody, Restored, StoredRecord};
use crate::store::events::EventFeed;
use crate::store::inspect::Inspect;
use crate::store::invalidation::InvalidationListener;
use crate::store::layered::memory_tier::entries::TierEntries;
use crate::store::page::{Cursor, Page};
use crate::store::traits::{ResponseStore, ResponseWriter, ResultStore, Store};

/// Store with an in-memory cache.
pub struct MemoryTier {
    store: Arc<dyn Inspect>,
    entries: Arc<TierEntries>,
}

impl MemoryTier {
    /// Creates a tier that serves what it read from `store` for at most `ttl`.
    pub fn new(store: Arc<dyn Inspect>, ttl: Duration) -> Self {
        let entries = Arc::new(TierEntries::new(ttl));
        entries.on_disconnected();
        if !store.subscribe(Arc::clone(&entries) as _) {
            entries.on_unsupported();
        }
        Self { store, entries }
    }
}

delegate_to!(MemoryTier, |this| this.store; Backend, GenerationStore, LeaseStore, RateLimitStore, StatsStore);

impl Store for MemoryTier {}

/// Invalidates the key of a response as soon as other clients can see the response.
struct InvalidatingWriter {
    writer: Box<dyn ResponseWriter>,
    entries: Arc<TierEntries>,
    key: CacheKey,
}

#[async_trait]
impl ResponseWriter for InvalidatingWriter {
    async fn write(&mut self, chunk: Bytes) -> Result<()> {
        self.writer.write(chunk).await
    }

    fn expect_generation(&mut self, generation: Generation) {
        self.writer.expect_generation(generation);
    }

    async fn commit(self: Box<Self>) -> Result<EntryId> {
        let _invalidate = OnDrop(|| self.entries.remove_key(&self.key));
        self.writer.commit().await
    }
}

/// Invalidates when a change has ended in any way: a canceled change may have happened.
struct OnDrop<F: Fn()>(F);

impl<F: Fn()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

#[async_trait]
impl ResponseStore for MemoryTier {
    async fn lookup(&self, key: &CacheKey, renew: Option<Duration>) -> Result<Vec<StoredResponse>> {
        let now = clock::now();
        if let Some(found) = self.entries.responses(key, now) {
            return Ok(found.to_vec());
        }
        let since = self.entries.version();
        let found = self.store.lookup(key, self.entries.renewal(key, renew, now)).await?;
        self.entries.keep_responses(since, key, &found, now);
        Ok(found)
    }

    async fn insert(&self, entry: Entry, ttl: Option<Duration>) -> Result<Box<dyn ResponseWriter>> {
        let key = entry.cache_key.clone();
        let writer = self.store.insert(entry, ttl).await?;
        Ok(Box::new(InvalidatingWriter { writer, entries: Arc::clone(&self.entries), key }))
    }

    async fn body(&self, id: &EntryId) -> Result<Option<StoredBody>> {
        self.store.body(id).await
    }

    async fn update_head(&self, id: &EntryId, entry: &Entry) -> Result<bool> {
        let _invalidate = OnDrop(|| self.entries.remove_key(&entry.cache_key));
        self.store.update_head(id, entry).await
    }

    async fn expire(&self, ids: &[EntryId], ttl: Option<Duration>) -> Result<u64> {
        let _invalidate = OnDrop(|| self.entries.remove(ids));
        self.store.expire(ids, ttl).await
    }

    async fn remove(&self, ids: &[EntryId]) -> Result<RemoveStats> {
        let _invalidate = OnDrop(|| self.entries.remove(ids));
        self.store.remove(ids).await
    }

    async fn invalidate(&self, key: &CacheKey) -> Result<()> {
        let _invalidate = OnDrop(|| self.entries.remove_key(key));
        self.store.invalidate(key).await
    }
}

#[async_trait]
impl ResultStore for MemoryTier {
    async fn get(&self, key: &str) -> Result<Option<StoredResult>> {
        if let Some(result) = self.entries.result(key, clock::now()) {
            return Ok(Some(result));
        }
        let since = self.entries.version();
        let stored = self.store.get(key).await?;
        if let Some(stored) = &stored {
            self.entries.insert_result(since, key, stored);
        }
        Ok(stored)
    }

    async fn set(&self, key: &str, value: Bytes, ttl: Duration) -> Result<()> {
        let _invalidate = OnDrop(|| self.entries.remove_result(key.as_bytes()));
        self.store.set(key, value, ttl).await
    }

    async fn set_if(&self, key: &str, value: Bytes, ttl: Duration, generation: Generation) -> Result<bool> {
        let _invalidate = OnDrop(|| self.entries.remove_result(key.as_bytes()));
        self.store.set_if(key, value, ttl, generation).await
    }
}

#[async_trait]
impl Archive for MemoryTier {
    async fn read_stored(&self, id: &EntryId) -> Result<Vec<StoredRecord>> {
        self.store.read_stored(id).await
    }

    async fn restore(&self, record: &Record, body: RecordBody<'_>) -> Result<Restored> {
        self.store.restore(record, body).await
    }
}

#[async_trait]
impl Inspect for MemoryTier {
    async fn scan(&self, filter: &Filter, from: Option<Cursor>, count: usize) -> Result<Page> {
        self.store.scan(filter, from, count).await
    }

    async fn details(&self, id: &EntryId) -> Result<Option<EntryDetails>> {
        self.store.details(id).await
    }

    async fn raw_body(&self, id: &EntryId, limit: usize) -> Result<Option<Bytes>> {
        self.store.raw_body(id, limit).await
    }

    async fn info(&self) -> Result<ServerInfo> {
        self.store.info().await
    }

    async fn identity(&self) -> Result<StoreIdentity> {
        self.store.identity().await
    }

    async fn apply(&self, store: &StoreIdentity, change: Change, targets: &[Target]) -> Result<Applied> {
        let ids: Vec<_> = targets.iter().map(|target| target.id.clone()).collect();
        let _invalidate = OnDrop(|| self.entries.remove(&ids));
        self.store.apply(store, change, targets).await
    }

    async fn remove_bodies(&self, store: &StoreIdentity, ids: &[EntryId]) -> Result<u64> {
        self.store.remove_bodies(store, ids).await
    }

    async fn watch(&self, source: EventSource) -> Result<Option<Box<dyn EventFeed>>> {
        self.store.watch(source).await
    }

    fn health_changes(&self) -> Option<tokio::sync::watch::Receiver<Health>> {
        self.store.health_changes()
    }
}
