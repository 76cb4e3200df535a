//! Operations of clients that have not ended yet, and the events derived so far.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;
use std::sync::Arc;

use moka::policy::EvictionPolicy;
use moka::sync::Cache;
use uuid::Uuid;

use crate::model::entry::{CacheKind, EntryId};
use crate::model::event::{CacheEvent, EventKind, RequestLine};
use crate::model::key::{CacheKey, ResultKey};
use crate::model::service::{ServiceName, ServiceRegistry};

/// The commands of one lookup arrive within this time; seconds, as all of these.
pub(crate) const LOOKUP_WINDOW: f64 = 0.1;

/// The steps of one lookup, or of one store, arrive within this time.
pub(crate) const ACTION_WINDOW: f64 = 1.0;

/// The head of a new entry joins the index within this time; otherwise it was only updated.
pub(crate) const JOIN_TIMEOUT: f64 = 5.0;

/// How long a miss waits for the response that identifies its service.
pub(crate) const SERVICE_TIMEOUT: f64 = 10.0;

/// The maximum number of pending operations. Further ones are reported as far as they are known.
pub(crate) const MAX_PENDING: usize = 4_096;

/// The maximum number of cache keys with a remembered service.
const REMEMBERED: u64 = 10_000;

/// Data of a stored entry.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Facts {
    pub(crate) id: EntryId,
    pub(crate) service: ServiceName,
    pub(crate) request: Arc<RequestLine>,
    /// Empty while hishel 2 is still writing the entry.
    pub(crate) cache_key: CacheKey,
    pub(crate) is_deleted: bool,
}

/// The open lookups of one cache key.
#[derive(Default)]
pub(crate) struct Lookups {
    /// Lookups that are neither hits nor misses yet.
    pub(crate) open: VecDeque<f64>,
    pub(crate) misses: Vec<Miss>,
    /// When the pipeline's index of it was last read.
    pub(crate) last: f64,
}

impl Lookups {
    pub(crate) fn merge_misses(&mut self) {
        self.misses.dedup_by(|later, earlier| later.at - earlier.at <= LOOKUP_WINDOW);
    }
}

pub(crate) struct Miss {
    pub(crate) at: f64,
    pub(crate) is_reported: bool,
}

pub(crate) struct Write {
    pub(crate) at: f64,
    pub(crate) facts: Arc<Facts>,
    pub(crate) is_joined: bool,
    pub(crate) has_ttl: bool,
}

/// The open operations, by key or entry.
pub(crate) struct Pending {
    pub(crate) lookups: HashMap<CacheKey, Lookups>,
    pub(crate) writes: HashMap<Uuid, Write>,
    /// When each entry was last read or counted as a hit.
    pub(crate) used: HashMap<Uuid, f64>,
    /// The entry that represents all entries under its key, and when it was used.
    pub(crate) leaders: HashMap<CacheKey, (Uuid, f64)>,
    /// When an id left an index.
    pub(crate) left: HashMap<CacheKey, f64>,
    /// Reads of existing results, which a later write may turn into misses.
    pub(crate) result_reads: VecDeque<(Box<[u8]>, f64)>,
    /// When each result was written.
    pub(crate) result_writes: HashMap<Box<[u8]>, f64>,
    /// The entry that was last seen under each cache key, for its service.
    pub(crate) known: Cache<CacheKey, Arc<Facts>>,
    pub(crate) events: VecDeque<CacheEvent>,
    services: ServiceRegistry,
}

impl Pending {
    pub(crate) fn new(services: ServiceRegistry) -> Self {
        Self {
            lookups: HashMap::new(),
            writes: HashMap::new(),
            used: HashMap::new(),
            leaders: HashMap::new(),
            left: HashMap::new(),
            result_reads: VecDeque::new(),
            result_writes: HashMap::new(),
            known: Cache::builder().max_capacity(REMEMBERED).eviction_policy(EvictionPolicy::lru()).build(),
            events: VecDeque::new(),
            services,
        }
    }

    pub(crate) fn emit(&mut self, at: f64, kind: EventKind, facts: &Facts) {
        self.events.push_back(CacheEvent {
            service: Some(facts.service),
            id: Some(facts.id.clone()),
            cache_key: Some(facts.cache_key.clone()),
            request: Some(Arc::clone(&facts.request)),
            ..unidentified(at, kind, CacheKind::Http)
        });
    }

    pub(crate) fn emit_miss(&mut self, at: f64, key: CacheKey) {
        let facts = self.known.get(&key);
        self.events.push_back(CacheEvent {
            service: facts.as_ref().map(|facts| facts.service),
            request: facts.map(|facts| Arc::clone(&facts.request)),
            cache_key: Some(key),
            ..unidentified(at, EventKind::Miss, CacheKind::Http)
        });
    }

    pub(crate) fn emit_result(&mut self, at: f64, kind: EventKind, key: Box<[u8]>) {
        let service = ResultKey::parse(&key).map(|key| self.services.by_result_prefix(key.prefix));
        self.events.push_back(CacheEvent {
            service,
            id: Some(EntryId::Key(key)),
            ..unidentified(at, kind, CacheKind::Result)
        });
    }
}

/// An event of an unknown entry.
pub(crate) fn unidentified(at: f64, kind: EventKind, cache: CacheKind) -> CacheEvent {
    CacheEvent { at, kind, cache, service: None, id: None, cache_key: None, request: None }
}

/// Records a value if there is room.
pub(crate) fn note<K: Eq + Hash, V>(map: &mut HashMap<K, V>, key: K, value: V) {
    if map.len() < MAX_PENDING || map.contains_key(&key) {
        map.insert(key, value);
    }
}

/// The operations under a key; `None`: there is no room for another key.
pub(crate) fn slot(lookups: &mut HashMap<CacheKey, Lookups>, key: CacheKey) -> Option<&mut Lookups> {
    if lookups.len() >= MAX_PENDING && !lookups.contains_key(&key) {
        return None;
    }
    Some(lookups.entry(key).or_default())
}
