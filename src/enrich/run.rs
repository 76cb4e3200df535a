//! One enrichment: all services at once, cold and then warm.

use std::sync::Arc;

use crate::services::Services;
use cache_core::{Cache, ServiceName};
use futures_util::future::join_all;
use tokio::time::Instant;

use crate::enrich::error::Problem;
use crate::enrich::mode::Mode;
use crate::enrich::network::Network;
use crate::enrich::progress::{Lap, Plan, Progress, ServiceProgress};
use crate::enrich::report::Report;
use crate::enrich::service_client::Way;
use crate::enrich::sources::source;

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
    laps: impl Iterator<Item = (ServiceName, &'a Lap)>,
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
