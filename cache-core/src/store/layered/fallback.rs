//! [`Fallback`]: uses a second store while the first is unreachable.
//!
//! Entries are not copied between the stores, and a change that was planned on the first is never made on the second.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use uuid::Uuid;

use crate::error::{BackendId, Error, Result, error_chain};
use crate::model::entry::{Entry, EntryId};
use crate::model::event::EventSource;
use crate::model::filter::Filter;
use crate::model::inspection::{EntryDetails, Health, ServerInfo};
use crate::model::key::CacheKey;
use crate::model::rate_limit::RateLimit;
use crate::model::stats::StatsDelta;
use crate::model::stored::{LeaseState, RemoveStats, Removed, StoredBody, StoredResponse, StoredResult};
use crate::model::window::StatsSnapshot;
use crate::store::events::EventFeed;
use crate::store::inspect::{Inspect, ensure_backend};
use crate::store::invalidation::InvalidationListener;
use crate::store::page::{Cursor, Page};
use crate::store::probe::wait_until_healthy;
use crate::store::traits::{
    Backend, LeaseStore, RateLimitStore, ResponseStore, ResponseWriter, ResultStore, StatsStore, Store,
};

/// Store that falls back to a second one.
pub struct Fallback {
    first: Arc<dyn Inspect>,
    second: Arc<dyn Inspect>,
    /// How long a cache waits for the first store before it calls the second.
    timeout: Option<Duration>,
    /// Which store is in use, and why.
    health: watch::Sender<Health>,
    /// Probes the first store while the second is in use.
    probe: JoinHandle<()>,
}

impl Fallback {
    /// `is_up`: whether the first store responded just now.
    ///
    /// Must be called within a Tokio runtime: a task probes the first store until this is dropped.
    pub fn new(first: Arc<dyn Inspect>, second: Arc<dyn Inspect>, is_up: bool) -> Self {
        Self::with_timeout(first, second, is_up, None)
    }

    /// As [`Self::new`]; the first store counts as unreachable if it does not respond to a cache ([`Store`]) within
    /// `timeout`.
    #[expect(clippy::disallowed_methods, reason = "the store's own task, which ends with the store")]
    pub fn with_timeout(
        first: Arc<dyn Inspect>,
        second: Arc<dyn Inspect>,
        is_up: bool,
        timeout: Option<Duration>,
    ) -> Self {
        let health = if is_up { up(&*first) } else { down(&*second, "no response".into()) };
        let health = watch::Sender::new(health);
        let probe = tokio::spawn(recover(Arc::clone(&first), health.clone(), timeout));
        Self { first, second, timeout, health, probe }
    }

    fn is_up(&self) -> bool {
        !self.health.borrow().is_fallback
    }

    fn current(&self) -> &Arc<dyn Inspect> {
        if self.is_up() { &self.first } else { &self.second }
    }

    /// Switches to the second store if `outcome` of the first is a temporary error.
    fn record<T>(&self, outcome: &Result<T>) {
        if let Err(error) = outcome
            && error.is_temporary()
        {
            let down = down(&*self.second, error_chain(error));
            self.health.send_if_modified(|health| {
                let was_up = !health.is_fallback;
                if was_up {
                    tracing::warn!(problem = down.problem, backend = %down.backend, "switched to the fallback backend");
                }
                *health = down;
                was_up
            });
        }
    }

