//! One enrichment: all services at once, cold and then warm, and whether both brought the same.

use std::sync::Arc;
use std::time::Duration;

use cache_core::{Cache, Service, Services};
use futures_util::future::join_all;
use serde_json::Value;
use tokio::time::Instant;

use super::anime::Anime;
use super::meter::{Meter, Tally};
use super::network::Network;
use super::problem::Problem;
use super::report::{Pass, Report, ServiceReport};
use super::source::{SERVICES, source};
use super::way::{Mode, Way};

/// How long one service may take in all (the pipeline's `API_TIMEOUT`).
pub const TIME_LIMIT: Duration = Duration::from_secs(200);

/// What is to be done.
#[derive(Clone, Debug)]
pub struct Plan {
    pub anime: Anime,
    /// Those without an id of the anime are left out.
    pub services: Vec<Service>,
    pub mode: Mode,
    /// For each service.
    pub time_limit: Duration,
}

/// How far an enrichment is. Shared with whoever shows it.
#[derive(Debug)]
pub struct Progress {
    /// In the pipeline's order.
    pub services: Vec<ServiceProgress>,
}

/// How far one service is.
#[derive(Debug)]
pub struct ServiceProgress {
    pub service: Service,
    pub cold: Arc<Meter>,
    pub warm: Arc<Meter>,
}

/// What one pass over one service brought.
struct Brought {
    service: Service,
    outcome: Result<Value, Problem>,
    time: Duration,
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

/// Does what was planned. Fails never: what fails is part of the report.
pub async fn run(cache: &Cache, network: &Network, services: &Services, plan: &Plan, progress: &Progress) -> Report {
    let begun = Instant::now();
    let cold = pass(cache, network, services, plan, progress, |service| Some(&service.cold)).await;
    let cold_seconds = begun.elapsed().as_secs_f64();
    let begun = Instant::now();
    let warm = pass(cache, network, services, plan, progress, |service| {
        let is_there = cold.iter().any(|brought| brought.service == service.service && brought.outcome.is_ok());
        is_there.then_some(&service.warm)
    });
    let warm = warm.await;
    let warm_seconds = begun.elapsed().as_secs_f64();
    let compared = cold.iter().zip(&progress.services).map(|(cold, meters)| {
        let warm = warm.iter().find(|warm| warm.service == cold.service);
        compare(cold, warm, meters)
    });
    let compared: Vec<_> = compared.collect();
    let is_warm = warm_seconds > 0.0 && !warm.is_empty();
    Report {
        title: plan.anime.title.clone(),
        identical: compared.iter().all(|service| service.identical != Some(false)),
        services: compared,
        cold_seconds,
        warm_seconds,
        speedup: is_warm.then(|| cold_seconds / warm_seconds),
    }
}

/// All services at once, each within its time.
async fn pass<'a>(
    cache: &Cache,
    network: &Network,
    services: &Services,
    plan: &Plan,
    progress: &'a Progress,
    meter: impl Fn(&'a ServiceProgress) -> Option<&'a Arc<Meter>>,
) -> Vec<Brought> {
    let fetches = progress.services.iter().filter_map(|of| Some((of.service, meter(of)?, source(of.service)?)));
    let fetches = fetches.map(|(service, meter, source)| async move {
        let way = Way::new(cache, network, service, services.url(service), plan.mode, Arc::clone(meter));
        let begun = Instant::now();
        let outcome = tokio::time::timeout(plan.time_limit, source.fetch(&plan.anime, &way)).await;
        let outcome = outcome.unwrap_or(Err(Problem::OutOfTime(plan.time_limit)));
        Brought { service, outcome, time: begun.elapsed() }
    });
    join_all(fetches).await
}

fn compare(cold: &Brought, warm: Option<&Brought>, meters: &ServiceProgress) -> ServiceReport {
    let is_crawled = matches!(cold.service, Service::AnimePlanet | Service::AniSearch);
    let error = cold.outcome.as_ref().err().or_else(|| warm?.outcome.as_ref().err());
    let difference = warm.map(|warm| match (&cold.outcome, &warm.outcome) {
        (Ok(before), Ok(after)) if before == after => None,
        _ => Some(String::new()),
    });
    ServiceReport {
        service: cold.service,
        strategy: if is_crawled { "result" } else { "http" }.to_owned(),
        ok: error.is_none(),
        error: error.map(ToString::to_string),
        cold: Pass::new(cold.time, meters.cold.tally()),
        warm: warm.map(|warm| Pass::new(warm.time, meters.warm.tally())),
        speedup: warm.map(|warm| cold.time.as_secs_f64() / warm.time.as_secs_f64()).filter(|times| times.is_finite()),
        identical: difference.as_ref().map(Option::is_none),
        difference: difference.flatten(),
    }
}

impl Pass {
    fn new(time: Duration, tally: Tally) -> Self {
        Self {
            seconds: time.as_secs_f64(),
            requests: tally.requests,
            hits: tally.hits,
            upstream: tally.upstream,
            bytes: tally.bytes,
            waited: tally.waited.as_secs_f64(),
        }
    }
}
