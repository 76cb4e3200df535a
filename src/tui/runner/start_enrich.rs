//! Effects of the Enrich tab: reading titles and runs, and enriching.

use std::path::PathBuf;
use std::sync::Arc;

use cache_core::{Cache, Config, Inspect, authority, clock};

use crate::enrich::history;
use crate::enrich::history::Run;
use crate::enrich::lookup::Catalogue;
use crate::enrich::network::Network;
use crate::enrich::progress::EnrichPlan;
use crate::enrich::run;
use crate::services;
use crate::services::Services;
use crate::tui::app::enrich::{ServiceTally, TitleList};
use crate::tui::message::{EnrichProgress, Outcome};
use crate::tui::runner::reporter::{REPORT_INTERVAL, Reporter};
use crate::tui::runner::tasks::Tasks;
use crate::tui::ticket::Ticket;

/// The network and settings of enrichments.
pub(crate) struct Enrichment {
    config: Config,
    services: Services,
    catalogue: Option<PathBuf>,
    /// Shared by all enrichments; created for the first.
    shared: Option<(Cache, Network)>,
}

impl Enrichment {
    pub(crate) fn new(config: Config, services: Services, catalogue: Option<PathBuf>) -> Self {
        Self { config, services, catalogue, shared: None }
    }

    fn shared(&mut self, store: &Arc<dyn Inspect>) -> (Cache, Network) {
        let create = || (Cache::with_store(Arc::clone(store), &self.config), Network::for_sites(&self.services));
        self.shared.get_or_insert_with(create).clone()
    }

    /// Lets the shared cache write what is pending.
    pub(crate) async fn close(self) {
        if let Some((cache, _)) = self.shared {
            cache.close().await;
        }
    }
}

/// Reads the titles that can be enriched.
pub(crate) fn start_load_titles(tasks: &mut Tasks, ticket: Ticket, enrichment: &Enrichment) {
    let (file, services) = (enrichment.catalogue.clone(), enrichment.services.clone());
    tasks.spawn(ticket, move |_| async move { Outcome::TitlesLoaded(load_titles(file, &services).await) });
}

async fn load_titles(file: Option<PathBuf>, services: &Services) -> Result<TitleList, String> {
    // A database may be large: it is read without blocking the input.
    let read =
        tokio::task::spawn_blocking(move || file.map_or_else(|| Ok(Catalogue::demo()), |file| Catalogue::open(&file)));
    let catalogue = read.await.map_err(|error| error.to_string())?.map_err(|error| format!("{error:#}"))?;
    let hosts = services::all().map(|service| (service, authority(services.url(service)).to_owned())).collect();
    Ok(TitleList { titles: catalogue.anime().cloned().collect(), hosts })
}

/// Reads the recent runs.
pub(crate) fn start_load_runs(tasks: &mut Tasks, ticket: Ticket) {
    tasks.spawn_on_store(ticket, |store, _| async move { Outcome::Runs(history::runs(&*store).await) });
}

/// Enriches a title twice and compares both passes.
pub(crate) fn start_enrich(tasks: &mut Tasks, ticket: Ticket, enrichment: &mut Enrichment, plan: Box<EnrichPlan>) {
    let Some(store) = tasks.store.get() else { return };
    let (cache, network) = enrichment.shared(store);
    let (config, services) = (enrichment.config.clone(), enrichment.services.clone());
    tasks.spawn(ticket, move |reporter| async move {
        enrich(&cache, &network, (&config, &services), &plan, &reporter).await
    });
}

async fn enrich(
    cache: &Cache,
    network: &Network,
    (config, services): (&Config, &Services),
    plan: &EnrichPlan,
    reporter: &Reporter,
) -> Outcome {
    let progress = plan.progress();
    let mut clock = tokio::time::interval(REPORT_INTERVAL);
    let mut run = std::pin::pin!(run::run(cache, network, services, plan, &progress));
    let report = loop {
        tokio::select! {
            biased;
            report = &mut run => break report,
            _ = clock.tick() => reporter.try_send(EnrichProgress::Enriching(ServiceTally::all(&progress))),
        }
    };
    let run = Run { at: clock::now(), report };
    let kept = if config.enabled { history::add(&**cache.store(), &run).await } else { Ok(()) };
    Outcome::Enriched(Box::new(run), kept.err())
}
