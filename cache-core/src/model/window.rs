//! Reading counters over a time window.

use std::collections::BTreeMap;

use crate::model::stats::{Counters, HOUR, HourlyCounters, Scope, hour_of};

/// Time window.
///
/// Counters are stored by the hour, so a window begins with a whole hour: at 14:20, `1h` begins at 13:00. It is never
/// shorter than its name, and less than an hour longer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum StatsWindow {
    /// The last hour.
    Hour,
    /// The last 24 hours.
    Day,
    /// The last 7 days: older counters have expired.
    Week,
}

impl StatsWindow {
    /// From the shortest to the longest.
    pub const ALL: [Self; 3] = [Self::Hour, Self::Day, Self::Week];

    /// `1h`, `24h` or `7d`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Hour => "1h",
            Self::Day => "24h",
            Self::Week => "7d",
        }
    }

    /// The window with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|window| window.name() == name)
    }

    /// Its nominal length, in seconds.
    pub fn seconds(self) -> f64 {
        match self {
            Self::Hour => HOUR,
            Self::Day => 24.0 * HOUR,
            Self::Week => 7.0 * 24.0 * HOUR,
        }
    }

    /// When its first hour begins; Unix seconds, as `now`.
    pub fn since(self, now: f64) -> f64 {
        hour_of(now - self.seconds()) as f64 * HOUR
    }
}

/// Counters of a store, of all processes that use it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StatsSnapshot {
    /// Counters by the hour.
    pub hours: Vec<HourlyCounters>,
    /// Totals. Redis expires them if nothing was counted for 7 days.
    pub ever: BTreeMap<Scope, Counters>,
    /// Why counters could not be read; `None`: they were.
    pub unavailable: Option<String>,
}

impl StatsSnapshot {
    /// The sums of a window that ends `now` (Unix seconds), by scope, without scopes that were not counted.
    pub fn within(&self, window: StatsWindow, now: f64) -> BTreeMap<Scope, Counters> {
        let first = hour_of(window.since(now));
        let mut sums = BTreeMap::<Scope, Counters>::new();
        for bucket in self.hours.iter().filter(|bucket| bucket.hour >= first) {
            match sums.get_mut(&bucket.scope) {
                Some(sum) => *sum += bucket.counts,
                None => drop(sums.insert(bucket.scope.clone(), bucket.counts)),
            }
        }
        sums
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::service::ServiceName;

    #[test]
    fn a_window_begins_with_the_whole_hour_that_its_edge_falls_into() {
        let hour = 495_000;
        let start = hour as f64 * HOUR;
        let bucket = |ago: i64, hits| HourlyCounters {
            hour: hour - ago,
            scope: Scope::Http(ServiceName::OTHER),
            counts: Counters { hits, ..Counters::default() },
        };
        let counted = StatsSnapshot {
            hours: vec![
                bucket(0, 1),
                bucket(1, 10),
                bucket(2, 100),
                bucket(24, 1_000),
                bucket(25, 10_000),
                bucket(168, 100_000),
                bucket(169, 1_000_000),
            ],
            ever: BTreeMap::new(),
            unavailable: None,
        };
        for now in [start, start + 1_199.5, start + 3_599.9] {
            let hits = |window| counted.within(window, now)[&Scope::Http(ServiceName::OTHER)].hits;
            assert_eq!(StatsWindow::ALL.map(hits), [11, 1_111, 111_111], "{now}");
        }
        assert!((StatsWindow::Hour.since(start + 1_200.0) - (start - HOUR)).abs() < f64::EPSILON);
        assert!(counted.within(StatsWindow::Hour, start + 2.0 * 86_400.0).is_empty());
    }
}
