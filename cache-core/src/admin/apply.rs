//! Applying a plan: in batches, to the entries that still are what they were, and only in the store of the plan.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use async_trait::async_trait;
use futures_util::stream;
use futures_util::stream::StreamExt as _;

use crate::admin::plan::{Plan, Progress};
use crate::error::{Error, Result};
use crate::model::change::{Applied, Change, StoreIdentity, Target};
use crate::model::entry::EntryId;
use crate::store::inspect::{Inspect, READER_GRACE};

/// The number of entries that one batch changes: few enough to stop soon, enough to make round trips cheap.
pub const BATCH: usize = 100;

/// The number of entries that are kept at once: each time, the file is written to the disk.
const KEPT: usize = 2_000;

/// The number of concurrent changes if each entry is changed by itself.
const CONCURRENCY: usize = 32;

/// Keeps what a change is about to destroy.
#[async_trait]
pub trait Record: Send + Sync {
    /// Keeps a batch of entries of a store, before they are changed. After an error nothing more is changed.
    async fn keep(&self, store: &Arc<dyn Inspect>, targets: &[Target]) -> Result<()>;
}

/// What came of applying a plan.
#[derive(Debug, Default)]
pub struct Report {
    /// What was changed, and what was left alone.
    pub done: Applied,
    /// Entries that were not changed because of an error.
    pub failed: u64,
    /// The first error, or the one that ended the change.
    pub error: Option<Error>,
    /// `stop` was set before the end.
    pub is_interrupted: bool,
}

impl Report {
    /// Records entries that failed. Of two errors, the one that concerns all entries is kept.
    fn fail(&mut self, entries: u64, error: Error) {
        self.failed += entries;
        let is_wider = |known: &Error| !known.concerns_all() && error.concerns_all();
        if self.error.as_ref().is_none_or(is_wider) {
            self.error = Some(error);
        }
    }
}

/// Applies a change to the entries of a plan that still are what they were. Each batch is given to `record` first. Stops
/// after a batch during which `stop` is set, or after an error that concerns all entries. Waits for the bodies of deleted
/// entries at the end.
pub async fn apply(
    store: &Arc<dyn Inspect>,
    plan: &Plan,
    change: Change,
    record: Option<&dyn Record>,
    stop: &AtomicBool,
    mut progress: impl FnMut(Progress),
) -> Report {
    let mut report = Report::default();
    let mut bodies = BodyQueue { store, identity: &plan.store, waiting: VecDeque::new() };
    let total = plan.targets.len() as u64;
    let mut done = 0;
    for (number, batch) in plan.targets.chunks(BATCH).enumerate() {
        if stop.load(Ordering::Relaxed) {
            report.is_interrupted = true;
            break;
        }
        let kept = match record {
            Some(record) if number % (KEPT / BATCH) == 0 => {
                let first = number * BATCH;
                record.keep(store, &plan.targets[first..plan.targets.len().min(first + KEPT)]).await
            }
            _ => Ok(()),
        };
        match kept {
            Ok(()) => apply_batch(store, &plan.store, change, batch, &mut report).await,
            Err(error) => {
                // Whatever the error: what cannot be kept must not be destroyed.
                report.failed += total - done;
                report.error = Some(error);
                break;
            }
        }
        done += batch.len() as u64;
        bodies.push(std::mem::take(&mut report.done.bodies));
        if report.error.as_ref().is_some_and(Error::concerns_all) {
            report.failed += total - done;
            break;
        }
        bodies.remove_due(&mut report).await;
        progress(Progress { done, total, entries: report.done.entries });
    }
    bodies.finish(&mut report).await;
    report
}

async fn apply_batch(
    store: &Arc<dyn Inspect>,
    identity: &StoreIdentity,
    change: Change,
    batch: &[Target],
    report: &mut Report,
) {
    match store.apply(identity, change, batch).await {
        Ok(done) => return report.done += done,
        Err(error) if batch.len() == 1 || error.concerns_all() => return report.fail(batch.len() as u64, error),
        // An entry that cannot be changed must not prevent the change of others.
        Err(_) => {}
    }
    let one = |target: &Target| apply_one(Arc::clone(store), identity.clone(), change, target.clone());
    let each: Vec<_> = batch.iter().map(one).collect();
    let mut outcomes = stream::iter(each).buffer_unordered(CONCURRENCY);
    while let Some(outcome) = outcomes.next().await {
        match outcome {
            Ok(done) => report.done += done,
            Err(error) => report.fail(1, error),
        }
    }
}

async fn apply_one(
    store: Arc<dyn Inspect>,
    identity: StoreIdentity,
    change: Change,
    target: Target,
) -> Result<Applied> {
    store.apply(&identity, change, &[target]).await
}

/// Bodies of deleted entries, which wait for readers that have found the heads.
struct BodyQueue<'a> {
    store: &'a Arc<dyn Inspect>,
    identity: &'a StoreIdentity,
    waiting: VecDeque<(Instant, Vec<EntryId>)>,
}

