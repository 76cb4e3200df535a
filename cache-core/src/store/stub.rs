//! Partial stores for unit tests: every other method panics.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use uuid::Uuid;

use crate::error::{BackendId, BackendKind, Result};
use crate::model::entry::{Entry, EntryId};
use crate::model::generation::Generation;
use crate::model::inspection::Health;
use crate::model::key::CacheKey;
use crate::model::rate_limit::RateLimit;
use crate::model::stats::StatsDelta;
use crate::model::stored::{LeaseState, RemoveStats, StoredBody, StoredResponse, StoredResult};
use crate::model::window::StatsSnapshot;
use crate::store::traits::{
    Backend, GenerationStore, LeaseStore, RateLimitStore, ResponseStore, ResponseWriter, ResultStore, StatsStore, Store,
};

/// The part of a [`Store`] that a test needs.
#[async_trait]
pub(crate) trait Stub: Send + Sync + 'static {
    /// Why it does not respond; `None`: it does.
    async fn problem(&self) -> Option<String> {
        None
    }

    async fn body(&self) -> Result<Option<StoredBody>> {
        unreachable!()
    }

    async fn get(&self) -> Result<Option<StoredResult>> {
        unreachable!()
    }

    async fn invalidate(&self) -> Result<()> {
        unreachable!()
    }

    async fn acquire(&self, _name: &str, _owner: Uuid, _ttl: Duration) -> Result<LeaseState> {
        unreachable!()
    }

    async fn release(&self, _name: &str, _owner: Uuid, _uncacheable_for: Option<Duration>) -> Result<()> {
        unreachable!()
    }

    async fn add_stats(&self, _delta: &StatsDelta) -> Result<()> {
        unreachable!()
    }
}

pub(crate) fn id() -> BackendId {
    BackendId { kind: BackendKind::Memory, location: "stub".into() }
}

#[async_trait]
impl<T: Stub> Backend for T {
    fn id(&self) -> BackendId {
        id()
    }

    async fn health(&self) -> Health {
        Health { backend: id(), is_fallback: false, problem: self.problem().await, server: None }
    }
}

#[async_trait]
impl<T: Stub> GenerationStore for T {
    async fn generation(&self, _: &[u8]) -> Result<Generation> {
        Ok(Generation::UNKNOWN)
    }

    async fn raise_generation(&self, _: Option<&[u8]>) -> Result<()> {
        unreachable!()
    }
}

#[async_trait]
impl<T: Stub> ResponseStore for T {
    async fn lookup(&self, _: &CacheKey, _: Option<Duration>) -> Result<Vec<StoredResponse>> {
        unreachable!()
    }

    async fn insert(&self, _: Entry, _: Option<Duration>) -> Result<Box<dyn ResponseWriter>> {
        unreachable!()
    }

    async fn body(&self, _: &EntryId) -> Result<Option<StoredBody>> {
        Stub::body(self).await
    }

    async fn update_head(&self, _: &EntryId, _: &Entry) -> Result<bool> {
        unreachable!()
    }

    async fn expire(&self, _: &[EntryId], _: Option<Duration>) -> Result<u64> {
        unreachable!()
    }

    async fn remove(&self, _: &[EntryId]) -> Result<RemoveStats> {
        unreachable!()
    }

    async fn invalidate(&self, _: &CacheKey) -> Result<()> {
        Stub::invalidate(self).await
    }
}

#[async_trait]
impl<T: Stub> ResultStore for T {
    async fn get(&self, _: &str) -> Result<Option<StoredResult>> {
        Stub::get(self).await
    }

    async fn set(&self, _: &str, _: Bytes, _: Duration) -> Result<()> {
        unreachable!()
    }

    async fn set_if(&self, _: &str, _: Bytes, _: Duration, _: Generation) -> Result<bool> {
        unreachable!()
    }
}

#[async_trait]
impl<T: Stub> LeaseStore for T {
    async fn acquire(&self, name: &str, owner: Uuid, ttl: Duration) -> Result<LeaseState> {
        Stub::acquire(self, name, owner, ttl).await
    }

    async fn release(&self, name: &str, owner: Uuid, uncacheable_for: Option<Duration>) -> Result<()> {
        Stub::release(self, name, owner, uncacheable_for).await
    }
}

#[async_trait]
impl<T: Stub> RateLimitStore for T {
    async fn acquire_slot(&self, _: &str, _: &RateLimit, _: Duration) -> Result<Duration> {
        unreachable!()
    }

    async fn block(&self, _: &str, _: Duration) -> Result<()> {
        unreachable!()
    }
}

#[async_trait]
impl<T: Stub> StatsStore for T {
    async fn add_stats(&self, delta: &StatsDelta) -> Result<()> {
        Stub::add_stats(self, delta).await
    }

    async fn stats(&self, _: f64) -> Result<StatsSnapshot> {
        unreachable!()
    }
}

impl<T: Stub> Store for T {}
