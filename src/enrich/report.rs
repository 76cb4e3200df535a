//! What an enrichment came to, as `enrich --json` writes it.

use std::collections::BTreeSet;

use cache_core::{ServiceName, chain};
use serde::{Deserialize, Serialize};

use crate::anime::Ids;
use crate::enrich::compare;
use crate::enrich::compare::Comparison;
use crate::enrich::metrics::Gap;
use crate::enrich::mode::Mode;
use crate::enrich::progress::{Lap, Plan, Progress, ServiceProgress};
use crate::services;

/// A cache that takes so many times longer than the next time, and so many seconds, was waiting for somebody to fill it.
const SHARED: f64 = 20.0;

const SHARED_SECONDS: f64 = 0.2;

/// So many missing parts are told in a line.
const GAPS: usize = 3;

/// The outcome of one enrichment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    pub title: String,
    /// Which anime it is about: others may have the same title.
    #[serde(default)]
    pub ids: Ids,
    pub services: Vec<ServiceReport>,
    /// Of the slowest service: all are asked at once.
    pub cold_seconds: f64,
    /// `None`: there was no warm pass.
    pub warm_seconds: Option<f64>,
    /// Cold over warm, of what has both.
    pub speedup: Option<f64>,
    /// `None`: nothing was compared.
    pub identical: Option<bool>,
    /// Somebody ended it before it was done.
    #[serde(default)]
    pub interrupted: bool,
}

/// What came of an enrichment, in short.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// So many services brought nothing.
    Failed(usize),
    /// The second pass brought something else than the first.
    Different,
    /// So many services did not bring everything.
    Incomplete(usize),
    /// So many answers of the second pass did not come from the cache.
    Unproved(u64),
    /// All that there is, the second time from the cache.
    Good,
}

/// The outcome at one service.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ServiceReport {
    #[serde(with = "name")]
    pub service: ServiceName,
    /// `http` or `result`: which of the two caches it goes through.
    pub strategy: String,
    pub ok: bool,
    pub error: Option<String>,
    pub cold: Pass,
    /// `None`: there was none.
    pub warm: Option<Pass>,
    pub speedup: Option<f64>,
    /// `None`: the two passes cannot be compared.
    pub identical: Option<bool>,
    /// Where the two passes differ first: a path into the data with both values, or the key of a body.
    pub difference: Option<String>,
    /// What was to be taken from the cache and is not in it: URLs.
    #[serde(default)]
    pub missing: Vec<String>,
    /// The parts that could not be had: what it brought is without them.
    #[serde(default)]
    pub incomplete: Vec<Gap>,
    /// The entries that it touched, sorted: cache keys of responses, Redis keys of results.
    #[serde(default)]
    pub keys: Vec<String>,
}

/// One pass over one service.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Pass {
    pub seconds: f64,
    pub requests: u64,
    pub hits: u64,
    /// Of the requests, those answered with nothing that could be stored: not found.
    #[serde(default)]
    pub absent: u64,
    /// Requests that went to the service itself.
    pub upstream: u64,
    pub bytes: u64,
    /// Seconds during which somebody waited for permission.
    pub waited: f64,
}

impl Report {
    /// What there is to report now.
    pub fn new(plan: &Plan, progress: &Progress) -> Self {
        let services: Vec<_> = progress.services.iter().map(|of| ServiceReport::new(of, plan.mode)).collect();
        let both = || services.iter().filter(|of| of.speedup.is_some()).filter_map(|of| Some((of.cold, of.warm?)));
        let speedup = slowest(both().map(|(cold, _)| cold)).zip(slowest(both().map(|(_, warm)| warm)));
        let compared = || services.iter().filter_map(|of| of.identical);
        Self {
            title: plan.anime.name(),
            ids: plan.anime.ids.clone(),
            cold_seconds: slowest(services.iter().map(|of| of.cold)).unwrap_or_default(),
            warm_seconds: slowest(services.iter().filter_map(|of| of.warm)),
            speedup: speedup.and_then(|(cold, warm)| times(cold, warm)),
            identical: compared().next().is_some().then(|| compared().all(|is_identical| is_identical)),
            interrupted: false,
            services,
        }
    }

    /// Whether all of it was cached already, so that there is no cold pass to compare with.
    pub fn was_cached(&self) -> bool {
        self.services.iter().all(ServiceReport::was_cached)
    }

    /// Cold over warm, where there was a cold pass.
    pub fn shown_speedup(&self) -> Option<f64> {
        self.speedup.filter(|_| !self.was_cached())
    }

    /// What came of it, the worst first.
    pub fn verdict(&self) -> Verdict {
        let count = |is_meant: fn(&ServiceReport) -> bool| self.services.iter().filter(|of| is_meant(of)).count();
        let unproved = self.services.iter().map(ServiceReport::not_from_cache).sum();
        match (count(|of| !of.ok), count(|of| !of.is_whole())) {
            (0, _) if self.identical == Some(false) => Verdict::Different,
            (0, 0) if unproved > 0 => Verdict::Unproved(unproved),
            (0, 0) => Verdict::Good,
            (0, incomplete) => Verdict::Incomplete(incomplete),
            (failed, _) => Verdict::Failed(failed),
        }
    }
}

