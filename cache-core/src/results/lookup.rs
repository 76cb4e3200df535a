//! Lookup of one result, waiting for a concurrent computation, and the counters and events of both.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use serde::Serialize;
use serde::de::{DeserializeOwned, Error as _};

use crate::clock;
use crate::error::error_chain;
use crate::format::python::json;
use crate::format::python::json::{JsonStyle, Kind};
use crate::format::python::loads::{Loaded, loads};
use crate::model::generation::Generation;
use crate::model::service::ServiceName;
use crate::model::stats::{Counters, Scope};
use crate::model::stored::StoredResult;
use crate::redact::{Redacted, Secrets};
use crate::results::call::Call;
use crate::runtime::guarded_store::GuardedStore;
use crate::runtime::shared::CacheShared;
use crate::runtime::single_flight::{Leader, Role, WaitBudget};
use crate::store::traits::Store;

/// The state of one lookup.
pub(crate) struct Lookup<'a> {
    core: &'a CacheShared,
    /// The store; its failures are counted as those of this function.
    store: GuardedStore,
    scope: Scope,
    prefix: &'a str,
    key: &'a str,
    started: Instant,
    /// Time spent in the store.
    time: Duration,
    budget: WaitBudget,
    /// Whether the store responded to the lookup.
    is_available: bool,
    /// The generation of the key when the computation began.
    generation: Option<Generation>,
    /// Whether the pipeline has the function as well.
    is_shared: bool,
    /// Whether the stored value stays: it is useful to the pipeline.
    keeps_stored: bool,
}

/// Outcome of a lookup.
enum LookupOutcome<T> {
    /// With its JSON.
    Found(T, Bytes),
    Miss,
    /// The stored value is not a result of this type.
    Unreadable,
    /// The store failed.
    Unavailable,
}

impl<'a> Lookup<'a> {
    pub(crate) fn new(core: &'a CacheShared, call: &Call<'a>, key: &'a str) -> Self {
        let prefix = call.prefix();
        let scope = Scope::Result(prefix.to_owned());
        let store = core.store.with_failure_hook({
            let (counters, scope) = (Arc::clone(&core.stats), scope.clone());
            let services = core.services.clone();
            let key = Secrets::Masked.key(key).into_owned();
            move |operation, time, error| {
                let (service, prefix, seconds) = (scope.service(&services), scope.prefix(), time.as_secs_f64());
                tracing::warn!(%service, prefix, ?key, operation, seconds, error = error_chain(error), "error");
                counters.count(&scope, Counters { errors: 1, ..Counters::default() });
            }
        });
        Self {
            core,
            store,
            scope,
            prefix,
            key,
            started: Instant::now(),
            time: Duration::ZERO,
            budget: WaitBudget::default(),
            is_available: true,
            generation: None,
            is_shared: call.is_shared(),
            keeps_stored: false,
        }
    }

    /// Returns the stored result with its JSON. If it has to be computed, returns the leader of its waiters, if waiting
    /// is possible.
    pub(crate) async fn find<T: Serialize + DeserializeOwned>(&mut self) -> Result<(T, Bytes), Option<Leader>> {
        let mut leader: Option<Leader> = None;
        loop {
            let has_nothing = match self.query().await {
                LookupOutcome::Found(value, json) => {
                    if let Some(leader) = leader {
                        leader.complete(true).await;
                    }
                    return Ok((value, json));
                }
                LookupOutcome::Miss => true,
                LookupOutcome::Unreadable => false,
                // Without a store there is nothing to wait for.
                LookupOutcome::Unavailable => break,
            };
            if leader.is_some() || !self.budget.may_wait_again(has_nothing) {
                break;
            }
            match self.core.single_flight.join(self.key, &mut self.budget).await {
                Role::Leader(granted) => leader = Some(granted),
                Role::Retry => {}
                Role::Independent | Role::Answered(_) => break,
            }
        }
        self.record_miss();
        Err(leader)
    }

    /// Begins the computation: its result is not stored if it is invalidated meanwhile, or if the store does not respond.
    pub(crate) async fn begin(&mut self) {
        if self.is_available {
            let key = self.key.as_bytes();
            let generation = self.store.call("generation", |store| async move { store.generation(key).await });
            self.generation = generation.await;
        }
    }

