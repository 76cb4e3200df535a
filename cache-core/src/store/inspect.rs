//! [`Inspect`]: administrative operations of a storage.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

use crate::error::{BackendId, Error, Result, error_chain};
use crate::model::entry::EntryId;
use crate::model::event::EventSource;
use crate::model::filter::Filter;
use crate::model::inspection::{EntryDetails, Health, ServerInfo};
use crate::model::stored::Removed;
use crate::store::events::EventFeed;
use crate::store::page::{Cursor, Page};
use crate::store::traits::Store;

/// How long a body outlives its head: a reader that has found the head asks for the body next, and one that finds no
/// body may take it for an empty one.
pub(crate) const READER_GRACE: Duration = Duration::from_millis(500);

/// Administrative operations, in addition to [`Store`].
#[async_trait]
pub trait Inspect: Store {
    /// Returns one page of matching entries (`filter.body` is ignored), after `from` (`None`: from the start).
    ///
    /// `count` is a hint: how many keys to read. A page may be empty; only `next: None` ends the scan. Every entry that
    /// exists during the whole scan is returned exactly once.
    async fn scan(&self, filter: &Filter, from: Option<Cursor>, count: usize) -> Result<Page>;

    /// Details of an entry in any state, without its body.
    async fn details(&self, id: &EntryId) -> Result<Option<EntryDetails>>;

    /// At least the first `limit` bytes of a stored body or value, if it has as many, in any state of the entry.
    async fn raw_body(&self, id: &EntryId, limit: usize) -> Result<Option<Bytes>>;

    /// Information about the server or file.
    async fn info(&self) -> Result<ServerInfo>;

    /// Deletes entries as planned on `backend`. Fails with [`Error::BackendChanged`] if another backend is in use now.
    /// Bodies of [`Removed::bodies`] are deleted by [`Self::remove_bodies_on`], half a second later.
    async fn remove_on(&self, backend: &BackendId, ids: &[EntryId]) -> Result<Removed> {
        ensure_backend(backend, self.id())?;
        raise_for_flush(self).await;
        Ok(Removed { stats: self.remove(ids).await?, bodies: Vec::new() })
    }

    /// Deletes the bodies of deleted entries. Returns the number of deleted keys.
    async fn remove_bodies_on(&self, backend: &BackendId, _ids: &[EntryId]) -> Result<u64> {
        ensure_backend(backend, self.id())?;
        Ok(0)
    }

    /// Sets TTLs as planned on `backend`. Fails with [`Error::BackendChanged`] if another backend is in use now. A
    /// persistent index of Redis then expires with the last of its entries.
    async fn expire_on(&self, backend: &BackendId, ids: &[EntryId], ttl: Option<Duration>) -> Result<u64> {
        ensure_backend(backend, self.id())?;
        self.expire(ids, ttl).await
    }

    /// Starts watching cache events. Returns `None` if the backend does not support it.
    async fn watch(&self, _source: EventSource) -> Result<Option<Box<dyn EventFeed>>> {
        Ok(None)
    }

    /// Changes of the backend in use; `None`: it never changes.
    fn health_changes(&self) -> Option<tokio::sync::watch::Receiver<Health>> {
        None
    }
}

/// What is being fetched or computed during a flush is not stored after it. A refusal does not stop the flush.
pub(crate) async fn raise_for_flush<S: Store + ?Sized>(store: &S) {
    if let Err(error) = store.raise_generation(None).await {
        tracing::debug!(error = error_chain(&error), "what is being fetched may be stored after the flush");
    }
}

/// Fails if the backend in use is not the one that a change was planned on.
pub(crate) fn ensure_backend(planned: &BackendId, now: BackendId) -> Result<()> {
    if now == *planned { Ok(()) } else { Err(Error::BackendChanged { now }) }
}
