//! One enrichment: a cold and a warm pass over all services at once.

use std::sync::Arc;

use crate::services::Services;
use cache_core::{Cache, ServiceName};
use futures_util::future::join_all;
use tokio::time::Instant;

use crate::enrich::error::FetchFailure;
use crate::enrich::mode::Mode;
use crate::enrich::network::Network;
use crate::enrich::progress::{EnrichPlan, EnrichProgress, Pass, ServiceProgress};
use crate::enrich::report::EnrichReport;
use crate::enrich::service_client::ServiceClient;
use crate::enrich::sources::source;

/// One of a service's two passes.
type Which = fn(&ServiceProgress) -> &Pass;

/// Runs both passes. Never fails: failures are part of the report.
pub async fn run(
    cache: &Cache,
    network: &Network,
    services: &Services,
    plan: &EnrichPlan,
    progress: &EnrichProgress,
) -> EnrichReport {
    let (first, then): (Which, Which) =
        if plan.mode == Mode::Uncached { (|of| &of.warm, |of| &of.cold) } else { (|of| &of.cold, |of| &of.warm) };
    let modes = match plan.mode {
        Mode::Uncached => (Mode::Offline, Some(Mode::Uncached)),
        Mode::Offline => (Mode::Offline, None),
        mode => (mode, Some(Mode::Usual)),
    };
    run_pass(cache, network, services, plan, progress.services.iter().map(|of| (of.service, first(of))), modes.0).await;
    if let Some(mode) = modes.1 {
        // A failed pass has nothing to be compared with.
        let again = progress.services.iter().filter(|of| first(of).value().is_some());
        run_pass(cache, network, services, plan, again.map(|of| (of.service, then(of))), mode).await;
    }
    EnrichReport::new(plan, progress)
}

/// Fetches what is not cached, once, and compares nothing.
pub async fn fill(
    cache: &Cache,
    network: &Network,
    services: &Services,
    plan: &EnrichPlan,
    progress: &EnrichProgress,
) -> EnrichReport {
    let passes = progress.services.iter().map(|of| (of.service, &*of.cold));
    run_pass(cache, network, services, plan, passes, plan.mode).await;
    EnrichReport::new(plan, progress)
}

/// Runs one pass of all services at once, each within the time limit.
async fn run_pass<'a>(
    cache: &Cache,
    network: &Network,
    services: &Services,
    plan: &EnrichPlan,
    passes: impl Iterator<Item = (ServiceName, &'a Pass)>,
    mode: Mode,
) {
    let fetches = passes.filter_map(|(service, pass)| Some((service, pass, source(service)?)));
    let fetches = fetches.map(|(service, pass, source)| async move {
        let client = ServiceClient::new(cache, network, service, services, mode, Arc::clone(&pass.metrics))
            .with_ban_check(source.is_ban());
        let begun = *pass.begun.get_or_init(Instant::now);
        let outcome = tokio::time::timeout(plan.timeout, source.fetch(&plan.anime, &client)).await;
        let outcome = outcome.unwrap_or(Err(FetchFailure::OutOfTime(plan.timeout)));
        // Each pass runs once.
        let _ = pass.over.set((begun.elapsed(), outcome));
    });
    join_all(fetches).await;
}
