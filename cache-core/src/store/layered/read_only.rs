//! A store that refuses every change: `--read-only`, under everything else.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use uuid::Uuid;

use crate::error::{Backend, Error, Result};
use crate::model::entry::{Entry, EntryId};
use crate::model::event::Source;
use crate::model::filter::Filter;
use crate::model::inspection::{Health, Info, Inspected};
use crate::model::key::CacheKey;
use crate::model::stats::Batch;
use crate::model::stored::{Claim, Found, Removed, StoredBody, StoredResult};
use crate::model::window::Counted;
use crate::store::inspect::Inspect;
use crate::store::invalidation::Changes;
use crate::store::page::{Cursor, Page};
use crate::store::redis::events::feed::Events;
use crate::store::traits::{Store, Writer};

/// Passes reads on and refuses changes.
pub struct ReadOnly(Arc<dyn Inspect>);

impl ReadOnly {
    /// Refuses every change to this store.
    pub fn new(store: Arc<dyn Inspect>) -> Self {
        Self(store)
    }

    fn refuse<T>(&self) -> Result<T> {
        Err(Error::ReadOnly(self.0.backend()))
    }
}

#[async_trait]
impl Store for ReadOnly {
    fn backend(&self) -> Backend {
        self.0.backend()
    }
    async fn health(&self) -> Health {
        self.0.health().await
    }
    async fn lookup(&self, key: &CacheKey, _refresh: Option<Duration>) -> Result<Vec<Found>> {
        self.0.lookup(key, None).await
    }
    async fn begin(&self, _entry: Entry, _ttl: Option<Duration>) -> Result<Box<dyn Writer>> {
        self.refuse()
    }
    async fn body(&self, id: &EntryId) -> Result<Option<StoredBody>> {
        self.0.body(id).await
    }
    async fn replace(&self, _id: &EntryId, _entry: &Entry) -> Result<bool> {
        self.refuse()
    }
    async fn touch(&self, _ids: &[EntryId], _ttl: Option<Duration>) -> Result<u64> {
        self.refuse()
    }
    async fn remove(&self, _ids: &[EntryId]) -> Result<Removed> {
        self.refuse()
    }
    async fn result(&self, key: &str) -> Result<Option<StoredResult>> {
        self.0.result(key).await
    }
    async fn put_result(&self, _key: &str, _value: Bytes, _ttl: Duration) -> Result<()> {
        self.refuse()
    }
    /// Nothing can be stored for others to find, so nobody need wait for it.
    async fn claim(&self, _name: &str, _holder: Uuid, _time: Duration) -> Result<Claim> {
        Ok(Claim::Alone)
    }
    async fn release(&self, _name: &str, _holder: Uuid, _alone: Option<Duration>) -> Result<()> {
        Ok(())
    }
    fn tell(&self, changes: Arc<dyn Changes>) -> bool {
        self.0.tell(changes)
    }
    /// Nothing is counted; to refuse would make the cache try again and again.
    async fn count(&self, _batch: &Batch) -> Result<()> {
        Ok(())
    }
}

#[async_trait]
impl Inspect for ReadOnly {
    async fn scan(&self, filter: &Filter, from: Option<Cursor>, want: usize) -> Result<Page> {
        self.0.scan(filter, from, want).await
    }
    async fn inspect(&self, id: &EntryId) -> Result<Option<Inspected>> {
        self.0.inspect(id).await
    }
    async fn raw_body(&self, id: &EntryId, limit: usize) -> Result<Option<Bytes>> {
        self.0.raw_body(id, limit).await
    }
    async fn info(&self) -> Result<Info> {
        self.0.info().await
    }
    async fn counters(&self, since: f64) -> Result<Counted> {
        self.0.counters(since).await
    }
    async fn watch(&self, source: Source) -> Result<Option<Events>> {
        match source {
            Source::Notifications { enables: true } => self.refuse(),
            _ => self.0.watch(source).await,
        }
    }
    fn changes(&self) -> Option<tokio::sync::watch::Receiver<Health>> {
        self.0.changes()
    }
}
