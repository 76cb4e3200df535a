//! Derives events from signals. Pure: the time is a parameter.
//!
//! The rules follow from how the pipeline, hishel and this crate use their keys:
//! - A lookup is a `SMEMBERS` (hishel 2: a range) of an index. Notifications show only lookups that find none.
//! - A *hit* is, with commands, a lookup with an entry that is read within a second; with notifications, an entry that
//!   gets a new TTL and was not stored just now. Several entries under one key, renewed together, are one lookup.
//! - A *miss* is a lookup of an index that does not exist, or has no entry that is read. Its service is known only from
//!   the response that is stored for it: the miss waits for that for a while. Misses of one key close together are one:
//!   this crate looks up a second time before it fetches.
//! - A store reads the TTL of the index before it joins the index, which looks like another miss: it is ignored.
//! - A *store* is a head that is written and then joined to the index; without the index it is a *refresh* (a 304).
//! - A *removal* is a deleted key of a head, a head marked as deleted (hishel 1, the pipeline), or an entry that left
//!   its index and gets a short TTL (hishel's own layouts).
//! - A result is missed if its key does not exist. With commands, reading an existing one is a hit, unless it was
//!   written only afterwards.

#[cfg(test)]
mod tests;

use std::sync::Arc;

use uuid::Uuid;

use crate::model::entry::{CacheKind, EntryId, StorageLayout};
use crate::model::event::{CacheEvent, EventKind};
use crate::model::key::CacheKey;
use crate::model::service::ServiceRegistry;
use crate::store::redis::events::pending::{
    ACTION_WINDOW, Facts, LOOKUP_WINDOW, MAX_PENDING, Miss, Pending, Write, note, slot, unidentified,
};
use crate::store::redis::events::signal::Signal;
use crate::store::redis::events::timeouts;

/// Data read from the server about a signal.
#[derive(Clone, Debug, Default)]
pub(crate) struct Context {
    /// The entry of the signal, if it exists.
    pub(crate) facts: Option<Arc<Facts>>,
    /// Of an index: the same key exists in the pipeline's layout. Of a result: it exists.
    pub(crate) is_there: bool,
}

/// Derives events from the signals of a cache's clients.
pub(crate) struct EventInterpreter {
    /// Whether reads are observed, not only changes and misses.
    sees_reads: bool,
    pending: Pending,
}

impl EventInterpreter {
    pub(crate) fn new(sees_reads: bool, services: ServiceRegistry) -> Self {
        Self { sees_reads, pending: Pending::new(services) }
    }

    /// The next event, if there is one.
    pub(crate) fn next(&mut self) -> Option<CacheEvent> {
        self.pending.events.pop_front()
    }

    /// Interprets one signal.
    pub(crate) fn observe(&mut self, at: f64, signal: Signal, context: Context) {
        if let Some(facts) = context.facts.as_ref().filter(|facts| !facts.cache_key.as_bytes().is_empty()) {
            self.pending.known.insert(facts.cache_key.clone(), Arc::clone(facts));
        }
        // hishel 2 has no entry before its body is complete, and an entry marked as deleted is no entry any more.
        let is_live = |facts: &&Arc<Facts>| !facts.is_deleted && !facts.cache_key.as_bytes().is_empty();
        let live = context.facts.as_ref().filter(is_live);
        match signal {
            Signal::IndexRead(layout, key) => self.index_read(at, layout, key),
            Signal::IndexMissed(layout, key) => self.index_missed(at, layout, key, context.is_there),
            Signal::IndexJoined(key) => self.index_joined(at, &key),
            Signal::IndexLeft(key) => note(&mut self.pending.left, key, at),
            Signal::HeadsRead(_, id) => {
                if let Some(facts) = live {
                    self.head_read(at, id, facts);
                }
            }
            Signal::HeadsWritten(_, id) => {
                if let Some(facts) = context.facts.filter(|facts| !facts.cache_key.as_bytes().is_empty()) {
                    self.head_written(at, id, facts);
                }
            }
            Signal::BodyMarked(id) => {
                if let Some(facts) =
                    context.facts.filter(|facts| matches!(facts.id, EntryId::Http(StorageLayout::Hishel2, _)))
                {
                    self.head_written(at, id, facts);
                }
            }
            Signal::TtlSet(_, id) => self.ttl_set(at, id, live),
            Signal::EntryGone(layout, id, how) => {
                self.entry_gone(at, EntryId::Http(layout, id), id, how, context.facts);
            }
            Signal::ResultRead(key) => self.result_read(at, key, context.is_there),
            Signal::ResultMissed(key) => self.pending.emit_result(at, EventKind::Miss, key),
            Signal::ResultWritten(key) => self.result_written(at, key),
            Signal::ResultTtlSet(key) => self.result_ttl_set(at, key),
            Signal::ResultGone(key, how) => self.pending.emit_result(at, how, key),
        }
    }

