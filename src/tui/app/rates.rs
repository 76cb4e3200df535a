//! How often the cache had the answer, by service: what its store has counted.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use cache_core::{Counters, Scope, StatsSnapshot, StatsWindow};
use cache_core::{ServiceName, Summary};

use crate::output::safe;
use crate::services;
use crate::tui::ticket::Ticket;

/// The statistics of a store about hits and misses.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RateTable {
    /// What the caches counted.
    pub counted: StatsSnapshot,
    /// Hits and misses of everything that the server answers since its start.
    pub server: Option<(u64, u64)>,
}

/// Hits and misses of each window, [`StatsWindow::ALL`].
pub type Windows = [Counters; StatsWindow::ALL.len()];

/// The last answer, and when it is asked for again.
#[derive(Debug, Default)]
pub struct Rates {
    /// The request under way.
    pub ticket: Option<Ticket>,
    /// When the store is asked again; Unix seconds.
    pub next_read: f64,
    scopes: BTreeMap<Scope, Windows>,
    has_server: bool,
}

/// One line.
#[derive(Clone, Debug, PartialEq)]
#[expect(clippy::large_enum_variant, reason = "a frame has ten of them, and keeps none")]
pub enum Rate {
    /// Of what the caches counted.
    Counted(&'static str, Windows),
    /// Nothing was counted: a line that says why there is no rate.
    Uncounted(&'static str),
}

/// Why a server's own figures are none.
const UNCOUNTED: [&str; 2] = ["No hit counters (see", "'animecache stats')"];

impl Rates {
    /// Takes over an answer; `now` in Unix seconds.
    pub fn take(&mut self, tally: &RateTable, now: f64) {
        self.scopes.clear();
        for (at, window) in StatsWindow::ALL.into_iter().enumerate() {
            for (scope, counts) in tally.counted.within(window, now) {
                self.scopes.entry(scope).or_default()[at] = counts;
            }
        }
        self.has_server = tally.server.is_some();
    }

    /// Forgets everything: another store answers now.
    pub fn clear(&mut self) {
        *self = Self { next_read: self.next_read, ..Self::default() };
    }

    /// How many lines it takes to show everything: those of [`Self::lines`], below one with the windows' names.
    pub fn height(&self) -> usize {
        match self.services().len() {
            0 if self.has_server => UNCOUNTED.len(),
            0 => 0,
            services => 2 + services,
        }
    }

    /// Whether the caches counted anything.
    pub fn are_counted(&self) -> bool {
        !self.scopes.is_empty()
    }

    /// The lines, as many as there is room for: everything, and then the services of most requests, in their order.
    pub fn lines(&self, room: usize) -> Vec<Rate> {
        if self.scopes.is_empty() {
            let room = if self.has_server { room } else { 0 };
            return UNCOUNTED.map(Rate::Uncounted).into_iter().take(room).collect();
        }
        let mut services: Vec<(ServiceName, Windows)> = self.services().into_iter().collect();
        // A stable sort: of two with as many requests the first stays.
        services.sort_by_key(|(_, [.., week])| Reverse(week.hits.saturating_add(week.misses)));
        services.truncate(room.saturating_sub(1));
        services.sort_by_key(|(service, _)| *service);
        let all = self.scopes.values().fold(Windows::default(), sum);
        let lines = services.into_iter().map(|(service, windows)| Rate::Counted(service.name(), windows));
        [Rate::Counted("Total", all)].into_iter().chain(lines).take(room).collect()
    }

    /// What each service was asked, of both caches together.
    fn services(&self) -> BTreeMap<ServiceName, Windows> {
        let mut services = BTreeMap::<ServiceName, Windows>::new();
        for (scope, windows) in &self.scopes {
            let of = services.entry(scope.service(services::registry())).or_default();
            *of = sum(*of, windows);
        }
        services
    }

    /// What was counted of the service or prefix that an entry belongs to, with its name.
    pub fn get(&self, entry: &Summary) -> Option<(String, Windows)> {
        let scope = match entry.result_key() {
            Some(key) => Scope::Result(String::from_utf8_lossy(key.prefix).into_owned()),
            None => Scope::Http(entry.service),
        };
        let name = match &scope {
            Scope::Http(service) => service.name().to_owned(),
            Scope::Result(prefix) => safe::line(prefix).into_owned(),
        };
        self.scopes.get(&scope).map(|windows| (name, *windows))
    }
}

fn sum(mut sum: Windows, windows: &Windows) -> Windows {
    sum.iter_mut().zip(windows).for_each(|(sum, counts)| *sum += *counts);
    sum
}
