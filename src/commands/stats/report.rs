//! What `stats` tells, in the fields and the order of the contract.

use cache_core::admin::stats::{ServiceTally, Tally};
use cache_core::{BackendKind, Info, Kind, Service};
use serde::Serialize;

use super::Cache;

/// Everything that `stats` tells.
#[derive(Serialize)]
pub(super) struct Report {
    pub(super) backend: BackendReport,
    pub(super) entries: Entries,
    pub(super) keys: u64,
    pub(super) bytes: u64,
    pub(super) services: Vec<ServiceReport>,
    pub(super) hits: Option<u64>,
    pub(super) misses: Option<u64>,
    pub(super) hit_rate: Option<f64>,
    pub(super) hit_source: &'static str,
    pub(super) window: Option<f64>,
    pub(super) scanned: Scanned,
}

#[derive(Serialize)]
pub(super) struct BackendReport {
    pub(super) kind: &'static str,
    pub(super) location: String,
    pub(super) version: String,
    pub(super) fallback: bool,
    pub(super) memory_bytes: u64,
}

#[derive(Serialize)]
pub(super) struct Entries {
    pub(super) http: u64,
    pub(super) result: u64,
    pub(super) incomplete: u64,
    pub(super) deleted: u64,
    pub(super) corrupt: u64,
    pub(super) orphan_keys: u64,
}

#[derive(Serialize)]
pub(super) struct ServiceReport {
    pub(super) service: &'static str,
    pub(super) kind: &'static str,
    pub(super) entries: u64,
    pub(super) bytes: u64,
    pub(super) ttl: Ttl,
    pub(super) hits: Option<u64>,
    pub(super) misses: Option<u64>,
    pub(super) hit_rate: Option<f64>,
    pub(super) stores: Option<u64>,
    pub(super) errors: Option<u64>,
    pub(super) window: Option<f64>,
}

#[derive(Serialize)]
pub(super) struct Ttl {
    pub(super) min: Option<f64>,
    pub(super) median: Option<f64>,
    pub(super) max: Option<f64>,
    pub(super) none: u64,
}

#[derive(Serialize)]
pub(super) struct Scanned {
    pub(super) keys: u64,
    pub(super) complete: bool,
}

impl Report {
    /// Counts the cache.
    pub(super) async fn of(cache: &Cache) -> cache_core::Result<Self> {
        let tally = super::count(cache).await?;
        let info = cache.store.info().await?;
        Ok(Self::new(cache, &tally, info))
    }

    fn new(cache: &Cache, tally: &Tally, info: Info) -> Self {
        let backend = cache.store.backend();
        // Redis counts for everything that it serves; SQLite does not count at all.
        let keyspace = info.keyspace.filter(|_| backend.kind == BackendKind::Redis);
        Self {
            backend: BackendReport {
                kind: backend.kind.name(),
                location: backend.location.to_string(),
                version: info.version,
                fallback: cache.is_fallback,
                memory_bytes: info.memory_bytes,
            },
            entries: Entries {
                http: tally.http,
                result: tally.results,
                incomplete: tally.incomplete,
                deleted: tally.deleted,
                corrupt: tally.corrupt,
                orphan_keys: tally.orphans,
            },
            keys: tally.keys,
            bytes: tally.bytes,
            services: tally.services.iter().map(|(of, tally)| ServiceReport::new(*of, tally)).collect(),
            hits: keyspace.map(|(hits, _)| hits),
            misses: keyspace.map(|(_, misses)| misses),
            hit_rate: keyspace.and_then(|(hits, misses)| rate(hits, misses)),
            hit_source: if keyspace.is_some() { "server" } else { "none" },
            window: None,
            scanned: Scanned { keys: tally.scanned, complete: true },
        }
    }
}

impl ServiceReport {
    fn new((service, kind): (Service, Kind), tally: &ServiceTally) -> Self {
        let ttl = tally.ttl();
        Self {
            service: service.name(),
            kind: kind.name(),
            entries: tally.entries,
            bytes: tally.bytes,
            ttl: Ttl {
                min: ttl.map(|ttl| ttl.min),
                median: ttl.map(|ttl| ttl.median),
                max: ttl.map(|ttl| ttl.max),
                none: tally.without_ttl,
            },
            hits: None,
            misses: None,
            hit_rate: None,
            stores: None,
            errors: None,
            window: None,
        }
    }
}

fn rate(hits: u64, misses: u64) -> Option<f64> {
    let total = hits.saturating_add(misses);
    (total > 0).then(|| hits as f64 / total as f64)
}
