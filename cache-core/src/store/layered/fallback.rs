//! Two stores: the second answers while the first cannot be reached.
//!
//! Nothing is ever copied back, and what was planned on the first is never done to the second behind the caller's
//! back.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use uuid::Uuid;

use crate::error::{Backend, Error, Result, chain};
use crate::model::entry::{Entry, EntryId};
use crate::model::event::Source;
use crate::model::filter::Filter;
use crate::model::inspection::{Health, Info, Inspected};
use crate::model::key::CacheKey;
use crate::model::rate_limit::Limit;
use crate::model::stats::Batch;
use crate::model::stored::{Claim, Found, Removed, StoredBody, StoredResult};
use crate::model::window::Counted;
use crate::store::inspect::{Inspect, planned_on};
use crate::store::invalidation::Changes;
use crate::store::page::{Cursor, Page};
use crate::store::probe::recovered;
use crate::store::redis::events::feed::Events;
use crate::store::traits::{Store, Writer};

/// Two stores as one.
pub struct Fallback {
    first: Arc<dyn Inspect>,
    second: Arc<dyn Inspect>,
    /// How long a cache waits for the first before it asks the second.
    patience: Option<Duration>,
    /// Which of them answers now, and why.
    health: watch::Sender<Health>,
    /// Asks the first whether it is back.
    pings: JoinHandle<()>,
}

impl Fallback {
    /// The second answers while the first cannot be reached; `is_up`: whether the first answered just now.
    ///
    /// Must be called within a Tokio runtime: a task asks the first whether it is back, for as long as this lives.
    pub fn new(first: Arc<dyn Inspect>, second: Arc<dyn Inspect>, is_up: bool) -> Self {
        Self::with_patience(first, second, is_up, None)
    }

    /// As [`Self::new`]; where the first does not answer a cache ([`Store`]) within `patience`, it counts as down.
    #[expect(clippy::disallowed_methods, reason = "the store's own task, which ends with the store")]
    pub fn with_patience(
        first: Arc<dyn Inspect>,
        second: Arc<dyn Inspect>,
        is_up: bool,
        patience: Option<Duration>,
    ) -> Self {
        let health = if is_up { up(&*first) } else { down(&*second, "no response".into()) };
        let health = watch::Sender::new(health);
        let pings = tokio::spawn(bring_back(Arc::clone(&first), health.clone(), patience));
        Self { first, second, patience, health, pings }
    }

    fn is_up(&self) -> bool {
        !self.health.borrow().is_fallback
    }

    fn current(&self) -> &Arc<dyn Inspect> {
        if self.is_up() { &self.first } else { &self.second }
    }

