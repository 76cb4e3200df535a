//! Carries out effects: one task for each. The only place of the dashboard that calls the store.

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use cache_core::admin::batch::Plan;
use cache_core::admin::{flush, select, ttl};
use cache_core::counters::Window;
use cache_core::{
    BodyPattern, Cache, Config, EntryId, Error, Filter, Health, Inspect, Opened, Source, authority, chain, clock, pages,
};
use futures_util::future::BoxFuture;
use futures_util::{FutureExt, StreamExt, TryStreamExt};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use crate::enrich::history;
use crate::enrich::history::Run;
use crate::enrich::lookup::Catalogue;
use crate::enrich::network::Network;
use crate::enrich::progress::EnrichPlan as Enrichment;
use crate::enrich::run::run as enrich_twice;
use crate::services;
use crate::services::Services;
use crate::tui::app::body::{Body, PREVIEW};
use crate::tui::app::detail::Detail;
use crate::tui::app::enrich::{Offer, ServiceTally};
use crate::tui::app::rates::Tally;
use crate::tui::effect::Effect;
use crate::tui::message::{Message, Outcome, Progress, Sight};
use crate::tui::ticket::Ticket;

/// Few, since each may be a page: a scan faster than the screen waits here instead of filling the memory.
const INBOX: usize = 8;

/// At most ten reports a second.
const REPORT_EVERY: Duration = Duration::from_millis(100);

/// At most so many found entries in one message.
const SEARCH_BATCH: usize = 1_000;

/// At most so many events of a watch in one message.
const SIGHTS: usize = 5_000;

/// Puts a text on the clipboard.
pub type Clipboard = Box<dyn FnMut(&str) + Send>;

/// The tasks under way.
pub struct Runner {
    store: Arc<OnceLock<Arc<dyn Inspect>>>,
    opening: Option<BoxFuture<'static, cache_core::Result<Opened>>>,
    clipboard: Clipboard,
    config: Config,
    services: Services,
    catalogue: Option<PathBuf>,
    /// What enrichments share: made for the first one.
    enriching: Option<(Cache, Network)>,
    inbox: mpsc::Sender<Message>,
    tasks: HashMap<Ticket, Task>,
    in_flight: Arc<AtomicUsize>,
}

struct Task {
    handle: JoinHandle<()>,
    stop: Arc<AtomicBool>,
    /// It goes on for as long as it is let, and nobody waits for its end.
    is_endless: bool,
}

/// What a task needs to report.
#[derive(Clone)]
struct Reporter {
    ticket: Ticket,
    inbox: mpsc::Sender<Message>,
    stop: Arc<AtomicBool>,
}

impl Runner {
    /// A runner and where its messages arrive. `opening` is awaited by the first [`Effect::Open`]; `config` says how
    /// enrichments use what it opens, and `services` where the services are; `catalogue` is an anime-offline-database, in place
    /// of the one that ships inside.
    pub fn new(
        opening: impl Future<Output = cache_core::Result<Opened>> + Send + 'static,
        (config, services): (Config, Services),
        catalogue: Option<PathBuf>,
        clipboard: Clipboard,
    ) -> (Self, mpsc::Receiver<Message>) {
        let (inbox, messages) = mpsc::channel(INBOX);
        let runner = Self {
            store: Arc::default(),
            opening: Some(opening.boxed()),
            clipboard,
            config,
            services,
            catalogue,
            enriching: None,
            inbox,
            tasks: HashMap::new(),
            in_flight: Arc::default(),
        };
        (runner, messages)
    }

    /// How many requests have not been answered yet, as a number that goes on counting.
    pub fn in_flight(&self) -> Arc<AtomicUsize> {
        Arc::clone(&self.in_flight)
    }

