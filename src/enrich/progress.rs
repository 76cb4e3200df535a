//! TODO

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use cache_core::ServiceName;
use serde_json::Value;
use tokio::time::Instant;

use crate::anime::Anime;
use crate::enrich::error::Problem;
use crate::enrich::metrics::{Gap, Meter, Tally, Touched};
use crate::enrich::mode::Mode;
use crate::services::SERVICES;

/// How long one service may take in all (the pipeline's `API_TIMEOUT`).
pub const TIME_LIMIT: Duration = Duration::from_secs(200);

/// What is to be done.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    pub anime: Anime,
    /// Those without an id of the anime are left out.
    pub services: Vec<ServiceName>,
    /// Usual and fresh: a cold pass, then a warm one. Uncached: what the cache has, then what the services say now.
    /// Offline: one pass over what the cache has.
    pub mode: Mode,
    /// For each service.
    pub time_limit: Duration,
}

/// How far an enrichment is, and what it brought so far. Shared with whoever shows it.
#[derive(Debug)]
pub struct Progress {
    /// In the pipeline's order.
    pub services: Vec<ServiceProgress>,
}

/// How far one service is.
#[derive(Clone, Debug)]
pub struct ServiceProgress {
    pub service: ServiceName,
    /// What the service itself says, or, where nothing else is compared with it, the only pass.
    pub cold: Arc<Lap>,
    /// What the cache says.
    pub warm: Arc<Lap>,
}

/// One pass over one service.
#[derive(Debug, Default)]
pub struct Lap {
    pub(crate) meter: Arc<Meter>,
    pub(crate) begun: OnceLock<Instant>,
    pub(crate) over: OnceLock<(Duration, Result<Value, Problem>)>,
}

impl Plan {
    /// The services that are asked, in the pipeline's order.
    pub fn asked(&self) -> impl Iterator<Item = ServiceName> {
        SERVICES.iter().copied().filter(|service| self.services.contains(service) && self.anime.is_at(*service))
    }

    /// Meters for all that is to be done.
    pub fn progress(&self) -> Progress {
        let services =
            self.asked().map(|service| ServiceProgress { service, cold: Arc::default(), warm: Arc::default() });
        Progress { services: services.collect() }
    }
}

impl Lap {
    /// What its meter shows now.
    pub fn tally(&self) -> Tally {
        self.meter.tally()
    }

    /// What was asked of the cache, in the order of the answers.
    pub fn touched(&self) -> Vec<Touched> {
        self.meter.touched()
    }

    /// What was to be taken from the cache and is not in it: URLs.
    pub fn missing(&self) -> Vec<String> {
        self.meter.missing()
    }

    /// The parts that could not be had.
    pub fn gaps(&self) -> Vec<Gap> {
        self.meter.gaps()
    }

    /// How long it took; so far, where it is not over; `None` where it has not begun.
    pub fn time(&self) -> Option<Duration> {
        self.over.get().map(|(time, _)| *time).or_else(|| Some(self.begun.get()?.elapsed()))
    }

    /// What it brought; `None`: it is not over.
    pub fn outcome(&self) -> Option<&Result<Value, Problem>> {
        self.over.get().map(|(_, outcome)| outcome)
    }

    /// What it brought where all went well.
    pub fn value(&self) -> Option<&Value> {
        self.outcome()?.as_ref().ok()
    }
}
