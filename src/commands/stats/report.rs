//! The report of `stats`. Scripts rely on its fields and their order.

use std::collections::BTreeMap;

use cache_core::admin::stats::{ServiceTally, StatsTotals};
use cache_core::{CacheKind, ServerInfo, ServerMode, ServerRole, ServiceName, clock};
use cache_core::{Counters, Scope, StatsSnapshot, StatsWindow};
use serde::Serialize;

use crate::commands::session::OpenCache;

/// The report of `stats`.
#[derive(Serialize)]
pub(crate) struct StatsReport {
    pub(crate) backend: BackendReport,
    pub(crate) entries: Entries,
    pub(crate) keys: u64,
    pub(crate) bytes: u64,
    pub(crate) services: Vec<ServiceReport>,
    pub(crate) hits: Option<u64>,
    pub(crate) misses: Option<u64>,
    pub(crate) hit_rate: Option<f64>,
    pub(crate) hit_source: &'static str,
    pub(crate) window: Option<f64>,
    /// The start of the window, at a whole hour.
    pub(crate) since: Option<f64>,
    pub(crate) result_prefixes: Vec<PrefixReport>,
    pub(crate) scanned: Scanned,
    /// Hits and misses of keys since the start of the server, of all clients.
    #[serde(skip)]
    pub(crate) server: Option<(u64, u64)>,
    #[serde(skip)]
    pub(crate) chosen: StatsWindow,
    #[serde(skip)]
    pub(crate) counted: StatsSnapshot,
    #[serde(skip)]
    pub(crate) now: f64,
}

#[derive(Serialize)]
pub(crate) struct BackendReport {
    pub(crate) kind: &'static str,
    pub(crate) location: String,
    /// `None`: the user may not ask.
    pub(crate) version: Option<String>,
    pub(crate) fallback: bool,
    pub(crate) memory_bytes: Option<u64>,
    /// Bytes of a SQLite file that are free for new entries.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) free_bytes: Option<u64>,
    pub(crate) product: Option<String>,
    pub(crate) mode: Option<&'static str>,
    pub(crate) role: Option<&'static str>,
    pub(crate) database: Option<i64>,
    pub(crate) protocol: Option<u8>,
}

#[derive(Serialize)]
pub(crate) struct Entries {
    pub(crate) http: u64,
    pub(crate) result: u64,
    pub(crate) incomplete: u64,
    pub(crate) deleted: u64,
    pub(crate) corrupt: u64,
    pub(crate) orphan_keys: u64,
    /// Entries that this user may not read.
    pub(crate) denied: u64,
}

#[derive(Serialize)]
pub(crate) struct ServiceReport {
    pub(crate) service: &'static str,
    pub(crate) kind: &'static str,
    pub(crate) entries: u64,
    pub(crate) bytes: u64,
    pub(crate) ttl: Ttl,
    #[serde(flatten)]
    pub(crate) requests: RequestStats,
}

/// The results under one key prefix.
#[derive(Serialize)]
pub(crate) struct PrefixReport {
    pub(crate) prefix: String,
    pub(crate) service: &'static str,
    #[serde(flatten)]
    pub(crate) requests: RequestStats,
}

/// The counts of the window; `None`: nothing was counted.
#[derive(Default, Serialize)]
pub(crate) struct RequestStats {
    pub(crate) hits: Option<u64>,
    pub(crate) misses: Option<u64>,
    pub(crate) hit_rate: Option<f64>,
    pub(crate) stores: Option<u64>,
    pub(crate) errors: Option<u64>,
    pub(crate) window: Option<f64>,
    pub(crate) revalidations: Option<u64>,
    pub(crate) stale: Option<u64>,
    pub(crate) waits: Option<u64>,
    pub(crate) served_bytes: Option<u64>,
    /// Seconds, of hits and misses together.
    pub(crate) mean_lookup: Option<f64>,
}

#[derive(Serialize)]
pub(crate) struct Ttl {
    pub(crate) min: Option<f64>,
    pub(crate) median: Option<f64>,
    pub(crate) max: Option<f64>,
    pub(crate) none: u64,
    pub(crate) unknown: u64,
}

#[derive(Serialize)]
pub(crate) struct Scanned {
    pub(crate) keys: u64,
    pub(crate) complete: bool,
}

