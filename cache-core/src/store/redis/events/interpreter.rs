//! From signs to events: what the clients of a cache must have been doing. Pure: the time is a parameter.
//!
//! The rules, which follow from how the pipeline, hishel and this crate use their keys:
//! - A look-up is a `SMEMBERS` (hishel 2: a range) of an index. With notifications only one that finds none is seen.
//! - A *hit* is, of commands, a look-up whose entry is read within a second; of notifications, an entry whose TTL is set
//!   and that was not stored just now. Several entries under one key, refreshed together, are one look-up.
//! - A *miss* is a look-up of an index that is not there, or whose entries nobody reads. Whose it is only the response
//!   tells that is stored for it: the miss waits for that for a while. Misses of one key close together are one: this
//!   crate looks once more before it fetches.
//! - Whoever stores asks for the TTL of the index before he joins it, which looks like another miss: it is left out.
//! - A *store* is heads that are written and then joined to the index; without the index it is a *refresh* (a 304).
//! - A *removal* is a heads' key that is deleted, heads marked as deleted (hishel 1, the pipeline), or an entry that has
//!   left its index and gets a short TTL (hishel's own layouts).
//! - A result is missed where its key is not there. Of commands, reading one that is there is a hit, unless it was
//!   written only after that.

#[cfg(test)]
mod tests;

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;
use std::sync::Arc;

use moka::policy::EvictionPolicy;
use moka::sync::Cache;
use uuid::Uuid;

use crate::model::entry::{EntryId, Kind, Layout};
use crate::model::event::{Asked, Event, EventKind};
use crate::model::key::{CacheKey, ResultKey};
use crate::model::service::{ServiceName, ServiceRegistry};
use crate::store::redis::events::signal::Sign;

/// Commands of one look-up come this close together; seconds, as all of these.
pub(crate) const TOGETHER: f64 = 0.1;

/// What belongs to one look-up, or to one store, is done within this time.
pub(crate) const ONE_ACT: f64 = 1.0;

/// The heads of an entry are joined to the index within this time, or were only changed.
pub(crate) const JOINED_WITHIN: f64 = 5.0;

/// How long a miss waits for the response that tells whose it is.
pub(crate) const SERVICE_AWAITED: f64 = 10.0;

/// So many acts are followed at a time. Beyond that they are told as far as they are understood by then.
const AT_ONCE: usize = 4_096;

/// Of so many cache keys it is remembered whose they are.
const REMEMBERED: u64 = 10_000;

/// What is known of a stored entry.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Facts {
    pub(crate) id: EntryId,
    pub(crate) service: ServiceName,
    pub(crate) request: Arc<Asked>,
    /// Empty while hishel 2 is still writing the entry.
    pub(crate) cache_key: CacheKey,
    pub(crate) is_deleted: bool,
}

/// What was found out about a sign.
#[derive(Clone, Debug, Default)]
pub(crate) struct Context {
    /// The entry that it is about, if that is there.
    pub(crate) facts: Option<Arc<Facts>>,
    /// Of an index: the same key is there in the pipeline's layout. Of a result: it is there.
    pub(crate) is_there: bool,
}

/// Follows what is being done.
pub(crate) struct Recogniser {
    /// Reads are seen, not only what changes and what is missing.
    sees_reads: bool,
    services: ServiceRegistry,
    pub(crate) lookups: HashMap<CacheKey, Lookups>,
    pub(crate) writes: HashMap<Uuid, Write>,
    /// When each entry was read, or counted as hit, last.
    pub(crate) used: HashMap<Uuid, f64>,
    /// The entry that stands for all under its key, and when it was used.
    pub(crate) leaders: HashMap<CacheKey, (Uuid, f64)>,
    /// When an id left an index.
    pub(crate) left: HashMap<CacheKey, f64>,
    /// Reads of results that are there, which a write may still show to have been misses.
    pub(crate) result_reads: VecDeque<(Box<[u8]>, f64)>,
    /// When each result was written.
    pub(crate) result_writes: HashMap<Box<[u8]>, f64>,
    /// Whose the cache keys are.
    pub(crate) known: Cache<CacheKey, Arc<Facts>>,
    events: VecDeque<Event>,
}

/// What is open about one cache key.
#[derive(Default)]
pub(crate) struct Lookups {
    /// Look-ups that are neither hits nor misses yet.
    pub(crate) open: VecDeque<f64>,
    pub(crate) misses: Vec<Miss>,
    /// When the pipeline's index of it was last asked for.
    pub(crate) last: f64,
}

impl Lookups {
    pub(crate) fn unite_misses(&mut self) {
        self.misses.dedup_by(|later, earlier| later.at - earlier.at <= TOGETHER);
    }
}

pub(crate) struct Miss {
    pub(crate) at: f64,
    pub(crate) is_told: bool,
}

pub(crate) struct Write {
    pub(crate) at: f64,
    pub(crate) facts: Arc<Facts>,
    pub(crate) is_joined: bool,
    has_ttl: bool,
}

