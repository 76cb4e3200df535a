//! [`Plan`]: what a change is for, and what each entry was when the plan was made. It is the precondition of the change.

use std::collections::{BTreeMap, HashSet};
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::stream::TryStreamExt as _;

use crate::admin::select::{find_schemas, select};
use crate::clock;
use crate::error::Result;
use crate::model::change::{Fingerprint, StoreIdentity, Target};
use crate::model::entry::{EntryId, EntryState, StorageLayout};
use crate::model::filter::Filter;
use crate::model::service::ServiceName;
use crate::model::summary::Summary;
use crate::store::inspect::Inspect;

/// Progress of a plan or of its application.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Progress {
    /// Keys that were read (planning) or entries that were processed (application).
    pub done: u64,
    /// The approximate total.
    pub total: u64,
    /// Entries that matched so far (planning) or were changed (application).
    pub entries: u64,
}

/// Entries that a change affects.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// The store of the plan, the only one in which it may be applied.
    pub store: StoreIdentity,
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
    /// Entries that were left out because their body could not be searched.
    pub left_out: u64,
    /// Entries that match and are left out, since they are still being written.
    pub being_written: u64,
    /// With a selection of dead schemas: the schemas that are kept.
    pub living: Vec<LivingSchema>,
}

/// The schema of a result prefix that is in use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LivingSchema {
    /// The prefix.
    pub prefix: String,
    /// The schema; `None`: results without one.
    pub schema: Option<String>,
    /// Whether it is a guess: nothing records which schema is in use.
    pub is_guess: bool,
}

/// An unfinished entry that is younger may still be written, in seconds.
const WRITING: f64 = 3_600.0;

fn is_being_written(entry: &Summary, now: f64) -> bool {
    entry.state == EntryState::Incomplete && entry.stored_for(now).is_some_and(|age| age < WRITING)
}

impl Plan {
    /// An empty plan for a store.
    pub fn new(store: StoreIdentity) -> Self {
        Self {
            store,
            targets: Vec::new(),
            keys: 0,
            bytes: 0,
            by_service: BTreeMap::new(),
            oldest: None,
            newest: None,
            left_out: 0,
            being_written: 0,
            living: Vec::new(),
        }
    }

    /// The IDs of the entries.
    pub fn ids(&self) -> impl Iterator<Item = &EntryId> {
        self.targets.iter().map(|target| &target.id)
    }

    /// A plan for listed entries. `is_by_expiry`: they were selected by their TTL, so that a renewal is a change.
    pub fn from_entries<'a>(
        store: StoreIdentity,
        is_by_expiry: bool,
        entries: impl IntoIterator<Item = &'a Summary>,
    ) -> Self {
        let mut planner = Planner::new(store, is_by_expiry);
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
    is_by_expiry: bool,
}

impl Planner {
    fn new(store: StoreIdentity, is_by_expiry: bool) -> Self {
        Self { plan: Plan::new(store), indexes: HashSet::new(), hasher: RandomState::new(), is_by_expiry }
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
        plan.targets.push(Target { id: entry.id.clone(), was: Fingerprint::new(entry, self.is_by_expiry) });
    }
}

/// Plans a change of at most `limit` entries. Returns `None` if stopped.
pub async fn plan(
    store: &Arc<dyn Inspect>,
    filter: &Filter,
    limit: Option<usize>,
    stop: &AtomicBool,
    mut progress: impl FnMut(Progress),
) -> Result<Option<Plan>> {
    let limit = limit.unwrap_or(usize::MAX);
    let mut filter = filter.clone();
    find_schemas(store, &mut filter).await?;
    let mut planner = Planner::new(store.identity().await?, filter.is_by_expiry());
    planner.plan.living = living(&filter);
    let mut pages = std::pin::pin!(select(Arc::clone(store), filter.clone()).await?);
    while let Some(page) = pages.try_next().await? {
        if stop.load(Ordering::Relaxed) {
            return Ok(None);
        }
        planner.plan.left_out += page.left_out;
        let now = clock::now();
        let room = limit - planner.plan.targets.len();
        let (written, entries): (Vec<_>, Vec<_>) = page.entries.iter().partition(|entry| is_being_written(entry, now));
        planner.plan.being_written += written.len() as u64;
        for entry in entries.into_iter().take(room) {
            planner.add(entry);
        }
        progress(Progress { done: page.scanned, total: page.total, entries: planner.plan.targets.len() as u64 });
        if planner.plan.targets.len() >= limit {
            break;
        }
    }
    Ok(Some(planner.plan))
}

/// The schemas that a filter keeps.
fn living(filter: &Filter) -> Vec<LivingSchema> {
    let mut living: Vec<_> = filter
        .newest_schemas
        .iter()
        .map(|(prefix, schema)| LivingSchema {
            prefix: String::from_utf8_lossy(prefix).into_owned(),
            schema: schema.clone(),
            is_guess: filter.living_schemas.is_empty(),
        })
        .collect();
    living.sort_by(|a, b| a.prefix.cmp(&b.prefix));
    living
}
