//! Totals of a watch, as text and as JSON, with the window and the source of the sample.

use std::fmt::Write as _;

use cache_core::hit_rate;
use cache_core::{CacheKind, EventCounts, EventKind, EventSource, EventTotals, ServiceName};
use serde::Serialize;

use crate::output::event::service;
use crate::output::human::{count, counted, duration, maybe_count, share, time_of_day};
use crate::output::style::Style;

/// The last line of `watch --json`.
#[derive(Serialize)]
pub(crate) struct WatchReport {
    event: &'static str,
    sample: bool,
    source: &'static str,
    since: f64,
    until: f64,
    /// Seconds.
    window: f64,
    #[serde(flatten)]
    all: Counts,
    http: Counts,
    result: Counts,
    gaps: u64,
    /// Seconds without a connection.
    unseen: f64,
    lost: u64,
    services: Vec<OfService>,
}

#[derive(Serialize)]
struct OfService {
    service: Option<&'static str>,
    kind: &'static str,
    #[serde(flatten)]
    counts: Counts,
}

/// `None`: the source cannot observe it.
#[derive(Default, Serialize)]
struct Counts {
    hits: Option<u64>,
    misses: u64,
    hit_rate: Option<f64>,
    stores: u64,
    refreshes: u64,
    expiries: Option<u64>,
    evictions: Option<u64>,
    removals: u64,
}

impl WatchReport {
    pub(crate) fn new(sample: &EventTotals, source: EventSource, since: f64, until: f64) -> Self {
        let services = sample.counts.iter().map(|((service, cache), happened)| OfService {
            service: service.map(ServiceName::name),
            kind: cache.name(),
            counts: Counts::new(happened, source, *cache),
        });
        let http = Counts::new(&sample.total(CacheKind::Http), source, CacheKind::Http);
        let results = Counts::new(&sample.total(CacheKind::Result), source, CacheKind::Result);
        Self {
            event: "summary",
            sample: true,
            source: source.name(),
            since,
            until,
            window: until - since,
            all: http.and(&results),
            http,
            result: results,
            gaps: sample.gaps,
            unseen: sample.unseen.as_secs_f64(),
            lost: sample.lost,
            services: services.collect(),
        }
    }

    pub(crate) fn text(&self, style: Style) -> String {
        let mut out = String::new();
        // Writing to a String cannot fail.
        let _ = self.write(&mut out, style);
        out
    }

    fn write(&self, out: &mut String, style: Style) -> std::fmt::Result {
        let (since, until) = (time_of_day(self.since), time_of_day(self.until));
        let source = if self.source == "monitor" { "MONITOR" } else { "keyspace notifications" };
        let about = format!("({since} to {until}), source: {source}");
        writeln!(out, "\n{} {}", style.bold(&format!("Watched {}", duration(self.window))), style.dim(&about))?;
        if self.gaps > 0 {
            let times = counted(self.gaps, "time");
            writeln!(out, "{}", style.warn(&format!("Connection lost {times}, {:.1} s in total", self.unseen)))?;
        }
        if self.lost > 0 {
            let events = counted(self.lost, "event");
            writeln!(out, "{}", style.warn(&format!("{events} dropped (too many to process)")))?;
        }
        if self.services.is_empty() {
            return writeln!(out, "No events");
        }
        let heading = format!(
            "  {:<13}  {:<6}  {:>8}  {:>8}  {:>8}  {:>8}  {:>8}  {:>8}  {:>8}",
            "SERVICE", "KIND", "HIT RATE", "HITS", "MISSES", "STORES", "EXPIRED", "EVICTED", "DELETED"
        );
        writeln!(out, "{}", style.bold(&heading))?;
        for of in &self.services {
            let counts = &of.counts;
            writeln!(
                out,
                "  {:<13}  {:<6}  {:>8}  {:>8}  {:>8}  {:>8}  {:>8}  {:>8}  {:>8}",
                of.service.unwrap_or(service(None)),
                of.kind,
                share(counts.hit_rate),
                maybe_count(counts.hits),
                count(counts.misses),
                count(counts.stores),
                maybe_count(counts.expiries),
                maybe_count(counts.evictions),
                count(counts.removals),
            )?;
        }
        Ok(())
    }
}

impl Counts {
    fn new(happened: &EventCounts, source: EventSource, cache: CacheKind) -> Self {
        let observed = |kind| source.can_observe(kind, cache).then(|| happened.get(kind));
        let hits = observed(EventKind::Hit);
        Self {
            hits,
            misses: happened.get(EventKind::Miss),
            hit_rate: hits.and(happened.hit_rate()),
            stores: happened.get(EventKind::Store),
            refreshes: happened.get(EventKind::Refresh),
            expiries: observed(EventKind::Expire),
            evictions: observed(EventKind::Evict),
            removals: happened.get(EventKind::Remove),
        }
    }

    /// The sum of both. It has a hit rate only if the hits of both are known.
    fn and(&self, other: &Self) -> Self {
        let sum = |a: Option<u64>, b: Option<u64>| a.map(|a| a + b.unwrap_or(0)).or(b);
        let (hits, misses) = (sum(self.hits, other.hits), self.misses + other.misses);
        let is_known = [self, other].iter().all(|counts| counts.hits.is_some() || counts.misses == 0);
        Self {
            hits,
            misses,
            hit_rate: hits.filter(|_| is_known).and_then(|hits| hit_rate(hits, misses)),
            stores: self.stores + other.stores,
            refreshes: self.refreshes + other.refreshes,
            expiries: sum(self.expiries, other.expiries),
            evictions: sum(self.evictions, other.evictions),
            removals: self.removals + other.removals,
        }
    }
}

/// A kind of event, colored and padded.
pub(crate) struct EventLabel(pub(crate) EventKind);

impl EventLabel {
    pub(crate) fn text(&self, style: Style) -> String {
        let name = format!("{:<7}", self.0.name());
        match self.0 {
            EventKind::Hit => style.good(&name),
            EventKind::Miss => style.warn(&name),
            EventKind::Store => style.bold(&name),
            EventKind::Evict => style.bad(&name),
            EventKind::Refresh | EventKind::Expire | EventKind::Remove => style.dim(&name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sum_has_hit_rate_only_with_known_hits() {
        let http = Counts { hits: Some(3), misses: 1, hit_rate: Some(0.75), ..Counts::default() };
        let results = |hits| Counts { hits, misses: 4, ..Counts::default() };
        let all = http.and(&results(Some(0)));
        assert_eq!((all.hits, all.misses, all.hit_rate), (Some(3), 5, Some(0.375)));
        // Unknown hits of results would make the rate wrong.
        let all = http.and(&results(None));
        assert_eq!((all.hits, all.misses, all.hit_rate), (Some(3), 5, None));
        let all = http.and(&Counts::default());
        assert_eq!(all.hit_rate, Some(0.75));
    }
}
