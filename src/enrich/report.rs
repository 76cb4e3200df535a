//! The report of an enrichment, as `enrich --json` writes it.

use std::collections::BTreeSet;

use cache_core::redact::Secrets;
use cache_core::{ServiceName, error_chain};
use serde::{Deserialize, Serialize};

use crate::anime::Ids;
use crate::enrich::compare;
use crate::enrich::compare::Comparison;
use crate::enrich::metrics::Gap;
use crate::enrich::mode::Mode;
use crate::enrich::progress::{EnrichPlan, EnrichProgress, Pass, ServiceProgress};

/// A pass from the cache that is so many times slower than the next, and takes so many seconds, waited for another
/// program that was fetching the same data.
const SHARED: f64 = 20.0;

const SHARED_SECONDS: f64 = 0.2;

/// Missing parts that are listed in a line.
const MAX_LISTED_GAPS: usize = 3;

/// The report of one enrichment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EnrichReport {
    pub title: String,
    /// IDs of the anime: others may have the same title.
    #[serde(default)]
    pub ids: Ids,
    pub services: Vec<ServiceReport>,
    /// Of the slowest service: all run at once.
    pub cold_seconds: f64,
    /// `None`: there was no warm pass.
    pub warm_seconds: Option<f64>,
    /// Cold over warm, of the services that have both.
    pub speedup: Option<f64>,
    /// `None`: nothing was compared.
    pub identical: Option<bool>,
    #[serde(default)]
    pub interrupted: bool,
}

/// The verdict on an enrichment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// So many services returned no data.
    Failed(usize),
    /// The two passes differ.
    Different,
    /// The data of so many services is incomplete.
    Incomplete(usize),
    /// So many requests of the second pass were not served from the cache.
    Unverified(u64),
    /// Complete, and the second pass was served from the cache.
    Good,
}

/// The report of one service.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ServiceReport {
    #[serde(with = "name")]
    pub service: ServiceName,
    /// The cache that it uses: `http` or `result`.
    pub strategy: String,
    pub ok: bool,
    pub error: Option<String>,
    pub cold: PassReport,
    /// `None`: there was none.
    pub warm: Option<PassReport>,
    pub speedup: Option<f64>,
    /// `None`: the two passes cannot be compared.
    pub identical: Option<bool>,
    /// The first difference of the two passes: a path into the data with both values, or the key of a body.
    pub difference: Option<String>,
    /// URLs that are not cached, of an offline pass.
    #[serde(default)]
    pub missing: Vec<String>,
    /// The parts that could not be fetched.
    #[serde(default)]
    pub incomplete: Vec<Gap>,
    /// The entries that it used, sorted: cache keys of responses, Redis keys of results, without credentials.
    #[serde(default)]
    pub keys: Vec<String>,
}

/// One pass over one service.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PassReport {
    pub seconds: f64,
    pub requests: u64,
    pub hits: u64,
    /// Of the requests, not found: nothing that could be stored.
    #[serde(default)]
    pub absent: u64,
    /// Requests to the service itself.
    pub upstream: u64,
    pub bytes: u64,
    /// Seconds spent waiting for rate limits.
    pub waited: f64,
}

impl EnrichReport {
    /// The report of what is done so far.
    pub fn new(plan: &EnrichPlan, progress: &EnrichProgress) -> Self {
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

    /// Whether everything was cached already: there is no cold pass to compare with.
    pub fn was_cached(&self) -> bool {
        self.services.iter().all(ServiceReport::was_cached)
    }

    /// Cold over warm, where there was a cold pass.
    pub fn displayed_speedup(&self) -> Option<f64> {
        self.speedup.filter(|_| !self.was_cached())
    }

    /// The worst finding.
    pub fn verdict(&self) -> Verdict {
        let count = |is_meant: fn(&ServiceReport) -> bool| self.services.iter().filter(|of| is_meant(of)).count();
        let unproved = self.services.iter().map(ServiceReport::not_from_cache).sum();
        match (count(|of| !of.ok), count(|of| !of.is_complete())) {
            (0, _) if self.identical == Some(false) => Verdict::Different,
            (0, 0) if unproved > 0 => Verdict::Unverified(unproved),
            (0, 0) => Verdict::Good,
            (0, incomplete) => Verdict::Incomplete(incomplete),
            (failed, _) => Verdict::Failed(failed),
        }
    }
}

impl ServiceReport {
    fn new(of: &ServiceProgress, mode: Mode) -> Self {
        let (cold, warm) = (PassReport::new(&of.cold), PassReport::new(&of.warm));
        let error = match (of.cold.outcome(), of.warm.outcome()) {
            (Some(Err(problem)), _) | (_, Some(Err(problem))) => {
                Some(Secrets::Masked.text(&error_chain(problem)).into())
            }
            (None, _) => Some("interrupted".to_owned()),
            (Some(Ok(_)), _) => None,
        };
        let keys: BTreeSet<_> =
            of.cold.digests().into_iter().map(|digest| String::from(Secrets::Masked.key(&digest.key))).collect();
        let names = if mode == Mode::Uncached { ["current", "cached"] } else { ["cold", "warm"] };
        let comparison = compare::compare_passes(&of.cold, &of.warm, names);
        let both = cold.zip(warm).filter(|_| error.is_none());
        Self {
            service: of.service,
            strategy: crate::services::strategy(of.service).name().to_owned(),
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
            missing: of.cold.missing().into_iter().chain(of.warm.missing()).map(String::from).collect(),
            incomplete: gaps(of),
            keys: keys.into_iter().collect(),
        }
    }

