//! What happens in a cache while it is watched: for caches whose programs keep no statistics.
//!
//! The events are a sample: it begins and ends with the watch, and depends on what the server reports of its clients.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::model::entry::{CacheKind, EntryId};
use crate::model::key::CacheKey;
use crate::model::service::ServiceName;
use crate::model::stats::hit_rate;

/// What events are derived from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventSource {
    /// The server's keyspace notifications, which cost it little. They report expiries, too, but no hit of a result, and
    /// hits of HTTP entries only where each use refreshes the TTL (the pipeline's default).
    Notifications {
        /// Turns them on where they are off, and puts the server's setting back at the end.
        enables: bool,
    },
    /// Every command that the server is given (`MONITOR`), which costs it dearly. Tells hits of both caches, but no
    /// expiries.
    Commands {
        /// It ends after this time.
        window: Duration,
        /// It ends after so many commands.
        limit: u64,
    },
}

impl EventSource {
    /// The name of what is asked of the server.
    pub fn name(self) -> &'static str {
        match self {
            Self::Notifications { .. } => "notifications",
            Self::Commands { .. } => "monitor",
        }
    }

    /// Whether this source can observe this of this cache at all.
    pub fn can_observe(self, kind: EventKind, cache: CacheKind) -> bool {
        match (self, kind) {
            (Self::Notifications { .. }, EventKind::Hit) => cache == CacheKind::Http,
            (Self::Commands { .. }, EventKind::Expire | EventKind::Evict) => false,
            _ => true,
        }
    }
}

/// What happened.
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
    /// It came to the end of its TTL.
    Expire,
    /// The server needed the memory.
    Evict,
    /// Somebody removed it.
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

/// One thing that happened.
#[derive(Clone, Debug, PartialEq)]
pub struct CacheEvent {
    /// When it was seen, in Unix seconds.
    pub at: f64,
    /// What happened.
    pub kind: EventKind,
    /// In which cache.
    pub cache: CacheKind,
    /// Its service. `None` where only the stored entry has it and is gone or was never stored.
    pub service: Option<ServiceName>,
    /// The entry; `None` for a lookup that found none.
    pub id: Option<EntryId>,
    /// The key that an HTTP entry is looked up by, where that is known.
    pub cache_key: Option<CacheKey>,
    /// The request that an HTTP entry answers, where that is known.
    pub request: Option<Arc<RequestLine>>,
}

/// What was asked for, of an HTTP entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestLine {
    /// The method.
    pub method: String,
    /// The URL, secrets in its query included.
    pub url: String,
}

/// What a watch returns.
#[derive(Clone, Debug, PartialEq)]
pub enum Observation {
    /// Something happened.
    Event(CacheEvent),
    /// The connection was lost, and nothing was seen for so long.
    Gap(Duration),
    /// More happened than could be followed: so many signs of it were dropped.
    Lost(u64),
}

/// What a watch saw, added up.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct EventTotals {
    /// By service and cache; `None`: the service is not known.
    pub counts: BTreeMap<(Option<ServiceName>, CacheKind), EventCounts>,
    /// How often the connection was lost.
    pub gaps: u64,
    /// How long nothing was seen, in all.
    pub unseen: Duration,
    /// Signs of events that were dropped.
    pub lost: u64,
}

/// How often each kind of event was seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EventCounts([u64; EventKind::ALL.len()]);

impl EventCounts {
    /// How often this was seen.
    pub fn get(&self, kind: EventKind) -> u64 {
        self.0[kind as usize]
    }

    /// The share of hits among hits and misses; `None` where there were neither.
    pub fn hit_rate(&self) -> Option<f64> {
        hit_rate(self.get(EventKind::Hit), self.get(EventKind::Miss))
    }
}

impl EventTotals {
    /// Adds what was seen.
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

    /// Everything of one cache together.
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