impl ServiceReport {
    fn new(of: &ServiceProgress, mode: Mode) -> Self {
        let (cold, warm) = (Pass::new(&of.cold), Pass::new(&of.warm));
        let error = match (of.cold.outcome(), of.warm.outcome()) {
            (Some(Err(problem)), _) | (_, Some(Err(problem))) => Some(chain(problem)),
            (None, _) => Some("interrupted".to_owned()),
            (Some(Ok(_)), _) => None,
        };
        let keys: BTreeSet<_> = of.cold.touched().into_iter().map(|touched| touched.key).collect();
        let names = if mode == Mode::Uncached { ["current", "cached"] } else { ["cold", "warm"] };
        let comparison = compare::laps(&of.cold, &of.warm, names);
        let both = cold.zip(warm).filter(|_| error.is_none());
        Self {
            service: of.service,
            strategy: services::strategy(of.service).name().to_owned(),
            ok: error.is_none(),
            error,
            cold: cold.unwrap_or_default(),
            warm,
            speedup: both.and_then(|(cold, warm)| times(cold.seconds, warm.seconds)),
            identical: comparison.as_ref().map(|comparison| matches!(comparison, Comparison::Same)),
            difference: match comparison {
                Some(Comparison::Different(place)) => Some(place),
                _ => None,
            },
            missing: [of.cold.missing(), of.warm.missing()].concat(),
            incomplete: gaps(of),
            keys: keys.into_iter().collect(),
        }
    }

    /// How many requests of the second pass were not answered from the cache, which that was to prove. Of what could not
    /// be had, that is told already.
    pub fn not_from_cache(&self) -> u64 {
        self.warm.filter(|_| self.is_whole()).map_or(0, |warm| warm.not_from_cache())
    }

    /// Whether the first pass came from the cache, but only after a while: somebody else was fetching it.
    pub fn is_shared(&self) -> bool {
        self.cold.is_warm() && self.speedup.is_some_and(|times| times > SHARED) && self.cold.seconds > SHARED_SECONDS
    }

    /// Whether it was all cached already, and waited for nobody who was fetching it.
    pub fn was_cached(&self) -> bool {
        self.cold.is_warm() && !self.is_shared()
    }

    /// Cold over warm, where there was a cold pass.
    pub fn shown_speedup(&self) -> Option<f64> {
        self.speedup.filter(|_| !self.was_cached())
    }

    /// Whether it brought all that there is.
    pub fn is_whole(&self) -> bool {
        self.ok && self.missing.is_empty() && self.incomplete.is_empty()
    }

    /// What is to be told though it did not fail.
    pub fn warnings(&self) -> Vec<String> {
        let asked_again = self.not_from_cache();
        let requests = if asked_again == 1 { "request was" } else { "requests were" };
        let proved =
            (asked_again > 0).then(|| format!("warm pass: {asked_again} {requests} not served from the cache"));
        proved.into_iter().chain(self.gaps()).collect()
    }

    /// Which parts could not be had, and why, in a line; `None`: it brought all of them.
    pub fn gaps(&self) -> Option<String> {
        let told = self.incomplete.iter().take(GAPS).map(|gap| format!("{} ({})", gap.part, gap.problem));
        let told = told.collect::<Vec<_>>().join(", ");
        match self.incomplete.len() {
            0 => None,
            1 => Some(format!("1 part missing: {told}")),
            count if count <= GAPS => Some(format!("{count} parts missing: {told}")),
            count => Some(format!("{count} parts missing: {told} and {} more", count - GAPS)),
        }
    }
}

/// The parts that either pass could not have, each once.
fn gaps(of: &ServiceProgress) -> Vec<Gap> {
    let mut gaps = of.cold.gaps();
    let known: BTreeSet<_> = gaps.iter().map(|gap| gap.part.clone()).collect();
    gaps.extend(of.warm.gaps().into_iter().filter(|gap| !known.contains(&gap.part)));
    gaps
}

impl Pass {
    fn new(lap: &Lap) -> Option<Self> {
        let (time, tally) = (lap.time()?, lap.tally());
        Some(Self {
            seconds: time.as_secs_f64(),
            requests: tally.requests,
            hits: tally.hits,
            absent: tally.absent,
            upstream: tally.upstream,
            bytes: tally.bytes,
            waited: tally.waited.as_secs_f64(),
        })
    }

    /// How many requests were not answered from the cache, though their answers could have been there.
    pub fn not_from_cache(&self) -> u64 {
        self.requests.saturating_sub(self.hits + self.absent)
    }

    /// Whether it was all in the cache.
    pub fn is_warm(&self) -> bool {
        self.requests > 0 && self.hits == self.requests
    }
}

/// Seconds of the slowest.
fn slowest(passes: impl Iterator<Item = Pass>) -> Option<f64> {
    passes.map(|pass| pass.seconds).max_by(f64::total_cmp)
}

fn times(cold: f64, warm: f64) -> Option<f64> {
    Some(cold / warm).filter(|times| times.is_finite())
}

mod name {
    use cache_core::ServiceName;
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes fields by reference")]
    pub(crate) fn serialize<S: Serializer>(service: &ServiceName, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(service.name())
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<ServiceName, D::Error> {
        let name = String::deserialize(deserializer)?;
        crate::services::from_name(&name).ok_or_else(|| D::Error::custom("unknown service"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_waited_for_another_had_it_from_the_cache_but_late() {
        let service = |cold_seconds: f64| ServiceReport {
            service: services::jikan(),
            strategy: "http".to_owned(),
            ok: true,
            error: None,
            cold: Pass { seconds: cold_seconds, requests: 9, hits: 9, ..Pass::default() },
            warm: Some(Pass { seconds: 0.002, requests: 9, hits: 9, ..Pass::default() }),
            speedup: times(cold_seconds, 0.002),
            identical: Some(true),
            difference: None,
            missing: Vec::new(),
            incomplete: Vec::new(),
            keys: Vec::new(),
        };
        assert!(service(17.0).is_shared());
        assert!(service(17.0).shown_speedup().is_some());
        assert!(service(0.003).was_cached() && service(0.1).was_cached() && service(0.1).shown_speedup().is_none());
    }
}
