//! [`Fallback`]: uses a second store while the first is unreachable.
//!
//! A slow call is a miss, not an outage: the second store is used only when the first is known to be gone, and the first
//! again only when it has been well for some time. Entries are not copied between the stores, and a change that was
//! planned on the first is never made on the second.

pub(crate) mod listener_gate;
pub(crate) mod own_slots;
pub(crate) mod switch;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use uuid::Uuid;

use crate::circuit_breaker::{CircuitBreaker, Recovery};
use crate::clock;
use crate::error::{BackendId, Error, Result, error_chain};
use crate::model::change::{Applied, Change, StoreIdentity, Target};
use crate::model::entry::{Entry, EntryId};
use crate::model::event::EventSource;
use crate::model::filter::Filter;
use crate::model::generation::Generation;
use crate::model::inspection::{EntryDetails, Health, ServerInfo};
use crate::model::key::CacheKey;
use crate::model::rate_limit::RateLimit;
use crate::model::stats::StatsDelta;
use crate::model::stored::{LeaseState, RemoveStats, StoredBody, StoredResponse, StoredResult};
use crate::model::window::StatsSnapshot;
use crate::store::events::EventFeed;
use crate::store::inspect::{Inspect, ensure_store};
use crate::store::invalidation::InvalidationListener;
use crate::store::layered::fallback::listener_gate::ListenerGate;
use crate::store::layered::fallback::own_slots::OwnSlots;
use crate::store::layered::fallback::switch::Switch;
use crate::store::page::{Cursor, Page};
use crate::store::probe::{PROBE_TIMEOUT, responds_within, wait_until_stable};
use crate::store::traits::{
    Backend, GenerationStore, LeaseStore, RateLimitStore, ResponseStore, ResponseWriter, ResultStore, StatsStore, Store,
};

/// The number of consecutive timeouts after which the first store counts as gone.
const OUTAGE_TIMEOUTS: u32 = 3;

/// How long the first store must have answered nothing: many calls at once time out for one reason.
const MIN_OUTAGE: Duration = Duration::from_secs(2);

/// Store that falls back to a second one.
pub struct Fallback {
    first: Arc<dyn Inspect>,
    second: Arc<dyn Inspect>,
    /// How long a cache waits for the first store.
    timeout: Option<Duration>,
    switch: Arc<Switch>,
    slots: OwnSlots,
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

    /// As [`Self::new`]; a call of a cache ([`Store`]) fails if the first store does not respond within `timeout`.
    #[expect(clippy::disallowed_methods, reason = "the store's own task, which ends with the store")]
    pub fn with_timeout(
        first: Arc<dyn Inspect>,
        second: Arc<dyn Inspect>,
        is_up: bool,
        timeout: Option<Duration>,
    ) -> Self {
        let health = if is_up { up(&*first) } else { down(&*second, "no response".into()) };
        let breaker = CircuitBreaker::new(OUTAGE_TIMEOUTS, Recovery::ExternalProbe).spanning(MIN_OUTAGE);
        if !is_up {
            breaker.open(Instant::now());
        }
        let switch = Arc::new(Switch { breaker, health: watch::Sender::new(health), gates: Mutex::default() });
        let probe = tokio::spawn(recover(Arc::clone(&first), Arc::clone(&switch), timeout));
        Self { first, second, timeout, switch, slots: OwnSlots::default(), probe }
    }

    fn is_up(&self) -> bool {
        self.switch.is_up()
    }

    fn current(&self) -> &Arc<dyn Inspect> {
        if self.is_up() { &self.first } else { &self.second }
    }

    /// Whether the first store is known to be gone after a call that began at `started`, and the error that ended it.
    async fn is_gone(&self, error: Option<&Error>, started: Instant) -> bool {
        let Some(error) = error.filter(|error| error.is_temporary()) else {
            self.switch.breaker.record_success();
            return false;
        };
        let down = down(&*self.second, error_chain(error));
        if matches!(error, Error::Timeout { .. }) && started.elapsed() < MIN_OUTAGE {
            self.switch.use_second(down, |breaker| breaker.record_failure(Instant::now()));
        } else if !responds_within(&*self.first, self.timeout.unwrap_or(PROBE_TIMEOUT)).await {
            // A broken connection may be replaced: only another call to the store shows whether it is gone.
            self.switch.use_second(down, |breaker| {
                let was_closed = !breaker.is_open();
                breaker.open(Instant::now());
                was_closed
            });
        }
        !self.is_up()
    }

