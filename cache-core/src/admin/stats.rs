//! Counts, bytes and TTLs of a whole cache, added up from the pages of a scan.

use std::collections::BTreeMap;

use crate::model::entry::{CacheKind, EntryState};
use crate::model::service::ServiceName;
use crate::model::summary::Summary;
use crate::store::page::Page;

/// What is in a cache.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PassMetrics {
    /// Live HTTP entries.
    pub http: u64,
    /// Live results.
    pub results: u64,
    /// Entries whose body is not complete.
    pub incomplete: u64,
    /// Entries marked as deleted.
    pub deleted: u64,
    /// Entries that cannot be read.
    pub corrupt: u64,
    /// Keys that no entry owns.
    pub orphans: u64,
    /// Keys under our prefixes (rows in SQLite).
    pub keys: u64,
    /// Bytes of bodies and values.
    pub bytes: u64,
    /// By service and cache: what is live.
    pub services: BTreeMap<(ServiceName, CacheKind), ServiceTally>,
    /// About how many keys of the database were looked at.
    pub scanned: u64,
}

/// What is live of one service.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ServiceTally {
    /// Entries.
    pub entries: u64,
    /// Bytes of bodies and values.
    pub bytes: u64,
    /// Seconds until each entry expires, of those that do.
    ttls: Vec<f32>,
    /// Entries that never expire.
    pub without_ttl: u64,
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

impl PassMetrics {
    /// Adds one page; `now` in Unix seconds.
    pub fn add(&mut self, page: &Page, now: f64) {
        self.keys += page.keys;
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
                None => service.without_ttl += 1,
            }
        }
    }
}

impl ServiceTally {
    /// The spread of the remaining TTLs; `None` where no entry expires.
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
