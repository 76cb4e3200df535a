//! A store that can be told not to answer, as a server that is restarted, or that hangs.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use cache_core::counters::{Batch, Counted};
use cache_core::{
    Backend, CacheKey, Claim, Cursor, Entry, EntryId, Error, Filter, Found, Health, Info, Inspect, Inspected, Memory,
    Page, Removed, Result, Store, StoredBody, StoredResult, Writer,
};
use tokio::sync::Semaphore;
use uuid::Uuid;

/// The store; clones are the same one.
#[derive(Clone)]
pub struct Flaky {
    inner: Memory,
    is_down: Arc<AtomicBool>,
    /// Removals wait for a permit, once it was asked to hang.
    removals: Arc<Semaphore>,
}

impl Flaky {
    /// Over these entries.
    pub fn new(inner: Memory) -> Self {
        Self { inner, is_down: Arc::default(), removals: Arc::new(Semaphore::new(Semaphore::MAX_PERMITS)) }
    }

    /// Answers no more, or again.
    pub fn set_down(&self, is_down: bool) {
        self.is_down.store(is_down, Ordering::SeqCst);
    }

    /// Lets only so many more batches be removed.
    pub fn allow_removals(&self, batches: usize) {
        self.removals.forget_permits(Semaphore::MAX_PERMITS);
        self.removals.add_permits(batches);
    }

    fn ask(&self) -> Result<&Memory> {
        if self.is_down.load(Ordering::SeqCst) {
            let source = io::Error::from(io::ErrorKind::ConnectionRefused).into();
            return Err(Error::Unavailable { backend: self.inner.backend(), source });
        }
        Ok(&self.inner)
    }
}

#[async_trait]
impl Store for Flaky {
    fn backend(&self) -> Backend {
        self.inner.backend()
    }
    async fn health(&self) -> Health {
        let problem = self.ask().err().map(|error| error.to_string());
        Health { problem, ..self.inner.health().await }
    }
    async fn lookup(&self, key: &CacheKey, refresh: Option<Duration>) -> Result<Vec<Found>> {
        self.ask()?.lookup(key, refresh).await
    }
    async fn begin(&self, entry: Entry, ttl: Option<Duration>) -> Result<Box<dyn Writer>> {
        self.ask()?.begin(entry, ttl).await
    }
    async fn body(&self, id: &EntryId) -> Result<Option<StoredBody>> {
        self.ask()?.body(id).await
    }
    async fn replace(&self, id: &EntryId, entry: &Entry) -> Result<bool> {
        self.ask()?.replace(id, entry).await
    }
    async fn touch(&self, ids: &[EntryId], ttl: Option<Duration>) -> Result<u64> {
        self.ask()?.touch(ids, ttl).await
    }
    async fn remove(&self, ids: &[EntryId]) -> Result<Removed> {
        self.removals.acquire().await.expect("never closed").forget();
        self.ask()?.remove(ids).await
    }
    async fn result(&self, key: &str) -> Result<Option<StoredResult>> {
        self.ask()?.result(key).await
    }
    async fn put_result(&self, key: &str, value: Bytes, ttl: Duration) -> Result<()> {
        self.ask()?.put_result(key, value, ttl).await
    }
    async fn claim(&self, name: &str, holder: Uuid, time: Duration) -> Result<Claim> {
        self.ask()?.claim(name, holder, time).await
    }
    async fn release(&self, name: &str, holder: Uuid, alone: Option<Duration>) -> Result<()> {
        self.ask()?.release(name, holder, alone).await
    }
    async fn count(&self, batch: &Batch) -> Result<()> {
        self.ask()?.count(batch).await
    }
}

#[async_trait]
impl Inspect for Flaky {
    async fn scan(&self, filter: &Filter, from: Option<Cursor>, want: usize) -> Result<Page> {
        self.ask()?.scan(filter, from, want).await
    }
    async fn inspect(&self, id: &EntryId) -> Result<Option<Inspected>> {
        self.ask()?.inspect(id).await
    }
    async fn raw_body(&self, id: &EntryId, limit: usize) -> Result<Option<Bytes>> {
        self.ask()?.raw_body(id, limit).await
    }
    async fn info(&self) -> Result<Info> {
        self.ask()?.info().await
    }
    async fn counters(&self, since: f64) -> Result<Counted> {
        self.ask()?.counters(since).await
    }
}
