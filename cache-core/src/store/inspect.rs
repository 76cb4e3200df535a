//! What an administrator needs of a storage beyond what a cache needs.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

use crate::error::{BackendId, Error, Result};
use crate::model::entry::EntryId;
use crate::model::event::EventSource;
use crate::model::filter::Filter;
use crate::model::inspection::{EntryDetails, Health, ServerInfo};
use crate::model::stored::RemoveStats;
use crate::store::events::EventFeed;
use crate::store::page::{Cursor, Page};
use crate::store::traits::Store;

/// What an administrator needs on top. The caches cannot call these methods: they hold an `Arc<dyn Store>`.
#[async_trait]
pub trait Inspect: Store {
    /// One page of the entries that match (all conditions but `filter.body`), after `from` (`None`: from the start).
    ///
    /// `count` is a hint: how many keys to read. A page may be empty; only `next: None` ends the list. No entry comes
    /// twice, and an entry that exists from the first page to the last is never left out.
    async fn scan(&self, filter: &Filter, from: Option<Cursor>, count: usize) -> Result<Page>;

    /// Everything about one entry but its body, whatever its state.
    async fn details(&self, id: &EntryId) -> Result<Option<EntryDetails>>;

    /// The first `limit` bytes or more of a stored body or value, as far as it exists, whatever the entry's state.
    async fn raw_body(&self, id: &EntryId, limit: usize) -> Result<Option<Bytes>>;

    /// The state of the server or the file.
    async fn info(&self) -> Result<ServerInfo>;

    /// Removes entries as planned on `backend`: fails with [`Error::BackendChanged`] where another one responds now.
    async fn remove_on(&self, backend: &BackendId, ids: &[EntryId]) -> Result<RemoveStats> {
        ensure_backend(backend, self.id())?;
        self.remove(ids).await
    }

    /// Sets TTLs as planned on `backend`: fails with [`Error::BackendChanged`] where another one responds now. A
    /// persistent index of Redis then expires with the last of its entries.
    async fn expire_on(&self, backend: &BackendId, ids: &[EntryId], ttl: Option<Duration>) -> Result<u64> {
        ensure_backend(backend, self.id())?;
        self.expire(ids, ttl).await
    }

    /// Starts to report what all clients do with the cache; `None`: this storage cannot, as with a file.
    async fn watch(&self, _source: EventSource) -> Result<Option<Box<dyn EventFeed>>> {
        Ok(None)
    }

    /// Every change of the storage that responds; `None`: it is always the same.
    fn health_changes(&self) -> Option<tokio::sync::watch::Receiver<Health>> {
        None
    }
}

/// Fails where another backend responds now than the one that a change was planned on.
pub(crate) fn ensure_backend(planned: &BackendId, now: BackendId) -> Result<()> {
    if now == *planned { Ok(()) } else { Err(Error::BackendChanged { now }) }
}
