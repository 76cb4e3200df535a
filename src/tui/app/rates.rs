//! Hit rates by service, from the statistics of the store.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use cache_core::redact::Secrets;
use cache_core::{Counters, Scope, StatsSnapshot, StatsWindow};
use cache_core::{ServiceName, Summary};

use crate::output::safe;
use crate::services;
use crate::tui::ticket::Ticket;

/// The statistics of a store about hits and misses.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RateTable {
    /// The statistics of the caches.
    pub counted: StatsSnapshot,
    /// Hits and misses of the whole server since its start.
    pub server: Option<(u64, u64)>,
    /// Memory in use by the server, and its limit; bytes.
    pub memory: Option<(u64, u64)>,
}

/// Hits and misses of each window, [`StatsWindow::ALL`].
pub type Windows = [Counters; StatsWindow::ALL.len()];

/// The latest statistics, and the time of the next request.
#[derive(Debug, Default)]
pub struct Rates {
    /// The current request.
    pub ticket: Option<Ticket>,
    /// The time of the next request; Unix seconds.
    pub next_read: f64,
    scopes: BTreeMap<Scope, Windows>,
    has_server: bool,
    memory: Option<(u64, u64)>,
}

/// One line.
#[derive(Clone, Debug, PartialEq)]
#[expect(clippy::large_enum_variant, reason = "a frame has ten of them, and keeps none")]
pub enum Rate {
    /// A scope with its statistics.
    Counted(&'static str, Windows),
    /// No statistics: the reason.
    Uncounted(&'static str),
}

/// Why the statistics of a server are not a hit rate.
const UNCOUNTED: [&str; 2] = ["No hit counters (see", "'animecache stats')"];

impl Rates {
    /// The share of its memory limit that the server uses; 0: it has no limit, or that is not known.
    pub fn memory_share(&self) -> f64 {
        self.memory.map_or(0.0, |(used, limit)| used as f64 / limit.max(1) as f64)
    }

    /// Stores a response; `now` in Unix seconds.
    pub fn take(&mut self, tally: &RateTable, now: f64) {
        self.scopes.clear();
        for (at, window) in StatsWindow::ALL.into_iter().enumerate() {
            for (scope, counts) in tally.counted.within(window, now) {
                self.scopes.entry(scope).or_default()[at] = counts;
            }
        }
        self.has_server = tally.server.is_some();
        self.memory = tally.memory;
    }

    /// Clears everything: another backend is in use.
    pub fn clear(&mut self) {
        *self = Self { next_read: self.next_read, ..Self::default() };
    }

    /// The number of all lines: those of [`Self::lines`], and one with the names of the windows.
    pub fn height(&self) -> usize {
        match self.services().len() {
            0 if self.has_server => UNCOUNTED.len(),
            0 => 0,
            services => 2 + services,
        }
    }

    /// Whether there are statistics of the caches.
    pub fn are_counted(&self) -> bool {
        !self.scopes.is_empty()
    }

    /// The lines that fit: the total, then the services with most requests, in table order.
    pub fn lines(&self, room: usize) -> Vec<Rate> {
        if self.scopes.is_empty() {
            let room = if self.has_server { room } else { 0 };
            return UNCOUNTED.map(Rate::Uncounted).into_iter().take(room).collect();
        }
        let mut services: Vec<(ServiceName, Windows)> = self.services().into_iter().collect();
        // The sort is stable: among equal services the first stays.
        services.sort_by_key(|(_, [.., week])| Reverse(week.hits.saturating_add(week.misses)));
        services.truncate(room.saturating_sub(1));
        services.sort_by_key(|(service, _)| *service);
        let all = self.scopes.values().fold(Windows::default(), sum);
        let lines = services.into_iter().map(|(service, windows)| Rate::Counted(service.name(), windows));
        [Rate::Counted("Total", all)].into_iter().chain(lines).take(room).collect()
    }

    /// The statistics of each service, of both caches together.
    fn services(&self) -> BTreeMap<ServiceName, Windows> {
        let mut services = BTreeMap::<ServiceName, Windows>::new();
        for (scope, windows) in &self.scopes {
            let of = services.entry(scope.service(services::registry())).or_default();
            *of = sum(*of, windows);
        }
        services
    }

    /// The statistics of the service or function of an entry, with its name.
    pub fn get(&self, entry: &Summary) -> Option<(String, Windows)> {
        let scope = match entry.result_key() {
            Some(key) => Scope::Result(String::from_utf8_lossy(key.prefix).into_owned()),
            None => Scope::Http(entry.service),
        };
        let name = match &scope {
            Scope::Http(service) => service.name().to_owned(),
            Scope::Result(prefix) => safe::key(prefix.as_bytes(), Secrets::Masked),
        };
        self.scopes.get(&scope).map(|windows| (name, *windows))
    }
}

fn sum(mut sum: Windows, windows: &Windows) -> Windows {
    sum.iter_mut().zip(windows).for_each(|(sum, counts)| *sum += *counts);
    sum
}
