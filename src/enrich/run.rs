//! One enrichment: all services at once, cold and then warm.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use cache_core::{Cache, Service, Services};
use futures_util::future::join_all;
use serde_json::Value;
use tokio::time::Instant;

use super::anime::Anime;
use super::meter::{Gap, Meter, Tally, Touched};
use super::network::Network;
use super::problem::Problem;
use super::report::Report;
use super::source::{SERVICES, source};
use super::way::{Mode, Way};

/// How long one service may take in all (the pipeline's `API_TIMEOUT`).
pub const TIME_LIMIT: Duration = Duration::from_secs(200);

/// What is to be done.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    pub anime: Anime,
    /// Those without an id of the anime are left out.
    pub services: Vec<Service>,
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
    pub service: Service,
    /// What the service itself says, or, where nothing else is compared with it, the only pass.
    pub cold: Arc<Lap>,
    /// What the cache says.
    pub warm: Arc<Lap>,
}

/// One pass over one service.
#[derive(Debug, Default)]
pub struct Lap {
    meter: Arc<Meter>,
    begun: OnceLock<Instant>,
    over: OnceLock<(Duration, Result<Value, Problem>)>,
}

impl Plan {
    /// The services that are asked, in the pipeline's order.
    pub fn asked(&self) -> impl Iterator<Item = Service> {
        SERVICES.into_iter().filter(|service| self.services.contains(service) && self.anime.is_at(*service))
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

/// One of a service's two passes.
type Which = fn(&ServiceProgress) -> &Lap;

/// Does what was planned. Fails never: what fails is part of the report.
pub async fn run(cache: &Cache, network: &Network, services: &Services, plan: &Plan, progress: &Progress) -> Report {
    let (first, then): (Which, Which) =
        if plan.mode == Mode::Uncached { (|of| &of.warm, |of| &of.cold) } else { (|of| &of.cold, |of| &of.warm) };
    let modes = match plan.mode {
        Mode::Uncached => (Mode::Offline, Some(Mode::Uncached)),
        Mode::Offline => (Mode::Offline, None),
        mode => (mode, Some(Mode::Usual)),
    };
    pass(cache, network, services, plan, progress.services.iter().map(|of| (of.service, first(of))), modes.0).await;
    if let Some(mode) = modes.1 {
        // What failed has nothing to be compared with.
        let again = progress.services.iter().filter(|of| first(of).value().is_some());
        pass(cache, network, services, plan, again.map(|of| (of.service, then(of))), mode).await;
    }
    Report::new(plan, progress)
}

/// Fetches what is not cached, once, and compares nothing.
pub async fn fill(cache: &Cache, network: &Network, services: &Services, plan: &Plan, progress: &Progress) -> Report {
    let laps = progress.services.iter().map(|of| (of.service, &*of.cold));
    pass(cache, network, services, plan, laps, plan.mode).await;
    Report::new(plan, progress)
}

/// All services at once, each within its time.
async fn pass<'a>(
    cache: &Cache,
    network: &Network,
    services: &Services,
    plan: &Plan,
    laps: impl Iterator<Item = (Service, &'a Lap)>,
    mode: Mode,
) {
    let fetches = laps.filter_map(|(service, lap)| Some((service, lap, source(service)?)));
    let fetches = fetches.map(|(service, lap, source)| async move {
        let way = Way::new(cache, network, service, services, mode, Arc::clone(&lap.meter));
        let begun = *lap.begun.get_or_init(Instant::now);
        let outcome = tokio::time::timeout(plan.time_limit, source.fetch(&plan.anime, &way)).await;
        let outcome = outcome.unwrap_or(Err(Problem::OutOfTime(plan.time_limit)));
        // Each lap is run once.
        let _ = lap.over.set((begun.elapsed(), outcome));
    });
    join_all(fetches).await;
}