impl StatsReport {
    /// Counts the entries of the cache, and sums up the statistics of the window.
    pub(crate) async fn count(cache: &OpenCache, window: StatsWindow) -> cache_core::Result<Self> {
        let tally = crate::commands::stats::count::count(cache).await?;
        let info = cache.store.info().await?;
        let now = clock::now();
        let counted = cache.store.stats(StatsWindow::Week.since(now)).await?;
        Ok(Self::new(cache, &tally, info, counted, window, now))
    }

    fn new(
        cache: &OpenCache,
        tally: &StatsTotals,
        info: ServerInfo,
        counted: StatsSnapshot,
        window: StatsWindow,
        now: f64,
    ) -> Self {
        let backend = cache.store.id();
        let scopes = counted.within(window, now);
        // The server counts every read of a key, including those of this program: they are not a hit rate of the cache.
        let is_counted = !scopes.is_empty();
        let all: Option<Counters> = is_counted.then(|| scopes.values().copied().sum());
        Self {
            backend: BackendReport {
                kind: backend.kind.name(),
                location: backend.location.to_string(),
                version: info.version,
                fallback: cache.is_fallback,
                memory_bytes: info.memory_bytes,
                free_bytes: info.free_bytes,
                product: info.server.as_ref().and_then(|server| server.product.clone()),
                mode: info.server.as_ref().and_then(|server| server.mode).map(ServerMode::name),
                role: info.server.as_ref().and_then(|server| server.role.as_ref()).map(ServerRole::name),
                database: info.server.as_ref().map(|server| server.database),
                protocol: info.server.as_ref().map(|server| server.protocol),
            },
            entries: Entries {
                http: tally.http,
                result: tally.results,
                incomplete: tally.incomplete,
                deleted: tally.deleted,
                corrupt: tally.corrupt,
                orphan_keys: tally.orphans,
                denied: tally.denied,
            },
            keys: tally.keys,
            bytes: tally.bytes,
            services: services(tally, &scopes, window),
            hits: all.map(|all| all.hits),
            misses: all.map(|all| all.misses),
            hit_rate: all.and_then(|all| all.hit_rate()),
            hit_source: if is_counted { "counters" } else { "none" },
            window: is_counted.then(|| window.seconds()),
            since: is_counted.then(|| window.since(now)),
            result_prefixes: prefixes(&scopes, window),
            scanned: Scanned { keys: tally.scanned, complete: true },
            server: info.keyspace,
            chosen: window,
            counted,
            now,
        }
    }
}

/// Every service that has entries or requests, once for each of the two caches.
fn services(tally: &StatsTotals, scopes: &BTreeMap<Scope, Counters>, window: StatsWindow) -> Vec<ServiceReport> {
    let mut rows = BTreeMap::<(ServiceName, CacheKind), (ServiceTally, Option<Counters>)>::new();
    for (of, tally) in &tally.services {
        rows.entry(*of).or_default().0 = tally.clone();
    }
    for (scope, counts) in scopes {
        *rows
            .entry((scope.service(crate::services::registry()), scope.kind()))
            .or_default()
            .1
            .get_or_insert_default() += *counts;
    }
    rows.into_iter().map(|(of, (tally, counts))| ServiceReport::new(of, &tally, counts, window)).collect()
}

fn prefixes(scopes: &BTreeMap<Scope, Counters>, window: StatsWindow) -> Vec<PrefixReport> {
    let report = |(scope, counts): (&Scope, &Counters)| match scope {
        Scope::Http(_) => None,
        Scope::Result(prefix) => Some(PrefixReport {
            prefix: prefix.clone(),
            service: scope.service(crate::services::registry()).name(),
            requests: RequestStats::new(*counts, window),
        }),
    };
    scopes.iter().filter_map(report).collect()
}

impl ServiceReport {
    fn new(
        (service, kind): (ServiceName, CacheKind),
        tally: &ServiceTally,
        counts: Option<Counters>,
        window: StatsWindow,
    ) -> Self {
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
                unknown: tally.with_unknown_ttl,
            },
            requests: counts.map(|counts| RequestStats::new(counts, window)).unwrap_or_default(),
        }
    }
}

impl RequestStats {
    fn new(counts: Counters, window: StatsWindow) -> Self {
        Self {
            hits: Some(counts.hits),
            misses: Some(counts.misses),
            hit_rate: counts.hit_rate(),
            stores: Some(counts.stores),
            errors: Some(counts.errors),
            window: Some(window.seconds()),
            revalidations: Some(counts.revalidations),
            stale: Some(counts.stale),
            waits: Some(counts.waits),
            served_bytes: Some(counts.bytes),
            mean_lookup: counts.mean_lookup(),
        }
    }
}