    /// Calls the first store and, if it is known to be gone, the second.
    async fn call<'a, T, F>(&'a self, operation: impl Fn(&'a dyn Inspect) -> F) -> Result<T>
    where
        F: Future<Output = Result<T>>,
    {
        self.call_within(None, operation).await
    }

    /// As [`Self::call`]; the call of the first store fails after `limit`.
    async fn call_within<'a, T, F>(
        &'a self,
        limit: Option<Duration>,
        operation: impl Fn(&'a dyn Inspect) -> F,
    ) -> Result<T>
    where
        F: Future<Output = Result<T>>,
    {
        if self.is_up() {
            let started = Instant::now();
            let outcome = self.within(limit, operation(&*self.first)).await;
            if !self.is_gone(outcome.as_ref().err(), started).await {
                return outcome;
            }
        }
        operation(&*self.second).await
    }

    /// The response of the first store, which counts as unreachable after `limit`.
    async fn within<T>(&self, limit: Option<Duration>, response: impl Future<Output = Result<T>>) -> Result<T> {
        match limit {
            None => response.await,
            Some(limit) => tokio::time::timeout(limit, response).await.unwrap_or_else(|_| {
                Err(Error::Timeout { backend: self.first.id(), operation: "responding to the cache", limit })
            }),
        }
    }

    /// Calls the store in use only: the operation belongs to it.
    pub(crate) async fn call_current<'a, T, F>(&'a self, operation: impl FnOnce(&'a dyn Inspect) -> F) -> Result<T>
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
            ensure_store(&planned.clone().into(), &store.id().into())?;
        }
        let started = Instant::now();
        let outcome = operation(store).await;
        if is_up {
            self.is_gone(outcome.as_ref().err(), started).await;
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
async fn recover(first: Arc<dyn Inspect>, switch: Arc<Switch>, timeout: Option<Duration>) {
    let mut changes = switch.health.subscribe();
    while changes.wait_for(|health| health.is_fallback).await.is_ok() {
        wait_until_stable(&*first, timeout).await;
        switch.use_first(up(&*first));
    }
}

#[async_trait]
impl Backend for Fallback {
    fn id(&self) -> BackendId {
        self.current().id()
    }

    async fn health(&self) -> Health {
        if self.is_up() {
            let Some(limit) = self.timeout else { return self.first.health().await };
            match tokio::time::timeout(limit, self.first.health()).await {
                Ok(health) => return health,
                // A cache that is switched off asks for nothing else.
                Err(_) => {
                    let problem = format!("no response within {limit:?}");
                    let down = down(&*self.second, problem.clone());
                    self.switch.use_second(down, |breaker| breaker.record_failure(Instant::now()));
                    if self.is_up() {
                        return Health { problem: Some(problem), ..up(&*self.first) };
                    }
                }
            }
        }
        self.switch.health.borrow().clone()
    }
}

#[async_trait]
impl GenerationStore for Fallback {
    async fn generation(&self, key: &[u8]) -> Result<Generation> {
        self.call_within(self.timeout, |store| store.generation(key)).await
    }

    async fn raise_generation(&self, key: Option<&[u8]>) -> Result<()> {
        self.call_current(|store| store.raise_generation(key)).await
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

    /// In both stores, whichever is in use: the other one is used again later.
    async fn invalidate(&self, key: &CacheKey) -> Result<()> {
        let second = self.second.invalidate(key).await;
        let started = Instant::now();
        let first = self.within(self.timeout, self.first.invalidate(key)).await;
        self.is_gone(first.as_ref().err(), started).await;
        // There is no file, and so nothing to invalidate.
        first.and(second.or_else(|error| if matches!(error, Error::Missing { .. }) { Ok(()) } else { Err(error) }))
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

    async fn set_if(&self, key: &str, value: Bytes, ttl: Duration, generation: Generation) -> Result<bool> {
        self.call_within(self.timeout, |store| store.set_if(key, value.clone(), ttl, generation)).await
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
        let wait = self.call_within(self.timeout, |store| store.acquire_slot(name, limit, max_wait)).await?;
        Ok(self.slots.take(name, limit, wait, max_wait, clock::now()))
    }

    async fn block(&self, name: &str, time: Duration) -> Result<()> {
        self.slots.block(name, clock::now() + time.as_secs_f64());
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
        let gate = Arc::new(ListenerGate::new(listener, self.is_up()));
        if !self.first.subscribe(Arc::clone(&gate) as _) {
            gate.on_unsupported();
        }
        self.switch.gates.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::clone(&gate));
        // It may have changed before the gate was known.
        gate.switch(self.is_up());
        true
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

    async fn identity(&self) -> Result<StoreIdentity> {
        self.call_current(Inspect::identity).await
    }

    async fn apply(&self, store: &StoreIdentity, change: Change, targets: &[Target]) -> Result<Applied> {
        self.call_planned(Some(&store.backend), |current| current.apply(store, change, targets)).await
    }

    async fn remove_bodies(&self, store: &StoreIdentity, ids: &[EntryId]) -> Result<u64> {
        self.call_planned(Some(&store.backend), |current| current.remove_bodies(store, ids)).await
    }

    async fn watch(&self, source: EventSource) -> Result<Option<Box<dyn EventFeed>>> {
        self.call_current(|store| store.watch(source)).await
    }

    fn health_changes(&self) -> Option<watch::Receiver<Health>> {
        Some(self.switch.health.subscribe())
    }
}