impl Recogniser {
    pub(crate) fn new(sees_reads: bool, services: ServiceRegistry) -> Self {
        Self {
            sees_reads,
            services,
            lookups: HashMap::new(),
            writes: HashMap::new(),
            used: HashMap::new(),
            leaders: HashMap::new(),
            left: HashMap::new(),
            result_reads: VecDeque::new(),
            result_writes: HashMap::new(),
            known: Cache::builder().max_capacity(REMEMBERED).eviction_policy(EvictionPolicy::lru()).build(),
            events: VecDeque::new(),
        }
    }

    /// The next event, if there is one.
    pub(crate) fn next(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// Takes note of a sign.
    pub(crate) fn observe(&mut self, at: f64, sign: Sign, context: Context) {
        if let Some(facts) = context.facts.as_ref().filter(|facts| !facts.cache_key.as_bytes().is_empty()) {
            self.known.insert(facts.cache_key.clone(), Arc::clone(facts));
        }
        // hishel 2 has no entry before its body is whole, and what is marked as deleted is no entry any more.
        let is_live = |facts: &&Arc<Facts>| !facts.is_deleted && !facts.cache_key.as_bytes().is_empty();
        let live = context.facts.as_ref().filter(is_live);
        match sign {
            Sign::IndexRead(layout, key) => self.index_read(at, layout, key),
            Sign::IndexMissed(layout, key) => self.index_missed(at, layout, key, context.is_there),
            Sign::IndexJoined(key) => self.index_joined(at, &key),
            Sign::IndexLeft(key) => note(&mut self.left, key, at),
            Sign::HeadsRead(_, id) => {
                if let Some(facts) = live {
                    self.heads_read(at, id, facts);
                }
            }
            Sign::HeadsWritten(_, id) => {
                if let Some(facts) = context.facts.filter(|facts| !facts.cache_key.as_bytes().is_empty()) {
                    self.heads_written(at, id, facts);
                }
            }
            Sign::BodyMarked(id) => {
                if let Some(facts) = context.facts.filter(|facts| matches!(facts.id, EntryId::Http(Layout::Hishel2, _)))
                {
                    self.heads_written(at, id, facts);
                }
            }
            Sign::TtlSet(_, id) => self.ttl_set(at, id, live),
            Sign::EntryGone(layout, id, how) => {
                self.writes.remove(&id);
                match context.facts {
                    // Told when it was marked.
                    Some(facts) if facts.is_deleted => {}
                    Some(facts) => self.tell(at, how, &facts),
                    None => self
                        .events
                        .push_back(Event { id: Some(EntryId::Http(layout, id)), ..nameless(at, how, Kind::Http) }),
                }
            }
            Sign::ResultRead(key) if !context.is_there => self.tell_result(at, EventKind::Miss, key),
            Sign::ResultRead(key) if self.result_reads.len() < AT_ONCE => self.result_reads.push_back((key, at)),
            Sign::ResultRead(key) => self.tell_result(at, EventKind::Hit, key),
            Sign::ResultMissed(key) => self.tell_result(at, EventKind::Miss, key),
            Sign::ResultWritten(key) => {
                while let Some(read) = self.result_reads.iter().position(|(read, _)| *read == key) {
                    if let Some((key, at)) = self.result_reads.remove(read) {
                        self.tell_result(at, EventKind::Miss, key);
                    }
                }
                note(&mut self.result_writes, key.clone(), at);
                self.tell_result(at, EventKind::Store, key);
            }
            Sign::ResultTtlSet(key) => {
                // Storing sets the TTL too.
                if !self.result_writes.remove(&key).is_some_and(|written| at - written <= ONE_ACT) {
                    self.tell_result(at, EventKind::Refresh, key);
                }
            }
            Sign::ResultGone(key, how) => self.tell_result(at, how, key),
        }
    }

    fn index_read(&mut self, at: f64, layout: Layout, key: CacheKey) {
        let Some(lookups) = slot(&mut self.lookups, key) else { return };
        // This crate asks for the indexes of all layouts, the pipeline's first.
        if layout == Layout::Pipeline {
            lookups.last = at;
        } else if at - lookups.last <= TOGETHER {
            return;
        }
        lookups.open.push_back(at);
    }

    fn index_missed(&mut self, at: f64, layout: Layout, key: CacheKey, is_elsewhere: bool) {
        let is_together = self.lookups.get(&key).is_some_and(|lookups| at - lookups.last <= TOGETHER);
        if layout != Layout::Pipeline && (is_elsewhere || is_together) {
            return;
        }
        // Whoever takes the last id out of an index looks whether it is gone.
        if self.left.get(&key).is_some_and(|left| at - left <= TOGETHER) {
            return;
        }
        match slot(&mut self.lookups, key.clone()) {
            Some(lookups) => {
                if layout == Layout::Pipeline {
                    lookups.last = at;
                }
                lookups.misses.push(Miss { at, is_told: false });
            }
            None => self.tell_miss(at, key),
        }
    }

    fn heads_read(&mut self, at: f64, id: Uuid, facts: &Arc<Facts>) {
        note(&mut self.used, id, at);
        if let Some(asked) = self.lookups.get_mut(&facts.cache_key).and_then(|lookups| lookups.open.pop_front()) {
            self.tell(asked, EventKind::Hit, facts);
        }
    }

    fn heads_written(&mut self, at: f64, id: Uuid, facts: Arc<Facts>) {
        // Heads that were stored and marked as deleted at once may be seen only after both.
        let is_joined = self.writes.get(&id).is_some_and(|write| write.is_joined);
        if facts.is_deleted && is_joined {
            self.tell(at, EventKind::Remove, &facts);
        } else if self.writes.len() < AT_ONCE || self.writes.contains_key(&id) {
            self.writes.insert(id, Write { at, facts, is_joined: false, has_ttl: false });
        } else {
            self.tell(at, EventKind::Store, &facts);
        }
    }

    fn index_joined(&mut self, at: f64, key: &CacheKey) {
        let mut stored = Vec::new();
        for write in self.writes.values_mut().filter(|write| !write.is_joined && write.facts.cache_key == *key) {
            write.is_joined = true;
            write.at = at;
            stored.push(Arc::clone(&write.facts));
        }
        if stored.is_empty() {
            return;
        }
        if let Some(lookups) = self.lookups.get_mut(key) {
            // A look-up that is still open found nothing, or else nothing would have been stored.
            lookups.misses.extend(lookups.open.drain(..).map(|at| Miss { at, is_told: false }));
            lookups.unite_misses();
            // The last to ask for it, just before it was joined, wanted its TTL.
            if !self.sees_reads && lookups.misses.len() > 1 {
                lookups.misses.pop_if(|miss| !miss.is_told && at - miss.at <= TOGETHER);
            }
        }
        if let Some(lookups) = self.lookups.remove(key) {
            for miss in lookups.misses.into_iter().filter(|miss| !miss.is_told) {
                self.tell_miss(miss.at, key.clone());
            }
        }
        for facts in stored {
            self.tell(at, EventKind::Store, &facts);
        }
    }

    fn ttl_set(&mut self, at: f64, id: Uuid, live: Option<&Arc<Facts>>) {
        if let Some(write) = self.writes.get_mut(&id).filter(|write| !(write.is_joined && write.has_ttl)) {
            // Storing sets the TTL too, before or after the entry joins the index.
            write.has_ttl = true;
            return;
        }
        let Some(facts) = live else { return };
        if self.left.get(&facts.cache_key).is_some_and(|left| at - left <= ONE_ACT) {
            return self.tell(at, EventKind::Remove, facts);
        }
        if self.sees_reads {
            // Using an entry refreshes its TTL, which is part of the hit.
            if !self.used.get(&id).is_some_and(|read| at - read <= ONE_ACT) {
                self.tell(at, EventKind::Refresh, facts);
            }
            return;
        }
        let leader = self.leaders.get(&facts.cache_key).filter(|(_, used)| at - used <= ONE_ACT);
        if leader.is_none_or(|(leader, _)| *leader == id) {
            note(&mut self.leaders, facts.cache_key.clone(), (id, at));
            self.tell(at, EventKind::Hit, facts);
        }
    }

    pub(crate) fn tell(&mut self, at: f64, kind: EventKind, facts: &Facts) {
        self.events.push_back(Event {
            service: Some(facts.service),
            id: Some(facts.id.clone()),
            cache_key: Some(facts.cache_key.clone()),
            request: Some(Arc::clone(&facts.request)),
            ..nameless(at, kind, Kind::Http)
        });
    }

    pub(crate) fn tell_miss(&mut self, at: f64, key: CacheKey) {
        let facts = self.known.get(&key);
        self.events.push_back(Event {
            service: facts.as_ref().map(|facts| facts.service),
            request: facts.map(|facts| Arc::clone(&facts.request)),
            cache_key: Some(key),
            ..nameless(at, EventKind::Miss, Kind::Http)
        });
    }

    pub(crate) fn tell_result(&mut self, at: f64, kind: EventKind, key: Box<[u8]>) {
        let service = ResultKey::parse(&key).map(|key| self.services.by_result_prefix(key.prefix));
        self.events.push_back(Event { service, id: Some(EntryId::Key(key)), ..nameless(at, kind, Kind::Result) });
    }
}

fn nameless(at: f64, kind: EventKind, cache: Kind) -> Event {
    Event { at, kind, cache, service: None, id: None, cache_key: None, request: None }
}

/// Remembers something, as long as there is room.
fn note<K: Eq + Hash, V>(map: &mut HashMap<K, V>, key: K, value: V) {
    if map.len() < AT_ONCE || map.contains_key(&key) {
        map.insert(key, value);
    }
}

fn slot(lookups: &mut HashMap<CacheKey, Lookups>, key: CacheKey) -> Option<&mut Lookups> {
    if lookups.len() >= AT_ONCE && !lookups.contains_key(&key) {
        return None;
    }
    Some(lookups.entry(key).or_default())
}