    /// Starts to carry out an effect; [`Effect::Redraw`], [`Effect::Suspend`] and [`Effect::Quit`] are the loop's own.
    pub fn start(&mut self, effect: Effect) {
        match effect {
            Effect::Open(ticket) => {
                if let Some(opening) = self.opening.take() {
                    let slot = Arc::clone(&self.store);
                    let inbox = self.inbox.clone();
                    self.spawn(ticket, move |_| async move { Outcome::Opened(open(opening, &slot, inbox).await) });
                }
            }
            Effect::Scan(ticket) => {
                self.on_store(
                    ticket,
                    move |store, reporter| async move { Outcome::Scanned(scan(store, &reporter).await) },
                );
            }
            Effect::Search { ticket, pattern, ids } => {
                self.on_store(ticket, move |store, reporter| async move {
                    Outcome::Searched(search(store, pattern, ids, &reporter).await)
                });
            }
            Effect::Load { ticket, id } => {
                self.on_store(ticket, move |store, _| async move { Outcome::Loaded(load(&*store, &id).await) });
            }
            Effect::Flush { ticket, plan } => {
                self.on_store(ticket, move |store, reporter| async move { run_flush(&store, &plan, &reporter).await });
            }
            Effect::ChangeTtl { ticket, on, targets, change } => {
                self.on_store(ticket, move |store, reporter| async move {
                    let mut report_work = reporter.work();
                    let progress =
                        |progress: cache_core::admin::batch::Progress| report_work(progress.done, progress.total);
                    Outcome::TtlChanged(ttl::change(&store, &on, &targets, change, &reporter.stop, progress).await)
                });
            }
            Effect::Count(ticket) => {
                self.on_store(ticket, |store, _| async move { Outcome::Counted(count(&*store).await) });
            }
            Effect::Watch { ticket, source } => {
                self.on_store(ticket, move |store, reporter| async move {
                    Outcome::Watched(watch(&*store, source, &reporter).await)
                });
                if let Some(task) = self.tasks.get_mut(&ticket) {
                    task.is_endless = true;
                    self.in_flight.fetch_sub(1, Ordering::Release);
                }
            }
            Effect::Offer(ticket) => {
                let (file, services) = (self.catalogue.clone(), self.services.clone());
                self.spawn(ticket, move |_| async move { Outcome::Offered(offer(file, &services).await) });
            }
            Effect::LoadRuns(ticket) => {
                self.on_store(ticket, |store, _| async move { Outcome::Runs(history::runs(&*store).await) });
            }
            Effect::Enrich { ticket, plan } => {
                let Some(store) = self.store.get() else { return };
                let (cache, network) = self
                    .enriching
                    .get_or_insert_with(|| {
                        (Cache::over(Arc::clone(store), &self.config), Network::for_sites(&self.services))
                    })
                    .clone();
                let (config, services) = (self.config.clone(), self.services.clone());
                self.spawn(ticket, move |reporter| async move {
                    enrich(&cache, &network, (&config, &services), &plan, &reporter).await
                });
            }
            Effect::CheckHealth(ticket) => {
                self.on_store(ticket, |store, _| async move { Outcome::Health(store.health().await) });
            }
            Effect::Cancel(ticket) => {
                if let Some(task) = self.tasks.remove(&ticket) {
                    task.handle.abort();
                    self.forget(&task);
                }
            }
            Effect::Stop(ticket) => {
                if let Some(task) = self.tasks.get(&ticket) {
                    task.stop.store(true, Ordering::Relaxed);
                }
            }
            Effect::Copy(text) => (self.clipboard)(&text),
            Effect::Redraw | Effect::Suspend | Effect::Quit => {}
        }
    }

    /// Takes note that the last message of a request has arrived.
    pub fn finish(&mut self, message: &Message) {
        if let Message::Done(ticket, _) = message
            && let Some(task) = self.tasks.remove(ticket)
        {
            self.forget(&task);
        }
    }

    /// Ends whatever is under way and waits until it has put back what it changed.
    pub async fn close(self) {
        for task in self.tasks.values() {
            task.handle.abort();
        }
        for task in self.tasks.into_values() {
            let _ = task.handle.await;
        }
        if let Some((cache, _)) = self.enriching {
            cache.close().await;
        }
    }