    fn index_read(&mut self, at: f64, layout: StorageLayout, key: CacheKey) {
        let Some(lookups) = slot(&mut self.pending.lookups, key) else { return };
        // This crate reads the indexes of all layouts, the pipeline's first.
        if layout == StorageLayout::Pipeline {
            lookups.last = at;
        } else if at - lookups.last <= LOOKUP_WINDOW {
            return;
        }
        lookups.open.push_back(at);
    }

    fn index_missed(&mut self, at: f64, layout: StorageLayout, key: CacheKey, is_elsewhere: bool) {
        let is_together = self.pending.lookups.get(&key).is_some_and(|lookups| at - lookups.last <= LOOKUP_WINDOW);
        if layout != StorageLayout::Pipeline && (is_elsewhere || is_together) {
            return;
        }
        // A client that removes the last id of an index checks whether the index is gone.
        if self.pending.left.get(&key).is_some_and(|left| at - left <= LOOKUP_WINDOW) {
            return;
        }
        match slot(&mut self.pending.lookups, key.clone()) {
            Some(lookups) => {
                if layout == StorageLayout::Pipeline {
                    lookups.last = at;
                }
                lookups.misses.push(Miss { at, is_reported: false });
            }
            None => self.pending.emit_miss(at, key),
        }
    }

    fn head_read(&mut self, at: f64, id: Uuid, facts: &Arc<Facts>) {
        note(&mut self.pending.used, id, at);
        if let Some(asked) = self.pending.lookups.get_mut(&facts.cache_key).and_then(|lookups| lookups.open.pop_front())
        {
            self.pending.emit(asked, EventKind::Hit, facts);
        }
    }

    fn head_written(&mut self, at: f64, id: Uuid, facts: Arc<Facts>) {
        // A head that is stored and marked as deleted at once may be seen only after both.
        let is_joined = self.pending.writes.get(&id).is_some_and(|write| write.is_joined);
        if facts.is_deleted && is_joined {
            self.pending.emit(at, EventKind::Remove, &facts);
        } else if self.pending.writes.len() < MAX_PENDING || self.pending.writes.contains_key(&id) {
            self.pending.writes.insert(id, Write { at, facts, is_joined: false, has_ttl: false });
        } else {
            self.pending.emit(at, EventKind::Store, &facts);
        }
    }

    fn index_joined(&mut self, at: f64, key: &CacheKey) {
        let mut stored = Vec::new();
        for write in self.pending.writes.values_mut().filter(|write| !write.is_joined && write.facts.cache_key == *key)
        {
            write.is_joined = true;
            write.at = at;
            stored.push(Arc::clone(&write.facts));
        }
        if stored.is_empty() {
            return;
        }
        if let Some(lookups) = self.pending.lookups.get_mut(key) {
            // A lookup that is still open found nothing: otherwise nothing would have been stored.
            lookups.misses.extend(lookups.open.drain(..).map(|at| Miss { at, is_reported: false }));
            lookups.merge_misses();
            // The last read, just before the join, was for the TTL.
            if !self.sees_reads && lookups.misses.len() > 1 {
                lookups.misses.pop_if(|miss| !miss.is_reported && at - miss.at <= LOOKUP_WINDOW);
            }
        }
        if let Some(lookups) = self.pending.lookups.remove(key) {
            for miss in lookups.misses.into_iter().filter(|miss| !miss.is_reported) {
                self.pending.emit_miss(miss.at, key.clone());
            }
        }
        for facts in stored {
            self.pending.emit(at, EventKind::Store, &facts);
        }
    }