    /// Requests of the second pass that were not served from the cache; 0 for incomplete data, which is reported
    /// separately.
    pub fn not_from_cache(&self) -> u64 {
        self.warm.filter(|_| self.is_complete()).map_or(0, |warm| warm.not_from_cache())
    }

    /// Whether the first pass waited for another program that was fetching the same data.
    pub fn is_shared(&self) -> bool {
        self.cold.is_warm() && self.speedup.is_some_and(|times| times > SHARED) && self.cold.seconds > SHARED_SECONDS
    }

    /// Whether everything was cached already, without waiting for another program.
    pub fn was_cached(&self) -> bool {
        self.cold.is_warm() && !self.is_shared()
    }

    /// Cold over warm, where there was a cold pass.
    pub fn displayed_speedup(&self) -> Option<f64> {
        self.speedup.filter(|_| !self.was_cached())
    }

    /// Whether the data is complete.
    pub fn is_complete(&self) -> bool {
        self.ok && self.missing.is_empty() && self.incomplete.is_empty()
    }

    /// Findings that are not failures.
    pub fn warnings(&self) -> Vec<String> {
        let asked_again = self.not_from_cache();
        let requests = if asked_again == 1 { "request was" } else { "requests were" };
        let proved =
            (asked_again > 0).then(|| format!("warm pass: {asked_again} {requests} not served from the cache"));
        proved.into_iter().chain(self.gaps()).collect()
    }

    /// The missing parts, with reasons, in a line; `None`: no part is missing.
    pub fn gaps(&self) -> Option<String> {
        let listed = self.incomplete.iter().take(MAX_LISTED_GAPS).map(|gap| format!("{} ({})", gap.part, gap.problem));
        let listed = listed.collect::<Vec<_>>().join(", ");
        match self.incomplete.len() {
            0 => None,
            1 => Some(format!("1 part missing: {listed}")),
            count if count <= MAX_LISTED_GAPS => Some(format!("{count} parts missing: {listed}")),
            count => Some(format!("{count} parts missing: {listed} and {} more", count - MAX_LISTED_GAPS)),
        }
    }
}

/// The parts that are missing in either pass, each once.
fn gaps(of: &ServiceProgress) -> Vec<Gap> {
    let mut gaps = of.cold.gaps();
    let known: BTreeSet<_> = gaps.iter().map(|gap| gap.part.clone()).collect();
    gaps.extend(of.warm.gaps().into_iter().filter(|gap| !known.contains(&gap.part)));
    gaps
}

impl PassReport {
    fn new(pass: &Pass) -> Option<Self> {
        let (time, metrics) = (pass.time()?, pass.snapshot());
        Some(Self {
            seconds: time.as_secs_f64(),
            requests: metrics.requests,
            hits: metrics.hits,
            absent: metrics.absent,
            upstream: metrics.upstream,
            bytes: metrics.bytes,
            waited: metrics.waited.as_secs_f64(),
        })
    }

    /// Requests that were not served from the cache, though they could have been.
    pub fn not_from_cache(&self) -> u64 {
        self.requests.saturating_sub(self.hits + self.absent)
    }

    /// Whether all requests were served from the cache.
    pub fn is_warm(&self) -> bool {
        self.requests > 0 && self.hits == self.requests
    }
}

fn slowest(passes: impl Iterator<Item = PassReport>) -> Option<f64> {
    passes.map(|pass| pass.seconds).max_by(f64::total_cmp)
}

fn times(cold: f64, warm: f64) -> Option<f64> {
    Some(cold / warm).filter(|times| times.is_finite())
}

mod name {
    use cache_core::ServiceName;
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

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
    fn slow_pass_from_cache_counts_as_shared() {
        let service = |cold_seconds: f64| ServiceReport {
            service: crate::services::jikan(),
            strategy: "http".to_owned(),
            ok: true,
            error: None,
            cold: PassReport { seconds: cold_seconds, requests: 9, hits: 9, ..PassReport::default() },
            warm: Some(PassReport { seconds: 0.002, requests: 9, hits: 9, ..PassReport::default() }),
            speedup: times(cold_seconds, 0.002),
            identical: Some(true),
            difference: None,
            missing: Vec::new(),
            incomplete: Vec::new(),
            keys: Vec::new(),
        };
        assert!(service(17.0).is_shared());
        assert!(service(17.0).displayed_speedup().is_some());
        assert!(service(0.003).was_cached() && service(0.1).was_cached() && service(0.1).displayed_speedup().is_none());
    }
}