    fn forget(&self, task: &Task) {
        if !task.is_endless {
            self.in_flight.fetch_sub(1, Ordering::Release);
        }
    }

    fn on_store<F: Future<Output = Outcome> + Send + 'static>(
        &mut self,
        ticket: Ticket,
        work: impl FnOnce(Arc<dyn Inspect>, Reporter) -> F,
    ) {
        if let Some(store) = self.store.get().cloned() {
            self.spawn(ticket, move |reporter| work(store, reporter));
        }
    }

    fn spawn<F: Future<Output = Outcome> + Send + 'static>(
        &mut self,
        ticket: Ticket,
        work: impl FnOnce(Reporter) -> F,
    ) {
        let stop = Arc::new(AtomicBool::new(false));
        let inbox = self.inbox.clone();
        let work = work(Reporter { ticket, inbox: inbox.clone(), stop: Arc::clone(&stop) });
        #[expect(clippy::disallowed_methods, reason = "the runner starts the dashboard's tasks")]
        let handle = tokio::spawn(async move {
            let outcome = AssertUnwindSafe(work).catch_unwind().await.unwrap_or(Outcome::Crashed);
            // Nobody is left to tell when the dashboard has been left.
            let _ = inbox.send(Message::Done(ticket, outcome)).await;
        });
        self.in_flight.fetch_add(1, Ordering::Release);
        self.tasks.insert(ticket, Task { handle, stop, is_endless: false });
    }
}

async fn open(
    opening: BoxFuture<'static, cache_core::Result<Opened>>,
    slot: &OnceLock<Arc<dyn Inspect>>,
    inbox: mpsc::Sender<Message>,
) -> Result<Health, Error> {
    let opened = opening.await?;
    let health = Health {
        backend: opened.store.id(),
        is_fallback: opened.fallback.is_some(),
        problem: opened.fallback.as_ref().map(|error| chain(error)),
    };
    if let Some(changes) = opened.store.health_changes() {
        #[expect(clippy::disallowed_methods, reason = "the runner starts the dashboard's tasks")]
        tokio::spawn(follow(changes, inbox));
    }
    let _ = slot.set(opened.store);
    Ok(health)
}

/// Tells at once which storage answers now; ends with the store or the dashboard.
async fn follow(mut changes: watch::Receiver<Health>, inbox: mpsc::Sender<Message>) {
    while changes.changed().await.is_ok() {
        let health = changes.borrow_and_update().clone();
        if inbox.send(Message::Health(health)).await.is_err() {
            return;
        }
    }
}

async fn scan(store: Arc<dyn Inspect>, reporter: &Reporter) -> Result<(), Error> {
    let mut pages = std::pin::pin!(pages(store, Filter::default()));
    while let Some(page) = pages.try_next().await? {
        let message = Message::Progress(reporter.ticket, Progress::Page(page));
        if reporter.inbox.send(message).await.is_err() {
            break;
        }
    }
    Ok(())
}

async fn count(store: &dyn Inspect) -> Result<Tally, Error> {
    let (counted, info) = tokio::try_join!(store.stats(Window::Week.since(clock::now())), store.info())?;
    Ok(Tally { counted, server: info.keyspace })
}

async fn search(
    store: Arc<dyn Inspect>,
    pattern: BodyPattern,
    ids: Vec<EntryId>,
    reporter: &Reporter,
) -> Result<(), Error> {
    // What was found while the screen was busy is reported together.
    let mut found = std::pin::pin!(select::search(store, pattern, ids).ready_chunks(SEARCH_BATCH));
    while let Some(chunk) = found.next().await {
        let ids = chunk.into_iter().collect::<Result<Vec<_>, _>>()?;
        if reporter.inbox.send(Message::Progress(reporter.ticket, Progress::Found(ids))).await.is_err() {
            break;
        }
    }
    Ok(())
}

