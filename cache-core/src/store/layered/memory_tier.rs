//! A first level in memory: what was read from a store a moment ago, for callers in this process.
//!
//! What it serves may be stale for as long as its own time, and no longer than its entry lives. Where the store tells of
//! changes that others make ([`Store::tell`]), it is stale only for as long as such news take. While the store cannot
//! tell them, nothing is served from memory and nothing kept.

pub(crate) mod entries;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use uuid::Uuid;

use crate::clock;
use crate::error::{Backend, Result};
use crate::model::entry::{Entry, EntryId};
use crate::model::event::Source;
use crate::model::filter::Filter;
use crate::model::inspection::{Health, Info, Inspected};
use crate::model::key::CacheKey;
use crate::model::rate_limit::Limit;
use crate::model::stats::Batch;
use crate::model::stored::{Claim, Found, Removed, StoredBody, StoredResult};
use crate::model::window::Counted;
use crate::store::inspect::Inspect;
use crate::store::invalidation::Changes;
use crate::store::layered::memory_tier::entries::Kept;
use crate::store::page::{Cursor, Page};
use crate::store::redis::events::feed::Events;
use crate::store::traits::{Store, Writer};

/// A store with a first level in memory.
pub struct FirstLevel {
    store: Arc<dyn Inspect>,
    kept: Arc<Kept>,
}

impl FirstLevel {
    /// Keeps in memory for at most `time` what is read from a store.
    pub fn new(store: Arc<dyn Inspect>, time: Duration) -> Self {
        let kept = Arc::new(Kept::new(time));
        kept.are_not_told();
        if !store.tell(Arc::clone(&kept) as _) {
            kept.only_its_time_counts();
        }
        Self { store, kept }
    }
}

/// Forgets what is stored anew as soon as others can see it.
struct ForgettingWriter {
    writer: Box<dyn Writer>,
    kept: Arc<Kept>,
    key: CacheKey,
}

#[async_trait]
impl Writer for ForgettingWriter {
    async fn push(&mut self, chunk: Bytes) -> Result<()> {
        self.writer.push(chunk).await
    }

    async fn commit(self: Box<Self>) -> Result<EntryId> {
        let _forget = Forget(|| self.kept.forget_key(&self.key));
        self.writer.commit().await
    }
}

/// Forgets when a change has ended, however it did: nobody can tell what became of one that was given up.
struct Forget<F: Fn()>(F);

impl<F: Fn()> Drop for Forget<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

#[async_trait]
impl Store for FirstLevel {
    fn backend(&self) -> Backend {
        self.store.backend()
    }

    async fn health(&self) -> Health {
        self.store.health().await
    }

    async fn lookup(&self, key: &CacheKey, refresh: Option<Duration>) -> Result<Vec<Found>> {
        let now = clock::now();
        if let Some(found) = self.kept.found(key, now) {
            return Ok(found.to_vec());
        }
        let since = self.kept.moment();
        let found = self.store.lookup(key, refresh).await?;
        self.kept.keep_found(since, key, &found, now);
        Ok(found)
    }

    async fn begin(&self, entry: Entry, ttl: Option<Duration>) -> Result<Box<dyn Writer>> {
        let key = entry.cache_key.clone();
        let writer = self.store.begin(entry, ttl).await?;
        Ok(Box::new(ForgettingWriter { writer, kept: Arc::clone(&self.kept), key }))
    }

    async fn body(&self, id: &EntryId) -> Result<Option<StoredBody>> {
        self.store.body(id).await
    }

    async fn replace(&self, id: &EntryId, entry: &Entry) -> Result<bool> {
        let _forget = Forget(|| self.kept.forget_key(&entry.cache_key));
        self.store.replace(id, entry).await
    }

    async fn touch(&self, ids: &[EntryId], ttl: Option<Duration>) -> Result<u64> {
        let _forget = Forget(|| self.kept.forget(ids));
        self.store.touch(ids, ttl).await
    }

    async fn remove(&self, ids: &[EntryId]) -> Result<Removed> {
        let _forget = Forget(|| self.kept.forget(ids));
        self.store.remove(ids).await
    }

    async fn result(&self, key: &str) -> Result<Option<StoredResult>> {
        if let Some(kept) = self.kept.result(key, clock::now()) {
            return Ok(Some(kept));
        }
        let since = self.kept.moment();
        let stored = self.store.result(key).await?;
        if let Some(stored) = &stored {
            self.kept.keep_result(since, key, stored);
        }
        Ok(stored)
    }

    async fn put_result(&self, key: &str, value: Bytes, ttl: Duration) -> Result<()> {
        let _forget = Forget(|| self.kept.forget_result(key.as_bytes()));
        self.store.put_result(key, value, ttl).await
    }

    async fn claim(&self, name: &str, holder: Uuid, time: Duration) -> Result<Claim> {
        self.store.claim(name, holder, time).await
    }

    async fn release(&self, name: &str, holder: Uuid, alone: Option<Duration>) -> Result<()> {
        self.store.release(name, holder, alone).await
    }

    async fn reserve(&self, name: &str, limit: &Limit, longest: Duration) -> Result<Duration> {
        self.store.reserve(name, limit, longest).await
    }

    async fn hold_back(&self, name: &str, time: Duration) -> Result<()> {
        self.store.hold_back(name, time).await
    }

    async fn count(&self, batch: &Batch) -> Result<()> {
        self.store.count(batch).await
    }
}

#[async_trait]
impl Inspect for FirstLevel {
    async fn scan(&self, filter: &Filter, from: Option<Cursor>, want: usize) -> Result<Page> {
        self.store.scan(filter, from, want).await
    }

    async fn touch_on(&self, backend: &Backend, ids: &[EntryId], ttl: Option<Duration>) -> Result<u64> {
        let _forget = Forget(|| self.kept.forget(ids));
        self.store.touch_on(backend, ids, ttl).await
    }

    async fn remove_on(&self, backend: &Backend, ids: &[EntryId]) -> Result<Removed> {
        let _forget = Forget(|| self.kept.forget(ids));
        self.store.remove_on(backend, ids).await
    }

    async fn inspect(&self, id: &EntryId) -> Result<Option<Inspected>> {
        self.store.inspect(id).await
    }

    async fn raw_body(&self, id: &EntryId, limit: usize) -> Result<Option<Bytes>> {
        self.store.raw_body(id, limit).await
    }

    async fn info(&self) -> Result<Info> {
        self.store.info().await
    }

    async fn counters(&self, since: f64) -> Result<Counted> {
        self.store.counters(since).await
    }

    async fn watch(&self, source: Source) -> Result<Option<Events>> {
        self.store.watch(source).await
    }

    fn changes(&self) -> Option<tokio::sync::watch::Receiver<Health>> {
        self.store.changes()
    }
}
