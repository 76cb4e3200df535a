//! What the in-memory store holds: entries in the order of their last use, up to a number of bytes.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use bytes::Bytes;

use crate::model::entry::{Entry, EntryId};
use crate::model::key::CacheKey;
use crate::store::memory::generations::Generations;

/// The approximate size of an entry without its body; bytes.
const HEAD: u64 = 2_048;

#[derive(Clone)]
pub(crate) struct MemoryEntry {
    /// `None`: a result.
    pub(crate) entry: Option<Arc<Entry>>,
    pub(crate) body: Bytes,
    pub(crate) created_at: f64,
    pub(crate) expires_at: Option<f64>,
    /// Its place in the order of use.
    pub(crate) used: u64,
    /// [`crate::Summary::version`].
    pub(crate) version: u64,
}

impl MemoryEntry {
    pub(crate) fn is_live(&self, now: f64) -> bool {
        self.expires_at.is_none_or(|at| at > now)
    }

    fn size(&self) -> u64 {
        HEAD + self.body.len() as u64
    }
}

/// The entries, and the index of those of HTTP.
#[derive(Default)]
pub(crate) struct Items {
    pub(crate) all: BTreeMap<EntryId, MemoryEntry>,
    pub(crate) under: HashMap<CacheKey, BTreeSet<EntryId>>,
    pub(crate) generations: Generations,
    /// The least recently used first.
    order: BTreeMap<u64, EntryId>,
    last_use: u64,
    bytes: u64,
}

impl Items {
    /// Stores an entry, and drops the least recently used ones beyond `capacity` bytes.
    pub(crate) fn insert(&mut self, id: EntryId, mut item: MemoryEntry, capacity: u64) {
        self.remove(&id);
        if let Some(entry) = &item.entry {
            self.under.entry(entry.cache_key.clone()).or_default().insert(id.clone());
        }
        self.last_use += 1;
        item.used = self.last_use;
        self.order.insert(item.used, id.clone());
        self.bytes += item.size();
        self.all.insert(id, item);
        while self.bytes > capacity
            && let Some((_, oldest)) = self.order.first_key_value()
        {
            let oldest = oldest.clone();
            self.remove(&oldest);
        }
    }

    pub(crate) fn remove(&mut self, id: &EntryId) -> Option<MemoryEntry> {
        let item = self.all.remove(id)?;
        self.order.remove(&item.used);
        self.bytes -= item.size();
        if let Some(entry) = &item.entry
            && let Some(ids) = self.under.get_mut(&entry.cache_key)
        {
            ids.remove(id);
            if ids.is_empty() {
                self.under.remove(&entry.cache_key);
            }
        }
        Some(item)
    }

    /// An entry is being used.
    pub(crate) fn touch(&mut self, id: &EntryId) {
        if let Some(item) = self.all.get_mut(id) {
            self.last_use += 1;
            self.order.remove(&item.used);
            item.used = self.last_use;
            self.order.insert(item.used, id.clone());
        }
    }

    pub(crate) fn live(&mut self, id: &EntryId, now: f64) -> Option<&mut MemoryEntry> {
        self.all.get_mut(id).filter(|item| item.is_live(now))
    }
}
