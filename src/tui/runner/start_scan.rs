//! Effects that open the store and read from it.

use std::sync::{Arc, OnceLock, PoisonError};

use cache_core::StatsWindow;
use cache_core::admin::select;
use cache_core::admin::select::BodyMatch;
use cache_core::{
    BodyPattern, EntryId, Error, Filter, Health, Inspect, MemoryLimit, Opened, clock, error_chain, pages,
};
use futures_util::future::BoxFuture;
use futures_util::{StreamExt, TryStreamExt};
use tokio::sync::{mpsc, watch};

use crate::tui::app::body::{Body, PREVIEW};
use crate::tui::app::detail::Detail;
use crate::tui::app::rates::RateTable;
use crate::tui::message::{EnrichProgress, Message, Outcome};
use crate::tui::runner::reporter::Reporter;
use crate::tui::runner::tasks::{Tasks, start};
use crate::tui::ticket::Ticket;

/// At most so many found entries in one message.
const SEARCH_BATCH: usize = 1_000;

/// The future that opens the store.
pub(crate) type Opening = BoxFuture<'static, cache_core::Result<Opened>>;

/// Opens the store, and follows which storage is in use from then on.
pub(crate) fn start_open(tasks: &mut Tasks, ticket: Ticket, opening: Opening) {
    let slot = Arc::clone(&tasks.store);
    let inbox = tasks.inbox.clone();
    tasks.spawn(ticket, move |_| async move { Outcome::Opened(open(opening, &slot, inbox).await) });
}

async fn open(
    opening: Opening,
    slot: &OnceLock<Arc<dyn Inspect>>,
    inbox: mpsc::Sender<Message>,
) -> Result<Health, Error> {
    let opened = opening.await?;
    let health = Health {
        backend: opened.store.id(),
        is_fallback: opened.fallback.is_some(),
        problem: opened.fallback.as_ref().map(|error| error_chain(error)),
        server: opened.store.health().await.server,
    };
    if let Some(changes) = opened.store.health_changes() {
        drop(start(&inbox.clone(), follow(changes, inbox)));
    }
    let _ = slot.set(opened.store);
    Ok(health)
}

/// Reports each change of the storage in use at once; ends with the store or the dashboard.
async fn follow(mut changes: watch::Receiver<Health>, inbox: mpsc::Sender<Message>) {
    while changes.changed().await.is_ok() {
        let health = changes.borrow_and_update().clone();
        if inbox.send(Message::Health(health)).await.is_err() {
            return;
        }
    }
}

/// Lists all entries.
pub(crate) fn start_scan(tasks: &mut Tasks, ticket: Ticket) {
    let listed = Arc::clone(&tasks.listed);
    tasks.spawn_on_store(ticket, move |store, reporter| async move {
        let identity = store.identity().await.ok();
        *listed.lock().unwrap_or_else(PoisonError::into_inner) = identity;
        Outcome::Scanned(scan(store, &reporter).await)
    });
}

async fn scan(store: Arc<dyn Inspect>, reporter: &Reporter) -> Result<(), Error> {
    let mut pages = std::pin::pin!(pages(store, Filter::default()));
    while let Some(page) = pages.try_next().await? {
        if !reporter.send(EnrichProgress::Page(page)).await {
            break;
        }
    }
    Ok(())
}

/// Searches bodies.
pub(crate) fn start_search(tasks: &mut Tasks, ticket: Ticket, pattern: BodyPattern, ids: Vec<EntryId>) {
    tasks.spawn_on_store(ticket, move |store, reporter| async move {
        Outcome::Searched(search(store, pattern, ids, &reporter).await)
    });
}

async fn search(
    store: Arc<dyn Inspect>,
    pattern: BodyPattern,
    ids: Vec<EntryId>,
    reporter: &Reporter,
) -> Result<u64, Error> {
    let mut left_out = 0;
    // Entries found while the screen is busy are reported in one message.
    let mut found = std::pin::pin!(select::search(store, pattern, ids).ready_chunks(SEARCH_BATCH));
    while let Some(chunk) = found.next().await {
        let found = chunk.into_iter().collect::<Result<Vec<_>, _>>()?;
        let count = found.len();
        let matching = found.into_iter().filter(|(_, found)| *found == BodyMatch::Yes);
        let ids: Vec<_> = matching.map(|(id, _)| id).collect();
        left_out += (count - ids.len()) as u64;
        if !reporter.send(EnrichProgress::Found(ids)).await {
            break;
        }
    }
    Ok(left_out)
}

/// Reads one entry with its body.
pub(crate) fn start_load(tasks: &mut Tasks, ticket: Ticket, id: EntryId) {
    tasks.spawn_on_store(ticket, move |store, _| async move { Outcome::Loaded(load(&*store, &id).await) });
}

async fn load(store: &dyn Inspect, id: &EntryId) -> Result<Option<Box<Detail>>, Error> {
    let (inspected, raw) = tokio::try_join!(store.details(id), store.raw_body(id, PREVIEW))?;
    let Some(inspected) = inspected else { return Ok(None) };
    let coding = inspected.entry.as_ref().and_then(|entry| entry.response.headers.get("content-encoding"));
    let content_type = inspected.entry.as_ref().and_then(|entry| entry.response.headers.get("content-type"));
    let body = Body::new(&raw.unwrap_or_default(), inspected.summary.size, coding, content_type);
    Ok(Some(Box::new(Detail { inspected, body: Arc::new(body) })))
}

/// Reads the statistics of hits and misses.
pub(crate) fn start_count(tasks: &mut Tasks, ticket: Ticket) {
    tasks.spawn_on_store(ticket, |store, _| async move { Outcome::Counted(count(&*store).await) });
}

async fn count(store: &dyn Inspect) -> Result<RateTable, Error> {
    let (counted, info) = tokio::try_join!(store.stats(StatsWindow::Week.since(clock::now())), store.info())?;
    let memory = match (info.memory_bytes, info.limit) {
        (Some(used), Some(MemoryLimit::Limited { bytes, .. })) => Some((used, bytes)),
        _ => None,
    };
    Ok(RateTable { counted, server: info.keyspace, memory })
}

/// Checks the health of the store.
pub(crate) fn start_health_check(tasks: &mut Tasks, ticket: Ticket) {
    tasks.spawn_on_store(ticket, |store, _| async move { Outcome::Health(store.health().await) });
}