impl BodyQueue<'_> {
    fn push(&mut self, ids: Vec<EntryId>) {
        if !ids.is_empty() {
            self.waiting.push_back((Instant::now() + READER_GRACE, ids));
        }
    }

    /// Deletes the bodies that have waited long enough.
    async fn remove_due(&mut self, report: &mut Report) {
        while self.waiting.front().is_some_and(|(at, _)| *at <= Instant::now())
            && let Some((_, ids)) = self.waiting.pop_front()
        {
            match self.store.remove_bodies(self.identity, &ids).await {
                Ok(keys) => report.done.keys += keys,
                // The entries are gone.
                Err(error) => report.fail(0, error),
            }
        }
    }

    /// Waits for all bodies.
    async fn finish(&mut self, report: &mut Report) {
        while let Some((at, _)) = self.waiting.front() {
            tokio::time::sleep_until((*at).into()).await;
            self.remove_due(report).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::admin::plan::plan;
    use crate::clock;
    use crate::model::change::ExpiryChange;
    use crate::model::filter::Filter;
    use crate::model::service::ServiceRegistry;
    use crate::store::memory::Memory;
    use crate::store::traits::ResultStore as _;

    async fn memory() -> (Memory, Arc<dyn Inspect>) {
        let memory = Memory::new(ServiceRegistry::default());
        for (key, seconds) in [("result_cache:p:1", 100), ("result_cache:p:2", 1_000)] {
            memory.set(key, "1".into(), Duration::from_secs(seconds)).await.unwrap();
        }
        (memory.clone(), Arc::new(memory))
    }

    async fn plan_of_all(store: &Arc<dyn Inspect>) -> Plan {
        plan(store, &Filter::default(), None, &AtomicBool::new(false), |_| ()).await.unwrap().unwrap()
    }

    async fn run(store: &Arc<dyn Inspect>, plan: &Plan, change: Change) -> Applied {
        let report = apply(store, plan, change, None, &AtomicBool::new(false), |_| ()).await;
        assert!(report.error.is_none(), "{:?}", report.error);
        report.done
    }

    #[tokio::test]
    async fn each_entry_is_extended_by_its_own_ttl() {
        let (_, store) = memory().await;
        let change = async |how| {
            let done = run(&store, &plan_of_all(&store).await, Change::Expire(how)).await;
            let mut ttls = Vec::new();
            for id in plan_of_all(&store).await.ids() {
                let ttl = store.details(id).await.unwrap().unwrap().summary.ttl(clock::now());
                ttls.push(ttl.map(f64::round));
            }
            (done.entries, done.unchanged, ttls)
        };
        let by = ExpiryChange::Extend(Duration::from_secs(50));
        assert_eq!(change(by).await, (2, 0, vec![Some(150.0), Some(1_050.0)]));
        assert_eq!(change(ExpiryChange::Set(Duration::from_secs(7))).await, (2, 0, vec![Some(7.0), Some(7.0)]));
        assert_eq!(change(ExpiryChange::Persist).await, (2, 0, vec![None, None]));
        assert_eq!(change(by).await, (0, 2, vec![None, None]));
    }

    #[tokio::test]
    async fn what_changed_since_the_plan_is_left_alone() {
        let (memory, store) = memory().await;
        let all = plan_of_all(&store).await;
        memory.set("result_cache:p:1", "2".into(), Duration::from_secs(100)).await.unwrap();
        let done = run(&store, &all, Change::Remove).await;
        assert_eq!((done.entries, done.changed_meanwhile, done.gone), (1, 1, 0));
        let done = run(&store, &all, Change::Remove).await;
        assert_eq!((done.entries, done.changed_meanwhile, done.gone), (0, 1, 1));
        assert_eq!(memory.get("result_cache:p:1").await.unwrap().unwrap().value, "2");
    }

    #[tokio::test]
    async fn a_stopped_run_changes_nothing() {
        let (_, store) = memory().await;
        let all = plan_of_all(&store).await;
        let persist = Change::Expire(ExpiryChange::Persist);
        let report = apply(&store, &all, persist, None, &AtomicBool::new(true), |_| ()).await;
        assert!(report.is_interrupted);
        assert_eq!(report.done.entries, 0);
    }

    struct FullDisk;

    #[async_trait]
    impl Record for FullDisk {
        async fn keep(&self, _: &Arc<dyn Inspect>, _: &[Target]) -> Result<()> {
            Err(Error::Unsupported("no space left"))
        }
    }

    #[tokio::test]
    async fn what_cannot_be_kept_is_not_changed() {
        let (_, store) = memory().await;
        let all = plan_of_all(&store).await;
        let report = apply(&store, &all, Change::Remove, Some(&FullDisk), &AtomicBool::new(false), |_| ()).await;
        assert_eq!((report.done.entries, report.failed), (0, 2));
        assert_eq!(plan_of_all(&store).await.targets.len(), 2);
    }
}