    fn ttl_set(&mut self, at: f64, id: Uuid, live: Option<&Arc<Facts>>) {
        if let Some(write) = self.pending.writes.get_mut(&id).filter(|write| !(write.is_joined && write.has_ttl)) {
            // Storing sets the TTL, too, before or after the entry joins the index.
            write.has_ttl = true;
            return;
        }
        let Some(facts) = live else { return };
        if self.pending.left.get(&facts.cache_key).is_some_and(|left| at - left <= ACTION_WINDOW) {
            return self.pending.emit(at, EventKind::Remove, facts);
        }
        if self.sees_reads {
            // Using an entry renews its TTL, which is part of the hit.
            if !self.pending.used.get(&id).is_some_and(|read| at - read <= ACTION_WINDOW) {
                self.pending.emit(at, EventKind::Refresh, facts);
            }
            return;
        }
        let leader = self.pending.leaders.get(&facts.cache_key).filter(|(_, used)| at - used <= ACTION_WINDOW);
        if leader.is_none_or(|(leader, _)| *leader == id) {
            note(&mut self.pending.leaders, facts.cache_key.clone(), (id, at));
            self.pending.emit(at, EventKind::Hit, facts);
        }
    }

    fn entry_gone(&mut self, at: f64, id: EntryId, uuid: Uuid, how: EventKind, facts: Option<Arc<Facts>>) {
        self.pending.writes.remove(&uuid);
        match facts {
            // Reported when it was marked.
            Some(facts) if facts.is_deleted => {}
            Some(facts) => self.pending.emit(at, how, &facts),
            None => {
                self.pending.events.push_back(CacheEvent { id: Some(id), ..unidentified(at, how, CacheKind::Http) });
            }
        }
    }

    fn result_read(&mut self, at: f64, key: Box<[u8]>, is_there: bool) {
        if !is_there {
            self.pending.emit_result(at, EventKind::Miss, key);
        } else if self.pending.result_reads.len() < MAX_PENDING {
            self.pending.result_reads.push_back((key, at));
        } else {
            self.pending.emit_result(at, EventKind::Hit, key);
        }
    }

    fn result_written(&mut self, at: f64, key: Box<[u8]>) {
        while let Some(read) = self.pending.result_reads.iter().position(|(read, _)| *read == key) {
            if let Some((key, at)) = self.pending.result_reads.remove(read) {
                self.pending.emit_result(at, EventKind::Miss, key);
            }
        }
        note(&mut self.pending.result_writes, key.clone(), at);
        self.pending.emit_result(at, EventKind::Store, key);
    }

    fn result_ttl_set(&mut self, at: f64, key: Box<[u8]>) {
        // Storing sets the TTL, too.
        if !self.pending.result_writes.remove(&key).is_some_and(|written| at - written <= ACTION_WINDOW) {
            self.pending.emit_result(at, EventKind::Refresh, key);
        }
    }

    /// Ends operations that have been pending for too long.
    pub(crate) fn tick(&mut self, now: f64) {
        timeouts::tick(&mut self.pending, now);
    }

    /// Whether [`Self::tick`] has an operation to time out.
    pub(crate) fn is_waiting(&self) -> bool {
        timeouts::is_waiting(&self.pending)
    }

    /// Reports all pending operations; no more signals will come.
    pub(crate) fn finish(&mut self, now: f64) {
        timeouts::finish(&mut self.pending, now);
    }
}
