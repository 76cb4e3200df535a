//! Changing many entries in two steps: [`plan`] lists them, the execution changes exactly those in batches, and only on
//! the backend of the plan.

use std::collections::{BTreeMap, HashSet};
use std::hash::{BuildHasher, RandomState};
use std::ops::AddAssign;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::stream;
use futures_util::stream::{StreamExt, TryStreamExt};

use crate::admin::select::select;
use crate::error::{BackendId, Error, Result};
use crate::model::entry::{EntryId, StorageLayout};
use crate::model::filter::Filter;
use crate::model::service::ServiceName;
use crate::model::summary::Summary;
use crate::store::inspect::Inspect;

/// The number of entries that one batch changes: few enough to stop soon, enough to make round trips cheap.
pub const BATCH: usize = 100;

/// The number of concurrent changes if each entry is changed by itself.
const CONCURRENCY: usize = 32;

/// An entry and its current expiry, in Unix seconds; `None`: never.
pub type Target = (EntryId, Option<f64>);

/// Progress of a plan or of its execution.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct BatchProgress {
    /// Keys that were read (planning) or entries that were processed (execution).
    pub done: u64,
    /// The approximate total.
    pub total: u64,
    /// Entries that matched so far (planning) or were changed (execution).
    pub entries: u64,
}

/// Entries that a change affects.
#[derive(Clone, Debug, PartialEq)]
pub struct FlushPlan {
    /// The backend of the plan, the only one on which it may be executed.
    pub backend: BackendId,
    /// The entries, in the order found.
    pub targets: Vec<Target>,
    /// The maximum number of Redis keys to delete: an index that other entries share stays.
    pub keys: u64,
    /// Bytes of bodies and values.
    pub bytes: u64,
    /// Entries and bytes by service.
    pub by_service: BTreeMap<ServiceName, (u64, u64)>,
    /// When the oldest entry was stored, in Unix seconds, if known.
    pub oldest: Option<f64>,
    /// When the newest entry was stored.
    pub newest: Option<f64>,
}

impl FlushPlan {
    /// An empty plan for a backend.
    pub fn new(backend: BackendId) -> Self {
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

    /// The IDs of the entries.
    pub fn ids(&self) -> impl Iterator<Item = &EntryId> {
        self.targets.iter().map(|(id, _)| id)
    }

    /// A plan for these entries.
    pub fn from_targets<'a>(backend: BackendId, entries: impl IntoIterator<Item = &'a Summary>) -> Self {
        let mut planner = FlushPlanner::new(backend);
        for entry in entries {
            planner.add(entry);
        }
        planner.plan
    }
}

/// Builds a plan entry by entry.
struct FlushPlanner {
    plan: FlushPlan,
    /// Hashes of the cache keys seen: entries under one key share one index.
    indexes: HashSet<u64>,
    hasher: RandomState,
}

impl FlushPlanner {
    fn new(backend: BackendId) -> Self {
        Self { plan: FlushPlan::new(backend), indexes: HashSet::new(), hasher: RandomState::new() }
    }

    fn add(&mut self, entry: &Summary) {
        let plan = &mut self.plan;
        plan.bytes += entry.size;
        plan.keys += match entry.id {
            EntryId::Http(StorageLayout::Pipeline, _) => 2,
            EntryId::Http(StorageLayout::Hishel1 | StorageLayout::Hishel2, _) => 3,
            EntryId::Http(..) | EntryId::Key(_) => 1,
        };
        if let (Some(http), EntryId::Http(StorageLayout::Pipeline | StorageLayout::Hishel1 | StorageLayout::Hishel2, _)) =
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
        plan.targets.push((entry.id.clone(), entry.expires_at));
    }
}

/// Plans a change of at most `limit` entries. Returns `None` if stopped.
pub async fn plan(
    store: &Arc<dyn Inspect>,
    filter: &Filter,
    limit: Option<usize>,
    stop: &AtomicBool,
    mut progress: impl FnMut(BatchProgress),
) -> Result<Option<FlushPlan>> {
    let limit = limit.unwrap_or(usize::MAX);
    let mut planner = FlushPlanner::new(store.id());
    let mut pages = std::pin::pin!(select(Arc::clone(store), filter.clone()).await?);
    while let Some(page) = pages.try_next().await? {
        if stop.load(Ordering::Relaxed) {
            return Ok(None);
        }
        let room = limit - planner.plan.targets.len();
        for entry in page.entries.iter().take(room) {
            planner.add(entry);
        }
        progress(BatchProgress { done: page.scanned, total: page.total, entries: planner.plan.targets.len() as u64 });
        if planner.plan.targets.len() >= limit {
            break;
        }
    }
    Ok(Some(planner.plan))
}

/// Result of an execution.
#[derive(Debug, Default)]
pub struct BatchReport<T> {
    /// The changes that were made.
    pub done: T,
    /// Entries that were not changed because of an error.
    pub failed: u64,
    /// The first error, or the one that ended the execution.
    pub error: Option<Error>,
    /// `stop` was set before the end.
    pub is_interrupted: bool,
}

impl<T> BatchReport<T> {
    /// Records entries that failed. Of two errors, the one that concerns all entries is kept.
    pub(crate) fn fail(&mut self, entries: u64, error: Error) {
        self.failed += entries;
        let is_wider = |known: &Error| !known.concerns_all() && error.concerns_all();
        if self.error.as_ref().is_none_or(is_wider) {
            self.error = Some(error);
        }
    }
}

/// How an operation is applied to the entries of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Grouping {
    /// To all at once; if that fails because of some entries, to each by itself.
    Together,
    /// To each by itself.
    Single,
}

/// Applies an operation to all targets in batches. Stops after a batch during which `stop` is set, or after an error
/// that concerns all entries.
pub(crate) async fn run<T, F>(
    targets: &[Target],
    grouping: Grouping,
    stop: &AtomicBool,
    mut progress: impl FnMut(u64, u64, &T),
    operation: impl Fn(Vec<Target>) -> F,
) -> BatchReport<T>
where
    T: Default + AddAssign,
    F: Future<Output = Result<T>>,
{
    let mut report = BatchReport::default();
    let total = targets.len() as u64;
    let mut done = 0;
    for batch in targets.chunks(BATCH) {
        if stop.load(Ordering::Relaxed) {
            report.is_interrupted = true;
            break;
        }
        apply(batch, grouping, &operation, &mut report).await;
        done += batch.len() as u64;
        if report.error.as_ref().is_some_and(Error::concerns_all) {
            report.failed += total - done;
            break;
        }
        progress(done, total, &report.done);
    }
    report
}

async fn apply<T, F>(
    batch: &[Target],
    grouping: Grouping,
    operation: &impl Fn(Vec<Target>) -> F,
    report: &mut BatchReport<T>,
) where
    T: AddAssign,
    F: Future<Output = Result<T>>,
{
    if grouping == Grouping::Together {
        match operation(batch.to_vec()).await {
            Ok(done) => return report.done += done,
            Err(error) if batch.len() == 1 || error.concerns_all() => return report.fail(batch.len() as u64, error),
            // An entry that cannot be changed must not prevent the change of others.
            Err(_) => {}
        }
    }
    let each: Vec<_> = batch.iter().map(|target| operation(vec![target.clone()])).collect();
    let mut outcomes = stream::iter(each).buffer_unordered(CONCURRENCY);
    while let Some(outcome) = outcomes.next().await {
        match outcome {
            Ok(done) => report.done += done,
            Err(error) => report.fail(1, error),
        }
    }
}