    /// Goes over to the second where `outcome` of the first is a temporary error.
    fn note<T>(&self, outcome: &Result<T>) {
        if let Err(error) = outcome
            && error.is_temporary()
        {
            let down = down(&*self.second, chain(error));
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

    /// Asks the first and, where it cannot be reached, the second.
    async fn ask<'a, T, F>(&'a self, question: impl Fn(&'a dyn Inspect) -> F) -> Result<T>
    where
        F: Future<Output = Result<T>>,
    {
        self.ask_within(None, question).await
    }

    /// As [`Self::ask`]; the first counts as out of reach after `limit`.
    async fn ask_within<'a, T, F>(
        &'a self,
        limit: Option<Duration>,
        question: impl Fn(&'a dyn Inspect) -> F,
    ) -> Result<T>
    where
        F: Future<Output = Result<T>>,
    {
        if self.is_up() {
            let answer = question(&*self.first);
            let outcome = match limit {
                None => answer.await,
                Some(limit) => tokio::time::timeout(limit, answer).await.unwrap_or_else(|_| {
                    Err(Error::Timeout { backend: self.first.backend(), operation: "responding to the cache", limit })
                }),
            };
            self.note(&outcome);
            if !outcome.as_ref().is_err_and(Error::is_temporary) {
                return outcome;
            }
        }
        question(&*self.second).await
    }

    /// Asks the one in use and no other: the caller has decided for this one.
    async fn ask_one<'a, T, F>(&'a self, question: impl FnOnce(&'a dyn Inspect) -> F) -> Result<T>
    where
        F: Future<Output = Result<T>>,
    {
        self.ask_planned(None, question).await
    }

    /// As [`Self::ask_one`], if that is still the one that the caller `planned` on. One look decides both: between two
    /// the stores might change places, and a result has the same key in either.
    async fn ask_planned<'a, T, F>(
        &'a self,
        planned: Option<&Backend>,
        question: impl FnOnce(&'a dyn Inspect) -> F,
    ) -> Result<T>
    where
        F: Future<Output = Result<T>>,
    {
        let is_up = self.is_up();
        let store = if is_up { &*self.first } else { &*self.second };
        if let Some(planned) = planned {
            planned_on(planned, store.backend())?;
        }
        let outcome = question(store).await;
        if is_up {
            self.note(&outcome);
        }
        outcome
    }
}

impl Drop for Fallback {
    fn drop(&mut self) {
        self.pings.abort();
    }
}

fn up(first: &dyn Inspect) -> Health {
    Health { backend: first.backend(), is_fallback: false, problem: None }
}

fn down(second: &dyn Inspect, problem: String) -> Health {
    Health { backend: second.backend(), is_fallback: true, problem: Some(problem) }
}

/// Whenever the second is in use, asks the first whether it is back.
async fn bring_back(first: Arc<dyn Inspect>, health: watch::Sender<Health>, patience: Option<Duration>) {
    let mut changes = health.subscribe();
    while changes.wait_for(|health| health.is_fallback).await.is_ok() {
        recovered(&*first, patience).await;
        tracing::info!(backend = %first.backend(), "switched back to the primary backend");
        health.send_replace(up(&*first));
    }
}

#[async_trait]
impl Store for Fallback {
    fn backend(&self) -> Backend {
        self.current().backend()
    }

    async fn health(&self) -> Health {
        if self.is_up() { self.first.health().await } else { self.health.borrow().clone() }
    }

    async fn lookup(&self, key: &CacheKey, refresh: Option<Duration>) -> Result<Vec<Found>> {
        self.ask_within(self.patience, |store| store.lookup(key, refresh)).await
    }

    async fn begin(&self, entry: Entry, ttl: Option<Duration>) -> Result<Box<dyn Writer>> {
        self.ask_within(self.patience, |store| store.begin(entry.clone(), ttl)).await
    }

    async fn body(&self, id: &EntryId) -> Result<Option<StoredBody>> {
        self.ask_within(self.patience, |store| store.body(id)).await
    }

    async fn replace(&self, id: &EntryId, entry: &Entry) -> Result<bool> {
        self.ask_one(|store| store.replace(id, entry)).await
    }

    async fn touch(&self, ids: &[EntryId], ttl: Option<Duration>) -> Result<u64> {
        self.ask_one(|store| store.touch(ids, ttl)).await
    }

    async fn remove(&self, ids: &[EntryId]) -> Result<Removed> {
        self.ask_one(|store| store.remove(ids)).await
    }

    async fn result(&self, key: &str) -> Result<Option<StoredResult>> {
        self.ask_within(self.patience, |store| store.result(key)).await
    }

    async fn put_result(&self, key: &str, value: Bytes, ttl: Duration) -> Result<()> {
        self.ask_within(self.patience, |store| store.put_result(key, value.clone(), ttl)).await
    }

    async fn claim(&self, name: &str, holder: Uuid, time: Duration) -> Result<Claim> {
        self.ask_within(self.patience, |store| store.claim(name, holder, time)).await
    }

    async fn release(&self, name: &str, holder: Uuid, alone: Option<Duration>) -> Result<()> {
        self.ask_within(self.patience, |store| store.release(name, holder, alone)).await
    }

    async fn reserve(&self, name: &str, limit: &Limit, longest: Duration) -> Result<Duration> {
        self.ask_within(self.patience, |store| store.reserve(name, limit, longest)).await
    }

    async fn hold_back(&self, name: &str, time: Duration) -> Result<()> {
        self.ask_within(self.patience, |store| store.hold_back(name, time)).await
    }

    fn tell(&self, changes: Arc<dyn Changes>) -> bool {
        self.first.tell(changes)
    }

    async fn count(&self, batch: &Batch) -> Result<()> {
        self.ask_within(self.patience, |store| store.count(batch)).await
    }
}

#[async_trait]
impl Inspect for Fallback {
    async fn scan(&self, filter: &Filter, from: Option<Cursor>, want: usize) -> Result<Page> {
        let is_under_way = from.is_some();
        let outcome = self.ask_one(|store| store.scan(filter, from, want)).await;
        match outcome {
            // Half a list of the one and half of the other would be a list of neither.
            Err(error) if error.is_temporary() && !self.is_up() && is_under_way => Err(Error::CursorExpired),
            Err(error) if error.is_temporary() && !self.is_up() => self.second.scan(filter, None, want).await,
            outcome => outcome,
        }
    }

    async fn touch_on(&self, backend: &Backend, ids: &[EntryId], ttl: Option<Duration>) -> Result<u64> {
        self.ask_planned(Some(backend), |store| store.touch_on(backend, ids, ttl)).await
    }

    async fn remove_on(&self, backend: &Backend, ids: &[EntryId]) -> Result<Removed> {
        self.ask_planned(Some(backend), |store| store.remove(ids)).await
    }

    async fn inspect(&self, id: &EntryId) -> Result<Option<Inspected>> {
        self.ask(|store| store.inspect(id)).await
    }

    async fn raw_body(&self, id: &EntryId, limit: usize) -> Result<Option<Bytes>> {
        self.ask(|store| store.raw_body(id, limit)).await
    }

    async fn info(&self) -> Result<Info> {
        self.ask(Inspect::info).await
    }

    async fn counters(&self, since: f64) -> Result<Counted> {
        self.ask(|store| store.counters(since)).await
    }

    async fn watch(&self, source: Source) -> Result<Option<Events>> {
        self.ask_one(|store| store.watch(source)).await
    }

    fn changes(&self) -> Option<watch::Receiver<Health>> {
        Some(self.health.subscribe())
    }
}