    /// Calls the first store and, if it is unreachable, the second.
    async fn call<'a, T, F>(&'a self, operation: impl Fn(&'a dyn Inspect) -> F) -> Result<T>
    where
        F: Future<Output = Result<T>>,
    {
        self.call_within(None, operation).await
    }

    /// As [`Self::call`]; the first store counts as unreachable after `limit`.
    async fn call_within<'a, T, F>(
        &'a self,
        limit: Option<Duration>,
        operation: impl Fn(&'a dyn Inspect) -> F,
    ) -> Result<T>
    where
        F: Future<Output = Result<T>>,
    {
        if self.is_up() {
            let response = operation(&*self.first);
            let outcome = match limit {
                None => response.await,
                Some(limit) => tokio::time::timeout(limit, response).await.unwrap_or_else(|_| {
                    Err(Error::Timeout { backend: self.first.id(), operation: "responding to the cache", limit })
                }),
            };
            self.record(&outcome);
            if !outcome.as_ref().is_err_and(Error::is_temporary) {
                return outcome;
            }
        }
        operation(&*self.second).await
    }

    /// Calls the store in use only: the operation belongs to it.
    async fn call_current<'a, T, F>(&'a self, operation: impl FnOnce(&'a dyn Inspect) -> F) -> Result<T>
    where
        F: Future<Output = Result<T>>,
    {
        self.call_planned(None, operation).await
    }

    /// As [`Self::call_current`], if the store in use is still the one that the caller `planned` on. It is read once:
    /// it might change between two reads, and a result has the same key in both.
    async fn call_planned<'a, T, F>(
        &'a self,
        planned: Option<&BackendId>,
        operation: impl FnOnce(&'a dyn Inspect) -> F,
    ) -> Result<T>
    where
        F: Future<Output = Result<T>>,
    {
        let is_up = self.is_up();
        let store = if is_up { &*self.first } else { &*self.second };
        if let Some(planned) = planned {
            ensure_backend(planned, store.id())?;
        }
        let outcome = operation(store).await;
        if is_up {
            self.record(&outcome);
        }
        outcome
    }
}

impl Drop for Fallback {
    fn drop(&mut self) {
        self.probe.abort();
    }
}

fn up(first: &dyn Inspect) -> Health {
    Health { backend: first.id(), is_fallback: false, problem: None, server: None }
}

fn down(second: &dyn Inspect, problem: String) -> Health {
    Health { backend: second.id(), is_fallback: true, problem: Some(problem), server: None }
}

/// Probes the first store while the second is in use, and switches back.
async fn recover(first: Arc<dyn Inspect>, health: watch::Sender<Health>, timeout: Option<Duration>) {
    let mut changes = health.subscribe();
    while changes.wait_for(|health| health.is_fallback).await.is_ok() {
        wait_until_healthy(&*first, timeout).await;
        tracing::info!(backend = %first.id(), "switched back to the primary backend");
        health.send_replace(up(&*first));
    }
}

#[async_trait]
impl Backend for Fallback {
    fn id(&self) -> BackendId {
        self.current().id()
    }

    async fn health(&self) -> Health {
        if self.is_up() { self.first.health().await } else { self.health.borrow().clone() }
    }
}

#[async_trait]
impl ResponseStore for Fallback {
    async fn lookup(&self, key: &CacheKey, renew: Option<Duration>) -> Result<Vec<StoredResponse>> {
        self.call_within(self.timeout, |store| store.lookup(key, renew)).await
    }

    async fn insert(&self, entry: Entry, ttl: Option<Duration>) -> Result<Box<dyn ResponseWriter>> {
        self.call_within(self.timeout, |store| store.insert(entry.clone(), ttl)).await
    }

    async fn body(&self, id: &EntryId) -> Result<Option<StoredBody>> {
        self.call_within(self.timeout, |store| store.body(id)).await
    }

    async fn update_head(&self, id: &EntryId, entry: &Entry) -> Result<bool> {
        self.call_current(|store| store.update_head(id, entry)).await
    }

    async fn expire(&self, ids: &[EntryId], ttl: Option<Duration>) -> Result<u64> {
        self.call_current(|store| store.expire(ids, ttl)).await
    }

    async fn remove(&self, ids: &[EntryId]) -> Result<RemoveStats> {
        self.call_current(|store| store.remove(ids)).await
    }
}

#[async_trait]
impl ResultStore for Fallback {
    async fn get(&self, key: &str) -> Result<Option<StoredResult>> {
        self.call_within(self.timeout, |store| store.get(key)).await
    }

    async fn set(&self, key: &str, value: Bytes, ttl: Duration) -> Result<()> {
        self.call_within(self.timeout, |store| store.set(key, value.clone(), ttl)).await
    }
}

#[async_trait]
impl LeaseStore for Fallback {
    async fn acquire(&self, name: &str, owner: Uuid, ttl: Duration) -> Result<LeaseState> {
        self.call_within(self.timeout, |store| store.acquire(name, owner, ttl)).await
    }

    async fn release(&self, name: &str, owner: Uuid, uncacheable_for: Option<Duration>) -> Result<()> {
        self.call_within(self.timeout, |store| store.release(name, owner, uncacheable_for)).await
    }
}

#[async_trait]
impl RateLimitStore for Fallback {
    async fn acquire_slot(&self, name: &str, limit: &RateLimit, max_wait: Duration) -> Result<Duration> {
        self.call_within(self.timeout, |store| store.acquire_slot(name, limit, max_wait)).await
    }

    async fn block(&self, name: &str, time: Duration) -> Result<()> {
        self.call_within(self.timeout, |store| store.block(name, time)).await
    }
}

#[async_trait]
impl StatsStore for Fallback {
    async fn add_stats(&self, delta: &StatsDelta) -> Result<()> {
        self.call_within(self.timeout, |store| store.add_stats(delta)).await
    }

    async fn stats(&self, since: f64) -> Result<StatsSnapshot> {
        self.call(|store| store.stats(since)).await
    }
}

impl Store for Fallback {
    fn subscribe(&self, listener: Arc<dyn InvalidationListener>) -> bool {
        self.first.subscribe(listener)
    }
}

#[async_trait]
impl Inspect for Fallback {
    async fn scan(&self, filter: &Filter, from: Option<Cursor>, count: usize) -> Result<Page> {
        let has_begun = from.is_some();
        let outcome = self.call_current(|store| store.scan(filter, from, count)).await;
        match outcome {
            // A cursor of the other store would mix two scans.
            Err(error) if error.is_temporary() && !self.is_up() && has_begun => Err(Error::CursorExpired),
            Err(error) if error.is_temporary() && !self.is_up() => self.second.scan(filter, None, count).await,
            outcome => outcome,
        }
    }

    async fn details(&self, id: &EntryId) -> Result<Option<EntryDetails>> {
        self.call(|store| store.details(id)).await
    }

    async fn raw_body(&self, id: &EntryId, limit: usize) -> Result<Option<Bytes>> {
        self.call(|store| store.raw_body(id, limit)).await
    }

    async fn info(&self) -> Result<ServerInfo> {
        self.call(Inspect::info).await
    }

    async fn remove_on(&self, backend: &BackendId, ids: &[EntryId]) -> Result<Removed> {
        self.call_planned(Some(backend), |store| store.remove_on(backend, ids)).await
    }

    async fn remove_bodies_on(&self, backend: &BackendId, ids: &[EntryId]) -> Result<u64> {
        self.call_planned(Some(backend), |store| store.remove_bodies_on(backend, ids)).await
    }

    async fn expire_on(&self, backend: &BackendId, ids: &[EntryId], ttl: Option<Duration>) -> Result<u64> {
        self.call_planned(Some(backend), |store| store.expire_on(backend, ids, ttl)).await
    }

    async fn watch(&self, source: EventSource) -> Result<Option<Box<dyn EventFeed>>> {
        self.call_current(|store| store.watch(source)).await
    }

    fn health_changes(&self) -> Option<watch::Receiver<Health>> {
        Some(self.health.subscribe())
    }
}