    /// Counts and logs a miss.
    pub(crate) fn record_miss(&self) {
        self.count(Counters { misses: 1, ..self.elapsed() });
        let seconds = self.started.elapsed().as_secs_f64();
        tracing::debug!(service = %self.service(), prefix = self.prefix, key = ?self.shown_key(), seconds, "miss");
    }

    /// Stores a result that was computed within `computed_in`. Returns whether it was stored.
    pub(crate) async fn store(&self, value: Bytes, ttl: Duration, computed_in: Duration) -> bool {
        let bytes = value.len() as u64;
        if self.keeps_stored || bytes > self.core.largest_entry.min(StoredResult::MAX_BYTES as u64) {
            return false;
        }
        let (key, Some(generation)) = (self.key, self.generation) else { return false };
        let set = |store: Arc<dyn Store>| async move { store.set_if(key, value, ttl, generation).await };
        let is_stored = self.store.call("put_result", set).await == Some(true);
        if is_stored {
            self.count(Counters { stores: 1, ..Counters::default() });
            let (ttl, computed_in) = (ttl.as_secs_f64(), computed_in.as_secs_f64());
            let seconds = self.started.elapsed().as_secs_f64();
            tracing::debug!(service = %self.service(), prefix = self.prefix, key = ?self.shown_key(), ttl, bytes, seconds, computed_in, "store");
        }
        is_stored
    }

    async fn query<T: Serialize + DeserializeOwned>(&mut self) -> LookupOutcome<T> {
        let start = Instant::now();
        let key = self.key;
        let answer = self.store.call("result", |store| async move { store.get(key).await }).await;
        self.time += start.elapsed();
        match answer {
            None => {
                self.is_available = false;
                LookupOutcome::Unavailable
            }
            Some(None) => LookupOutcome::Miss,
            Some(Some(stored)) => match loads(&stored.value) {
                Loaded::Value(value) if !is_null(&stored.value) => {
                    let bytes = stored.value.len() as u64;
                    self.count(Counters { hits: 1, bytes, ..self.elapsed() });
                    let ttl_left = stored.expires_at.map(|at| (at - clock::now()).max(0.0));
                    let seconds = self.started.elapsed().as_secs_f64();
                    tracing::debug!(service = %self.service(), prefix = self.prefix, key = ?self.shown_key(), ttl_left, bytes, seconds, "hit");
                    LookupOutcome::Found(value, stored.value)
                }
                loaded => {
                    let is_useful = matches!(loaded, Loaded::OtherType) && !is_null(&stored.value);
                    self.keeps_stored = self.is_shared && is_useful;
                    self.count(Counters { errors: 1, ..Counters::default() });
                    let (error, seconds) =
                        ("cannot deserialize the stored result", self.started.elapsed().as_secs_f64());
                    let service = self.service();
                    tracing::warn!(%service, prefix = self.prefix, key = ?self.shown_key(), seconds, error, "error");
                    LookupOutcome::Unreadable
                }
            },
        }
    }

    /// The key for logs.
    fn shown_key(&self) -> Redacted<'_> {
        Secrets::Masked.key(self.key)
    }

    fn service(&self) -> ServiceName {
        self.core.services.by_result_prefix(self.prefix.as_bytes())
    }

    fn elapsed(&self) -> Counters {
        Counters {
            waits: self.budget.has_waited().into(),
            lookup_micros: self.time.as_micros() as u64,
            ..Counters::default()
        }
    }

    fn count(&self, happened: Counters) {
        self.core.stats.count(&self.scope, happened);
    }
}

fn is_null(json: &[u8]) -> bool {
    json.trim_ascii() == b"null"
}

/// The JSON of a result; `None` if it is `null` or cannot be deserialized: waiters could not use it.
pub(crate) fn encode<T: Serialize + DeserializeOwned>(value: &T) -> Option<Bytes> {
    let written = json::dumps(value, JsonStyle { ascii: false, compact: false, sorted: false });
    let checked = written.and_then(|(text, kind)| match kind {
        Kind::None => Ok(None),
        _ => match loads::<T>(text.as_bytes()) {
            Loaded::Value(_) => Ok(Some(text.into())),
            Loaded::OtherType | Loaded::Invalid => Err(serde_json::Error::custom("not readable as its own type")),
        },
    });
    checked.unwrap_or_else(|error| {
        tracing::warn!(r#type = std::any::type_name::<T>(), %error, "cannot serialize the result; not caching it");
        None
    })
}
