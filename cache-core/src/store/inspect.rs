//! TODO

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::TryStreamExt as _;

use crate::error::{Backend, Error, Result};
use crate::model::entry::EntryId;
use crate::model::event::Source;
use crate::model::filter::Filter;
use crate::model::inspection::{Health, Info, Inspected};
use crate::model::stored::Removed;
use crate::model::window::Counted;
use crate::store::page::{Cursor, Page};
use crate::store::redis::events::feed::Events;
use crate::store::traits::Store;

/// What an administrator needs on top. The caches cannot call these: they hold an `Arc<dyn Store>`.
#[async_trait]
pub trait Inspect: Store {
    /// One page of what matches (all but `filter.body`), from `from` on (`None`: the start).
    ///
    /// `want` is a hint: how many keys to look at. A page may be empty; only `next: None` ends the list. No entry
    /// comes twice, and one that is there from the first page to the last is never left out.
    async fn scan(&self, filter: &Filter, from: Option<Cursor>, want: usize) -> Result<Page>;

    /// [`Store::touch`] as it was planned on a storage: where another one answers now, nothing is done. What was there
    /// for ever only to name the entries, as an index in Redis is, now goes with the last of them.
    async fn touch_on(&self, backend: &Backend, ids: &[EntryId], ttl: Option<Duration>) -> Result<u64> {
        planned_on(backend, self.backend())?;
        self.touch(ids, ttl).await
    }

    /// [`Store::remove`] as it was planned on a storage: where another one answers now, nothing is done.
    async fn remove_on(&self, backend: &Backend, ids: &[EntryId]) -> Result<Removed> {
        planned_on(backend, self.backend())?;
        self.remove(ids).await
    }

    /// Everything about one entry but its body, whatever its state.
    async fn inspect(&self, id: &EntryId) -> Result<Option<Inspected>>;

    /// The first `limit` bytes or more of a stored body or value, as far as it is there, whatever the entry's state.
    async fn raw_body(&self, id: &EntryId, limit: usize) -> Result<Option<Bytes>>;

    /// Facts about the server or the file.
    async fn info(&self) -> Result<Info>;

    /// What was counted, by the hour from the one that `since` (Unix seconds) falls into.
    async fn counters(&self, since: f64) -> Result<Counted>;

    /// Begins to tell what others do with the cache; `None`: nobody but they themselves could tell, as with a file.
    async fn watch(&self, _source: Source) -> Result<Option<Events>> {
        Ok(None)
    }

    /// Every change of which storage answers; `None`: it is always the same.
    fn changes(&self) -> Option<tokio::sync::watch::Receiver<Health>> {
        None
    }
}

pub(crate) fn planned_on(planned: &Backend, now: Backend) -> Result<()> {
    if now == *planned { Ok(()) } else { Err(Error::BackendChanged { now }) }
}
