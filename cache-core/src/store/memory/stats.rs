//! The counters of the in-memory store.

use std::collections::{BTreeMap, HashMap};

use uuid::Uuid;

use crate::clock;
use crate::model::stats::{Counters, HourlyCounters, RETENTION, Scope, StatsDelta, hour_of};
use crate::model::window::StatsSnapshot;

#[derive(Default)]
pub(crate) struct StoredStats {
    hours: BTreeMap<(i64, Scope), Counters>,
    ever: BTreeMap<Scope, Counters>,
    /// The sequence number of each process's last delta.
    last: HashMap<Uuid, u64>,
}

impl StoredStats {
    pub(crate) fn add(&mut self, delta: &StatsDelta) {
        let Self { hours, ever, last } = self;
        if last.get(&delta.process).is_some_and(|number| *number >= delta.number) {
            return;
        }
        last.insert(delta.process, delta.number);
        for HourlyCounters { hour, scope, counts } in &delta.buckets {
            *hours.entry((*hour, scope.clone())).or_default() += *counts;
            *ever.entry(scope.clone()).or_default() += *counts;
        }
        let oldest = hour_of(clock::now() - RETENTION);
        hours.retain(|(hour, _), _| *hour >= oldest);
    }

    /// From the hour of `since` on.
    pub(crate) fn since(&self, since: f64) -> StatsSnapshot {
        let bucket = |((hour, scope), counts): (&(i64, Scope), &Counters)| HourlyCounters {
            hour: *hour,
            scope: scope.clone(),
            counts: *counts,
        };
        let hours = self.hours.iter().filter(|((hour, _), _)| *hour >= hour_of(since));
        StatsSnapshot { hours: hours.map(bucket).collect(), ever: self.ever.clone(), unavailable: None }
    }
}
