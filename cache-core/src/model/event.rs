//! Cache events observed from outside (`watch`), for programs that do not record counters.
//!
//! Events are a sample: only those visible to other Redis clients, and only while watching.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::model::entry::{CacheKind, EntryId};
use crate::model::key::CacheKey;
use crate::model::service::ServiceName;
use crate::model::stats::hit_rate;

/// Source of events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventSource {
    /// The server's keyspace notifications, which cost it little. They include expiries, but no hits of results, and
    /// hits of responses only where each use renews the TTL (the pipeline's default).
    Notifications {
        /// Enables them if they are off, and restores the server's setting at the end.
        enables: bool,
    },
    /// Every command that the server receives (`MONITOR`), which slows the server down while it runs. Includes hits of
    /// both caches, but no expiries.
    Commands {
        /// It ends after this time.
        window: Duration,
        /// It ends after so many commands.
        limit: u64,
    },
}

impl EventSource {
    /// The name of the server's feature.
    pub fn name(self) -> &'static str {
        match self {
            Self::Notifications { .. } => "notifications",
            Self::Commands { .. } => "monitor",
        }
    }

    /// Whether this source can observe events of this kind in this cache.
    pub fn can_observe(self, kind: EventKind, cache: CacheKind) -> bool {
        match (self, kind) {
            (Self::Notifications { .. }, EventKind::Hit) => cache == CacheKind::Http,
            (Self::Commands { .. }, EventKind::Expire | EventKind::Evict) => false,
            _ => true,
        }
    }
}

/// Kind of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum EventKind {
    /// A lookup found an entry.
    Hit,
    /// A lookup found nothing.
    Miss,
    /// A response or a result was stored.
    Store,
    /// A stored entry was changed: its head (as by a 304), or its TTL.
    Refresh,
    /// The TTL of an entry expired.
    Expire,
    /// The server evicted an entry to free memory.
    Evict,
    /// A client deleted an entry.
    Remove,
}

impl EventKind {
    /// Every kind.
    pub const ALL: [Self; 7] =
        [Self::Hit, Self::Miss, Self::Store, Self::Refresh, Self::Expire, Self::Evict, Self::Remove];

    /// The name in JSON and on screens.
    pub fn name(self) -> &'static str {
        match self {
            Self::Hit => "hit",
            Self::Miss => "miss",
            Self::Store => "store",
            Self::Refresh => "refresh",
            Self::Expire => "expire",
            Self::Evict => "evict",
            Self::Remove => "remove",
        }
    }
}

/// A cache event.
#[derive(Clone, Debug, PartialEq)]
pub struct CacheEvent {
    /// When it was seen, in Unix seconds.
    pub at: f64,
    /// What happened.
    pub kind: EventKind,
    /// The cache.
    pub cache: CacheKind,
    /// The service. `None` if only the stored entry identifies it, and that is gone or was never stored.
    pub service: Option<ServiceName>,
    /// The entry; `None` for a lookup that found none.
    pub id: Option<EntryId>,
    /// The cache key of a response, if it is known.
    pub cache_key: Option<CacheKey>,
    /// The request of a response, if it is known.
    pub request: Option<Arc<RequestLine>>,
}

/// Method and URL of a cached request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestLine {
    /// The method.
    pub method: String,
    /// The URL, secrets in its query included.
    pub url: String,
}

/// An item of the event stream.
#[derive(Clone, Debug, PartialEq)]
pub enum Observation {
    /// Something happened.
    Event(CacheEvent),
    /// The connection was lost, and nothing was observed for this duration.
    Gap(Duration),
    /// The reader was too slow: this number of signals was dropped.
    Lost(u64),
}

/// Totals of a watch.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct EventTotals {
    /// By service and cache; `None`: the service is unknown.
    pub counts: BTreeMap<(Option<ServiceName>, CacheKind), EventCounts>,
    /// How often the connection was lost.
    pub gaps: u64,
    /// The total duration without observation.
    pub unseen: Duration,
    /// Number of signals that were dropped.
    pub lost: u64,
}

/// Counts by kind of event.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EventCounts([u64; EventKind::ALL.len()]);

impl EventCounts {
    /// The count of this kind.
    pub fn get(&self, kind: EventKind) -> u64 {
        self.0[kind as usize]
    }

    /// The share of hits among hits and misses; `None` if there are neither.
    pub fn hit_rate(&self) -> Option<f64> {
        hit_rate(self.get(EventKind::Hit), self.get(EventKind::Miss))
    }
}

impl EventTotals {
    /// Adds an observation.
    pub fn add(&mut self, seen: &Observation) {
        match seen {
            Observation::Event(event) => {
                self.counts.entry((event.service, event.cache)).or_default().0[event.kind as usize] += 1;
            }
            Observation::Gap(gap) => {
                self.gaps += 1;
                self.unseen += *gap;
            }
            Observation::Lost(signs) => self.lost += signs,
        }
    }

    /// The counts of one cache, for all services.
    pub fn total(&self, cache: CacheKind) -> EventCounts {
        let mut all = EventCounts::default();
        for (_, happened) in self.counts.iter().filter(|((_, of), _)| *of == cache) {
            for (sum, count) in all.0.iter_mut().zip(happened.0) {
                *sum += count;
            }
        }
        all
    }
}