async fn load(store: &dyn Inspect, id: &EntryId) -> Result<Option<Box<Detail>>, Error> {
    let (inspected, raw) = tokio::try_join!(store.details(id), store.raw_body(id, PREVIEW))?;
    let Some(inspected) = inspected else { return Ok(None) };
    let coding = inspected.entry.as_ref().and_then(|entry| entry.response.headers.get("content-encoding"));
    let body = Body::new(&raw.unwrap_or_default(), inspected.summary.size, coding);
    Ok(Some(Box::new(Detail { inspected, body: Arc::new(body) })))
}

async fn run_flush(store: &Arc<dyn Inspect>, plan: &Plan, reporter: &Reporter) -> Outcome {
    let mut report_work = reporter.work();
    let start = Instant::now();
    let report =
        flush::execute(store, plan, &reporter.stop, |progress| report_work(progress.done, progress.total)).await;
    Outcome::Flushed(report, start.elapsed())
}

async fn offer(file: Option<PathBuf>, services: &Services) -> Result<Offer, String> {
    // A database may be long; a keystroke does not wait for it.
    let read =
        tokio::task::spawn_blocking(move || file.map_or_else(|| Ok(Catalogue::demo()), |file| Catalogue::open(&file)));
    let catalogue = read.await.map_err(|error| error.to_string())?.map_err(|error| format!("{error:#}"))?;
    let hosts = services::all().map(|service| (service, authority(services.url(service)).to_owned())).collect();
    Ok(Offer { titles: catalogue.anime().cloned().collect(), hosts })
}

async fn enrich(
    cache: &Cache,
    network: &Network,
    (config, services): (&Config, &Services),
    plan: &Enrichment,
    reporter: &Reporter,
) -> Outcome {
    let progress = plan.progress();
    let news = || Message::Progress(reporter.ticket, Progress::Enriching(ServiceTally::all(&progress)));
    let mut clock = tokio::time::interval(REPORT_EVERY);
    let mut run = std::pin::pin!(enrich_twice(cache, network, services, plan, &progress));
    let report = loop {
        tokio::select! {
            biased;
            report = &mut run => break report,
            // A full inbox has newer things to show than this.
            _ = clock.tick() => drop(reporter.inbox.try_send(news())),
        }
    };
    let run = Run { at: cache_core::clock::now(), report };
    let kept = if config.enabled { history::add(&**cache.store(), &run).await } else { Ok(()) };
    Outcome::Enriched(Box::new(run), kept.err())
}

async fn watch(store: &dyn Inspect, source: Source, reporter: &Reporter) -> Result<bool, Error> {
    let Some(mut events) = store.watch(source).await? else { return Ok(false) };
    let was = events.changed_setting().map(|(before, _)| before.to_owned());
    let report =
        async |sight| reporter.inbox.send(Message::Progress(reporter.ticket, Progress::Watch(sight))).await.is_ok();
    let mut is_heard = report(Sight::Began { since: events.since(), was }).await;
    let mut failure = None;
    while is_heard && let Some(first) = events.next().await {
        let mut seen = Vec::new();
        let mut next = Some(first);
        while let Some(told) = next {
            match told {
                Ok(told) => seen.push(told),
                Err(error) => failure = Some(error),
            }
            next = if seen.len() < SIGHTS { events.next().now_or_never().flatten() } else { None };
        }
        is_heard = report(Sight::Seen(seen)).await;
        tokio::time::sleep(REPORT_EVERY).await;
    }
    // Whatever went wrong, this comes first.
    events.close().await?;
    failure.map_or(Ok(true), Err)
}

impl Reporter {
    /// Reports how far a change has come, now and then.
    fn work(&self) -> impl FnMut(u64, u64) + use<> {
        let (ticket, inbox) = (self.ticket, self.inbox.clone());
        let start = Instant::now();
        let mut last: Option<Instant> = None;
        move |done, total| {
            if last.is_none_or(|last| last.elapsed() >= REPORT_EVERY) {
                last = Some(Instant::now());
                let news = Progress::Work { done, total, elapsed: start.elapsed() };
                // A full inbox has newer things to show than this.
                let _ = inbox.try_send(Message::Progress(ticket, news));
            }
        }
    }
}
