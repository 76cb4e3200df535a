//! What the caches did, counted by the hour: hits, misses and the rest, for each service and each result prefix.

use std::collections::HashMap;
use std::ops::AddAssign;
use std::sync::{Mutex, PoisonError};

use crate::service::Service;

/// How long an hour's counters are kept, in seconds (7 days).
pub const KEPT: f64 = 7.0 * 86_400.0;

/// Whose counters.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Scope {
    /// The HTTP cache of one service.
    Http(Service),
    /// The result cache under one key prefix.
    Result(String),
}

/// What was counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Answers from the store that the origin was not asked about.
    pub hits: u64,
    /// Answers that the origin, or the function, had to give.
    pub misses: u64,
    /// Responses or results stored.
    pub stores: u64,
    /// Stored responses that the origin said are still good (304).
    pub revalidations: u64,
    /// Hits that were stale.
    pub stale: u64,
    /// Calls of the store that failed or took too long.
    pub errors: u64,
    /// Requests that waited for another's fetch of the same key.
    pub waits: u64,
    /// Bytes of bodies and values served from the store.
    pub bytes: u64,
    /// Time spent looking up, in microseconds, of hits and misses together.
    pub lookup_micros: u64,
}

/// The counters of one hour.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bucket {
    /// When the hour began, in hours since the Unix epoch.
    pub hour: i64,
    /// Whose they are.
    pub scope: Scope,
    /// The counters.
    pub counts: Counts,
}

impl Counts {
    /// The share of hits among hits and misses; `None` where there were neither.
    pub fn hit_rate(&self) -> Option<f64> {
        let asked = self.hits + self.misses;
        (asked > 0).then(|| self.hits as f64 / asked as f64)
    }

    /// Every counter with its name in the store and in JSON.
    pub fn fields(&self) -> [(&'static str, u64); 9] {
        [
            ("hits", self.hits),
            ("misses", self.misses),
            ("stores", self.stores),
            ("revalidations", self.revalidations),
            ("stale", self.stale),
            ("errors", self.errors),
            ("waits", self.waits),
            ("bytes", self.bytes),
            ("lookup_micros", self.lookup_micros),
        ]
    }

    /// The counter of this name.
    pub fn field_mut(&mut self, name: &str) -> Option<&mut u64> {
        Some(match name {
            "hits" => &mut self.hits,
            "misses" => &mut self.misses,
            "stores" => &mut self.stores,
            "revalidations" => &mut self.revalidations,
            "stale" => &mut self.stale,
            "errors" => &mut self.errors,
            "waits" => &mut self.waits,
            "bytes" => &mut self.bytes,
            "lookup_micros" => &mut self.lookup_micros,
            _ => return None,
        })
    }
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        for (name, value) in other.fields() {
            if let Some(field) = self.field_mut(name) {
                *field += value;
            }
        }
    }
}

impl Scope {
    /// The name in the store: `http:jikan`, `result:anisearch_anime`.
    pub fn name(&self) -> String {
        match self {
            Self::Http(service) => format!("http:{service}"),
            Self::Result(prefix) => format!("result:{prefix}"),
        }
    }

    /// The scope of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        match name.split_once(':')? {
            ("http", service) => Service::from_name(service).map(Self::Http),
            ("result", prefix) => Some(Self::Result(prefix.to_owned())),
            _ => None,
        }
    }
}

/// What this process counted and has not handed over to the store yet.
#[derive(Default)]
pub(crate) struct Counters {
    pending: Mutex<HashMap<Scope, Counts>>,
}

impl Counters {
    /// Counts something that just happened.
    pub(crate) fn count(&self, scope: &Scope, happened: Counts) {
        let mut pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
        match pending.get_mut(scope) {
            Some(counts) => *counts += happened,
            None => drop(pending.insert(scope.clone(), happened)),
        }
    }
}
