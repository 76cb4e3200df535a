//! Stores that tests need a part of: whatever they do not answer is not asked.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use uuid::Uuid;

use crate::error::{Backend, BackendKind, Result};
use crate::model::entry::{Entry, EntryId};
use crate::model::inspection::Health;
use crate::model::key::CacheKey;
use crate::model::stats::Batch;
use crate::model::stored::{Claim, Found, Removed, StoredBody, StoredResult};
use crate::store::traits::{Store, Writer};

/// The part of a [`Store`] that a test needs.
#[async_trait]
pub(crate) trait Stub: Send + Sync + 'static {
    /// Why it does not answer; `None`: it does.
    async fn problem(&self) -> Option<String> {
        None
    }

    async fn body(&self) -> Result<Option<StoredBody>> {
        unreachable!()
    }

    async fn result(&self) -> Result<Option<StoredResult>> {
        unreachable!()
    }

    async fn claim(&self, _name: &str, _holder: Uuid, _time: Duration) -> Result<Claim> {
        unreachable!()
    }

    async fn release(&self, _name: &str, _holder: Uuid, _alone: Option<Duration>) -> Result<()> {
        unreachable!()
    }

    async fn count(&self, _batch: &Batch) -> Result<()> {
        unreachable!()
    }
}

pub(crate) fn backend() -> Backend {
    Backend { kind: BackendKind::Memory, location: "stub".into() }
}

#[async_trait]
impl<T: Stub> Store for T {
    fn backend(&self) -> Backend {
        backend()
    }

    async fn health(&self) -> Health {
        Health { backend: backend(), is_fallback: false, problem: self.problem().await }
    }

    async fn lookup(&self, _: &CacheKey, _: Option<Duration>) -> Result<Vec<Found>> {
        unreachable!()
    }

    async fn begin(&self, _: Entry, _: Option<Duration>) -> Result<Box<dyn Writer>> {
        unreachable!()
    }

    async fn body(&self, _: &EntryId) -> Result<Option<StoredBody>> {
        Stub::body(self).await
    }

    async fn replace(&self, _: &EntryId, _: &Entry) -> Result<bool> {
        unreachable!()
    }

    async fn touch(&self, _: &[EntryId], _: Option<Duration>) -> Result<u64> {
        unreachable!()
    }

    async fn remove(&self, _: &[EntryId]) -> Result<Removed> {
        unreachable!()
    }

    async fn result(&self, _: &str) -> Result<Option<StoredResult>> {
        Stub::result(self).await
    }

    async fn put_result(&self, _: &str, _: Bytes, _: Duration) -> Result<()> {
        unreachable!()
    }

    async fn claim(&self, name: &str, holder: Uuid, time: Duration) -> Result<Claim> {
        Stub::claim(self, name, holder, time).await
    }

    async fn release(&self, name: &str, holder: Uuid, alone: Option<Duration>) -> Result<()> {
        Stub::release(self, name, holder, alone).await
    }

    async fn count(&self, batch: &Batch) -> Result<()> {
        Stub::count(self, batch).await
    }
}
