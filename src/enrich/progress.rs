//! The plan of an enrichment, and how far it is: shared between the run and the view of its progress.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use cache_core::ServiceName;
use cache_core::redact::Redacted;
use serde_json::Value;
use tokio::time::Instant;

use crate::anime::Anime;
use crate::enrich::error::FetchFailure;
use crate::enrich::metrics::{Gap, Metrics, PassMetrics, ResponseDigest};
use crate::enrich::mode::Mode;
use crate::services::SERVICES;

/// The default time limit of one service (`API_TIMEOUT` of the pipeline).
pub const SERVICE_TIMEOUT: Duration = Duration::from_secs(200);

/// The plan of an enrichment.
#[derive(Clone, Debug, PartialEq)]
pub struct EnrichPlan {
    pub anime: Anime,
    /// Services without an ID of the anime are skipped.
    pub services: Vec<ServiceName>,
    /// Usual and fresh: a cold pass, then a warm one. Uncached: the cached data, then the current data. Offline: one
    /// pass over the cached data.
    pub mode: Mode,
    /// For each service.
    pub timeout: Duration,
}

/// The progress of an enrichment, and its data so far.
#[derive(Debug)]
pub struct EnrichProgress {
    /// In the pipeline's order.
    pub services: Vec<ServiceProgress>,
}

/// The progress of one service.
#[derive(Clone, Debug)]
pub struct ServiceProgress {
    pub service: ServiceName,
    /// The data of the service itself, or the only pass.
    pub cold: Arc<Pass>,
    /// The data of the cache.
    pub warm: Arc<Pass>,
}

/// One pass over one service.
#[derive(Debug, Default)]
pub struct Pass {
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) begun: OnceLock<Instant>,
    pub(crate) over: OnceLock<(Duration, Result<Value, FetchFailure>)>,
}

impl EnrichPlan {
    /// The services to request, in the pipeline's order.
    pub fn services(&self) -> impl Iterator<Item = ServiceName> {
        SERVICES.iter().copied().filter(|service| self.services.contains(service) && self.anime.is_at(*service))
    }

    /// The progress of a run that has not begun.
    pub fn progress(&self) -> EnrichProgress {
        let services =
            self.services().map(|service| ServiceProgress { service, cold: Arc::default(), warm: Arc::default() });
        EnrichProgress { services: services.collect() }
    }
}

impl Pass {
    /// Its current metrics.
    pub fn snapshot(&self) -> PassMetrics {
        self.metrics.snapshot()
    }

    /// Digests of the responses, in their order.
    pub fn digests(&self) -> Vec<ResponseDigest> {
        self.metrics.digests()
    }

    /// URLs that are not cached, of an offline pass.
    pub fn missing(&self) -> Vec<Redacted<'static>> {
        self.metrics.missing()
    }

    /// The parts that could not be fetched.
    pub fn gaps(&self) -> Vec<Gap> {
        self.metrics.gaps()
    }

    /// The duration, or the time so far if it is running; `None`: it has not started.
    pub fn time(&self) -> Option<Duration> {
        self.over.get().map(|(time, _)| *time).or_else(|| Some(self.begun.get()?.elapsed()))
    }

    /// Its data, or why there is none; `None`: it is not over.
    pub fn outcome(&self) -> Option<&Result<Value, FetchFailure>> {
        self.over.get().map(|(_, outcome)| outcome)
    }

    /// Its data, if it succeeded.
    pub fn value(&self) -> Option<&Value> {
        self.outcome()?.as_ref().ok()
    }
}
