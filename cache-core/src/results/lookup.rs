//! Lookup of one result, waiting for a concurrent computation, and their counters and events.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::clock;
use crate::error::chain;
use crate::format::python::json;
use crate::format::python::json::{Dumps, Kind};
use crate::model::service::ServiceName;
use crate::model::stats::{Counts, Scope};
use crate::runtime::guarded_store::Graceful;
use crate::runtime::shared::Core;
use crate::runtime::single_flight::{Lead, Turn, Waiting};

/// The state of one lookup.
pub(crate) struct Lookup<'a> {
    core: &'a Core,
    /// The store; its failures are counted as those of this function.
    store: Graceful,
    scope: Scope,
    prefix: &'a str,
    key: &'a str,
    started: Instant,
    /// Spent in the store.
    time: Duration,
    waiting: Waiting,
}

/// What the store has.
enum Answer<T> {
    /// With its JSON.
    Found(T, Bytes),
    Missing,
    /// The stored value is not a result of this type.
    Unreadable,
    /// The store failed.
    Unknown,
}

impl<'a> Lookup<'a> {
    pub(crate) fn new(core: &'a Core, prefix: &'a str, key: &'a str) -> Self {
        let scope = Scope::Result(prefix.to_owned());
        let store = core.store.telling({
            let (counters, scope, key) = (Arc::clone(&core.counters), scope.clone(), key.to_owned());
            let services = core.services.clone();
            move |operation, time, error| {
                let (service, prefix, seconds) = (scope.service(&services), scope.prefix(), time.as_secs_f64());
                tracing::warn!(%service, prefix, ?key, operation, seconds, error = chain(error), "error");
                counters.count(&scope, Counts { errors: 1, ..Counts::default() });
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
            waiting: Waiting::default(),
        }
    }

    /// The stored result with its JSON; or, if it has to be computed, the leader of those who wait for it, if waiting
    /// is possible.
    pub(crate) async fn find<T: DeserializeOwned>(&mut self) -> Result<(T, Bytes), Option<Lead>> {
        let mut lead: Option<Lead> = None;
        loop {
            let has_nothing = match self.ask().await {
                Answer::Found(value, json) => {
                    if let Some(lead) = lead {
                        lead.land(true).await;
                    }
                    return Ok((value, json));
                }
                Answer::Missing => true,
                Answer::Unreadable => false,
                // Without a store there is nothing to wait for.
                Answer::Unknown => break,
            };
            if lead.is_some() || !self.waiting.may_go_on(has_nothing) {
                break;
            }
            match self.core.flights.board(self.key, &mut self.waiting).await {
                Turn::Lead(granted) => lead = Some(granted),
                Turn::LookAgain => {}
                Turn::Alone => break,
            }
        }
        self.missed();
        Err(lead)
    }

    /// Counts and logs a miss.
    pub(crate) fn missed(&self) {
        self.count(Counts { misses: 1, ..self.so_far() });
        let seconds = self.started.elapsed().as_secs_f64();
        tracing::debug!(service = %self.service(), prefix = self.prefix, key = ?self.key, seconds, "miss");
    }

    /// Stores a result that was computed within `computed_in`. Returns whether it was stored.
    pub(crate) async fn store(&self, value: Bytes, ttl: Duration, computed_in: Duration) -> bool {
        let bytes = value.len() as u64;
        if bytes > self.core.largest_entry {
            return false;
        }
        let key = self.key;
        let stored = self.store.ask("put_result", |store| async move { store.set(key, value, ttl).await });
        let is_stored = stored.await.is_some();
        if is_stored {
            self.count(Counts { stores: 1, ..Counts::default() });
            let (ttl, computed_in) = (ttl.as_secs_f64(), computed_in.as_secs_f64());
            let seconds = self.started.elapsed().as_secs_f64();
            tracing::debug!(service = %self.service(), prefix = self.prefix, key = ?self.key, ttl, bytes, seconds, computed_in, "store");
        }
        is_stored
    }

    async fn ask<T: DeserializeOwned>(&mut self) -> Answer<T> {
        let start = Instant::now();
        let key = self.key;
        let answer = self.store.ask("result", |store| async move { store.get(key).await }).await;
        self.time += start.elapsed();
        match answer {
            None => Answer::Unknown,
            Some(None) => Answer::Missing,
            Some(Some(stored)) => match serde_json::from_slice(&stored.value) {
                Ok(value) if !is_null(&stored.value) => {
                    let bytes = stored.value.len() as u64;
                    self.count(Counts { hits: 1, bytes, ..self.so_far() });
                    let ttl_left = stored.expires_at.map(|at| (at - clock::now()).max(0.0));
                    let seconds = self.started.elapsed().as_secs_f64();
                    tracing::debug!(service = %self.service(), prefix = self.prefix, key = ?self.key, ttl_left, bytes, seconds, "hit");
                    Answer::Found(value, stored.value)
                }
                _ => {
                    self.count(Counts { errors: 1, ..Counts::default() });
                    let (error, seconds) =
                        ("cannot deserialize the stored result", self.started.elapsed().as_secs_f64());
                    let service = self.service();
                    tracing::warn!(%service, prefix = self.prefix, key = ?self.key, seconds, error, "error");
                    Answer::Unreadable
                }
            },
        }
    }

    fn service(&self) -> ServiceName {
        self.core.services.by_result_prefix(self.prefix.as_bytes())
    }

    fn so_far(&self) -> Counts {
        Counts {
            waits: self.waiting.has_waited().into(),
            lookup_micros: self.time.as_micros() as u64,
            ..Counts::default()
        }
    }

    fn count(&self, happened: Counts) {
        self.core.counters.count(&self.scope, happened);
    }
}

fn is_null(json: &[u8]) -> bool {
    json.trim_ascii() == b"null"
}

/// The JSON of a result; `None` if it is `null` or cannot be deserialized: waiters could not use it.
pub(crate) fn encode<T: Serialize + DeserializeOwned>(value: &T) -> Option<Bytes> {
    let written = json::dumps(value, Dumps { ascii: false, compact: false, sorted: false });
    let checked = written.and_then(|(text, kind)| match kind {
        Kind::None => Ok(None),
        _ => serde_json::from_str::<T>(&text).map(|_| Some(text.into())),
    });
    checked.unwrap_or_else(|error| {
        tracing::warn!(r#type = std::any::type_name::<T>(), %error, "cannot serialize the result; not caching it");
        None
    })
}
