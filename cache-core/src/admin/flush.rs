//! Flushing in two steps: a plan of exactly what will go, and its execution batch by batch.
//!
//! Nothing that is not in the plan is ever removed, and nothing on another backend than the one planned on.

use std::collections::{BTreeMap, HashSet};
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::stream;
use futures_util::stream::{StreamExt, TryStreamExt};

use crate::admin::batch::{AT_ONCE, BATCH, Progress};
use crate::admin::select::select;
use crate::error::{Backend, Error, Result};
use crate::model::entry::{EntryId, Layout};
use crate::model::filter::Filter;
use crate::model::service::ServiceName;
use crate::model::stored::Removed;
use crate::model::summary::Summary;
use crate::store::inspect::Inspect;

/// What a flush would take.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// Where it was planned; the only place where it may be carried out.
    pub backend: Backend,
    /// The entries, in the order found.
    pub targets: Vec<EntryId>,
    /// Redis keys that go with them, at most: an index that other entries share stays.
    pub keys: u64,
    /// Bytes of bodies and values.
    pub bytes: u64,
    /// Entries and bytes by service.
    pub by_service: BTreeMap<ServiceName, (u64, u64)>,
    /// When the oldest was stored, in Unix seconds, where that is known.
    pub oldest: Option<f64>,
    /// When the newest was stored.
    pub newest: Option<f64>,
}

impl Plan {
    /// An empty plan for a backend.
    pub fn new(backend: Backend) -> Self {
        Self {
            backend,
            targets: Vec::new(),
            keys: 0,
            bytes: 0,
            by_service: BTreeMap::new(),
            oldest: None,
            newest: None,
        }
    }

    /// A plan for these entries.
    pub fn of<'a>(backend: Backend, entries: impl IntoIterator<Item = &'a Summary>) -> Self {
        let mut planner = Planner::new(backend);
        for entry in entries {
            planner.add(entry);
        }
        planner.plan
    }
}

/// Builds a plan entry by entry.
struct Planner {
    plan: Plan,
    /// Hashes of the cache keys seen: entries under one key share one index.
    indexes: HashSet<u64>,
    hasher: RandomState,
}

impl Planner {
    fn new(backend: Backend) -> Self {
        Self { plan: Plan::new(backend), indexes: HashSet::new(), hasher: RandomState::new() }
    }

    fn add(&mut self, entry: &Summary) {
        let plan = &mut self.plan;
        plan.bytes += entry.size;
        plan.keys += match entry.id {
            EntryId::Http(Layout::Pipeline, _) => 2,
            EntryId::Http(Layout::Hishel1 | Layout::Hishel2, _) => 3,
            EntryId::Http(..) | EntryId::Key(_) => 1,
        };
        if let (Some(http), EntryId::Http(Layout::Pipeline | Layout::Hishel1 | Layout::Hishel2, _)) =
            (&entry.http, &entry.id)
            && self.indexes.insert(self.hasher.hash_one(&http.cache_key))
        {
            plan.keys += 1;
        }
        let of_service = plan.by_service.entry(entry.service).or_default();
        of_service.0 += 1;
        of_service.1 += entry.size;
        if let Some(at) = entry.created_at {
            plan.oldest = Some(plan.oldest.map_or(at, |oldest| oldest.min(at)));
            plan.newest = Some(plan.newest.map_or(at, |newest| newest.max(at)));
        }
        plan.targets.push(entry.id.clone());
    }
}

/// Finds what a filter means, at most `limit` entries. `None`: `stop` was set meanwhile.
pub async fn plan(
    store: &Arc<dyn Inspect>,
    filter: &Filter,
    limit: Option<usize>,
    stop: &AtomicBool,
    mut progress: impl FnMut(Progress),
) -> Result<Option<Plan>> {
    let limit = limit.unwrap_or(usize::MAX);
    let mut planner = Planner::new(store.backend());
    let mut pages = std::pin::pin!(select(Arc::clone(store), filter.clone()).await?);
    while let Some(page) = pages.try_next().await? {
        if stop.load(Ordering::Relaxed) {
            return Ok(None);
        }
        let room = limit - planner.plan.targets.len();
        for entry in page.entries.iter().take(room) {
            planner.add(entry);
        }
        progress(Progress { done: page.scanned, total: page.total, entries: planner.plan.targets.len() as u64 });
        if planner.plan.targets.len() >= limit {
            break;
        }
    }
    Ok(Some(planner.plan))
}

/// What carrying out a plan did.
#[derive(Debug, Default)]
pub struct Report {
    /// Entries and keys that were there and are gone.
    pub removed: Removed,
    /// Entries that were not dealt with because of an error.
    pub failed: u64,
    /// The first error, or the one that ended it.
    pub error: Option<Error>,
    /// `stop` was set before the end.
    pub is_interrupted: bool,
}

impl Report {
    /// So many more could not be removed. Of two errors, the one that is about all is worth telling.
    fn fail(&mut self, entries: u64, error: Error) {
        self.failed += entries;
        let is_wider = |known: &Error| known.is_about_one_entry() && !error.is_about_one_entry();
        if self.error.as_ref().is_none_or(is_wider) {
            self.error = Some(error);
        }
    }
}

/// Removes what a plan names, batch by batch. Stops behind the batch during which `stop` is set, and behind the one
/// that met an error, unless that is about single entries only.
pub async fn execute(
    store: &Arc<dyn Inspect>,
    plan: &Plan,
    stop: &AtomicBool,
    mut progress: impl FnMut(Progress),
) -> Report {
    let mut report = Report::default();
    let total = plan.targets.len() as u64;
    let mut done = 0;
    for batch in plan.targets.chunks(BATCH) {
        if stop.load(Ordering::Relaxed) {
            report.is_interrupted = true;
            break;
        }
        remove(store, &plan.backend, batch, &mut report).await;
        done += batch.len() as u64;
        if report.error.as_ref().is_some_and(|error| !error.is_about_one_entry()) {
            report.failed += total - done;
            break;
        }
        progress(Progress { done, total, entries: report.removed.entries });
    }
    report
}

/// Removes a batch, and what of it can be removed where not all can.
async fn remove(store: &Arc<dyn Inspect>, on: &Backend, batch: &[EntryId], report: &mut Report) {
    match store.remove_on(on, batch).await {
        Ok(removed) => report.removed += removed,
        Err(error) if batch.len() > 1 && error.is_about_one_entry() => {
            let each: Vec<_> = batch.iter().map(|id| remove_one(Arc::clone(store), on.clone(), id.clone())).collect();
            let mut outcomes = stream::iter(each).buffer_unordered(AT_ONCE);
            while let Some(outcome) = outcomes.next().await {
                match outcome {
                    Ok(removed) => report.removed += removed,
                    Err(error) => report.fail(1, error),
                }
            }
        }
        Err(error) => report.fail(batch.len() as u64, error),
    }
}

async fn remove_one(store: Arc<dyn Inspect>, on: Backend, id: EntryId) -> Result<Removed> {
    store.remove_on(&on, std::slice::from_ref(&id)).await
}
