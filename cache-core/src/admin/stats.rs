//! Statistics of a cache: number, size and TTLs of entries.

use std::collections::BTreeMap;

use crate::model::entry::{CacheKind, EntryState};
use crate::model::service::ServiceName;
use crate::model::summary::Summary;
use crate::store::page::Page;

/// Statistics of the entries of a cache.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StatsTotals {
    /// Live HTTP entries.
    pub http: u64,
    /// Live results.
    pub results: u64,
    /// Entries with an incomplete body.
    pub incomplete: u64,
    /// Entries marked as deleted.
    pub deleted: u64,
    /// Entries that cannot be read.
    pub corrupt: u64,
    /// Keys that belong to no entry.
    pub orphans: u64,
    /// Entries that may not be read: counted nowhere else.
    pub denied: u64,
    /// Keys under the cache prefixes (rows in SQLite).
    pub keys: u64,
    /// Bytes of bodies and values.
    pub bytes: u64,
    /// Live entries by service and cache.
    pub services: BTreeMap<(ServiceName, CacheKind), ServiceTally>,
    /// The approximate number of keys that were scanned.
    pub scanned: u64,
}

/// Statistics of the live entries of one service.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ServiceTally {
    /// Entries.
    pub entries: u64,
    /// Bytes of bodies and values.
    pub bytes: u64,
    /// Seconds until each entry expires, without entries that never expire.
    ttls: Vec<f32>,
    /// Entries that never expire.
    pub without_ttl: u64,
    /// Entries whose expiry is not recorded.
    pub with_unknown_ttl: u64,
}

/// The remaining TTLs of some entries, in seconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TtlSpread {
    /// The shortest.
    pub min: f64,
    /// The middle one.
    pub median: f64,
    /// The longest.
    pub max: f64,
}

impl StatsTotals {
    /// Adds one page; `now` in Unix seconds.
    pub fn add(&mut self, page: &Page, now: f64) {
        self.keys += page.keys;
        self.denied += page.denied;
        self.scanned = page.scanned;
        for entry in &page.entries {
            self.add_entry(entry, now);
        }
    }

    fn add_entry(&mut self, entry: &Summary, now: f64) {
        self.bytes += entry.size;
        match (entry.state, entry.kind()) {
            (EntryState::Incomplete, _) => self.incomplete += 1,
            (EntryState::Deleted, _) => self.deleted += 1,
            (EntryState::Corrupt, _) => self.corrupt += 1,
            (EntryState::Orphan, _) => self.orphans += 1,
            (EntryState::Live, CacheKind::Http) => self.http += 1,
            (EntryState::Live, CacheKind::Result) => self.results += 1,
        }
        if entry.state == EntryState::Live {
            let service = self.services.entry((entry.service, entry.kind())).or_default();
            service.entries += 1;
            service.bytes += entry.size;
            match entry.ttl(now) {
                Some(ttl) => service.ttls.push(ttl as f32),
                None if entry.is_expiry_unknown() => service.with_unknown_ttl += 1,
                None => service.without_ttl += 1,
            }
        }
    }
}

impl ServiceTally {
    /// The spread of the remaining TTLs; `None` if no entry expires.
    pub fn ttl(&self) -> Option<TtlSpread> {
        let mut ttls = self.ttls.clone();
        ttls.sort_unstable_by(f32::total_cmp);
        Some(TtlSpread {
            min: (*ttls.first()?).into(),
            median: ttls[ttls.len() / 2].into(),
            max: (*ttls.last()?).into(),
        })
    }
}
