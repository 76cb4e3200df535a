//! [`Inspect`]: administrative operations of a storage.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

use crate::clock;
use crate::error::{Error, Result, error_chain};
use crate::model::change::{Applied, Change, ExpiryChange, StoreIdentity, Target};
use crate::model::entry::EntryId;
use crate::model::event::EventSource;
use crate::model::filter::Filter;
use crate::model::inspection::{EntryDetails, Health, ServerInfo};
use crate::store::archive::Archive;
use crate::store::events::EventFeed;
use crate::store::page::{Cursor, Page};
use crate::store::traits::Store;

/// How long a body outlives its head: a reader that has found the head asks for the body next, and one that finds no
/// body may take it for an empty one.
pub(crate) const READER_GRACE: Duration = Duration::from_millis(500);

/// Administrative operations, in addition to [`Store`].
#[async_trait]
pub trait Inspect: Store + Archive {
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

    /// Which store this is.
    async fn identity(&self) -> Result<StoreIdentity> {
        Ok(self.id().into())
    }

    /// Changes entries that still are what they were when the change was planned; the others are counted. Fails with
    /// [`Error::BackendChanged`] if another store is in use now. Bodies of [`Applied::bodies`] are deleted by
    /// [`Self::remove_bodies`], half a second later.
    async fn apply(&self, store: &StoreIdentity, change: Change, targets: &[Target]) -> Result<Applied> {
        ensure_store(store, &self.identity().await?)?;
        let mut applied = Applied::default();
        let (mut ids, mut ends) = (Vec::new(), Vec::new());
        for Target { id, was } in targets {
            match self.details(id).await? {
                None => applied.gone += 1,
                Some(now) if !was.is_of(&now.summary) => applied.changed_meanwhile += 1,
                Some(now) => {
                    ids.push(id.clone());
                    ends.push(now.summary.expires_at);
                }
            }
        }
        let found = ids.len() as u64;
        match change {
            Change::Remove => {
                raise_for_flush(self).await;
                let removed = self.remove(&ids).await?;
                (applied.entries, applied.keys) = (removed.entries, removed.keys);
            }
            Change::Expire(ExpiryChange::Set(ttl)) => applied.entries = self.expire(&ids, Some(ttl)).await?,
            Change::Expire(ExpiryChange::Persist) => applied.entries = self.expire(&ids, None).await?,
            Change::Expire(ExpiryChange::Extend(by)) => {
                for (id, end) in ids.iter().zip(ends) {
                    let Some(end) = end else {
                        applied.unchanged += 1;
                        continue;
                    };
                    let left = Duration::try_from_secs_f64(end - clock::now()).unwrap_or_default();
                    applied.entries += self.expire(std::slice::from_ref(id), Some(left.saturating_add(by))).await?;
                }
            }
        }
        applied.gone += found - applied.entries - applied.unchanged;
        Ok(applied)
    }

    /// Deletes the bodies of deleted entries. Returns the number of deleted keys.
    async fn remove_bodies(&self, store: &StoreIdentity, _ids: &[EntryId]) -> Result<u64> {
        ensure_store(store, &self.identity().await?)?;
        Ok(0)
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

/// Fails if the store in use is not the one that a change was planned on.
pub(crate) fn ensure_store(planned: &StoreIdentity, now: &StoreIdentity) -> Result<()> {
    if planned.is_same(now) { Ok(()) } else { Err(Error::BackendChanged { now: now.backend.clone() }) }
}
