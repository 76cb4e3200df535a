//! Deleting exactly the entries of a plan.

use std::collections::VecDeque;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use crate::admin::batch::{BatchProgress, BatchReport, FlushPlan, Grouping, run};
use crate::error::{BackendId, Result};
use crate::model::entry::EntryId;
use crate::model::stored::{RemoveStats, Removed};
use crate::store::inspect::{Inspect, READER_GRACE};

/// Result of a flush.
pub type FlushReport = BatchReport<RemoveStats>;

/// Deletes the planned entries. Stops after a batch during which `stop` is set, or after an error that concerns all
/// entries. Waits for the bodies of the deleted entries at the end.
pub async fn execute(
    store: &Arc<dyn Inspect>,
    plan: &FlushPlan,
    stop: &AtomicBool,
    mut progress: impl FnMut(BatchProgress),
) -> FlushReport {
    let bodies = BodyQueue { store, backend: &plan.backend, waiting: Mutex::default() };
    let report_progress =
        |done, total, removed: &RemoveStats| progress(BatchProgress { done, total, entries: removed.entries });
    let mut report = run(&plan.targets, Grouping::Together, stop, report_progress, |batch| async {
        let ids: Vec<EntryId> = batch.into_iter().map(|(id, _)| id).collect();
        let keys = bodies.remove_due().await?;
        let Removed { mut stats, bodies: left } = store.remove_on(&plan.backend, &ids).await?;
        bodies.push(left);
        stats.keys += keys;
        Ok(stats)
    })
    .await;
    match bodies.finish().await {
        Ok(keys) => report.done.keys += keys,
        Err(error) => report.fail(0, error),
    }
    report
}

/// Bodies of deleted entries, which wait for readers that have found the heads.
struct BodyQueue<'a> {
    store: &'a Arc<dyn Inspect>,
    backend: &'a BackendId,
    waiting: Mutex<VecDeque<(Instant, Vec<EntryId>)>>,
}

impl BodyQueue<'_> {
    fn waiting(&self) -> MutexGuard<'_, VecDeque<(Instant, Vec<EntryId>)>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, ids: Vec<EntryId>) {
        if !ids.is_empty() {
            self.waiting().push_back((Instant::now() + READER_GRACE, ids));
        }
    }

    /// Deletes the bodies that have waited long enough. Returns the number of keys.
    async fn remove_due(&self) -> Result<u64> {
        let mut keys = 0;
        loop {
            let due = self.waiting().pop_front_if(|(at, _)| *at <= Instant::now());
            let Some((_, ids)) = due else { return Ok(keys) };
            keys += self.store.remove_bodies_on(self.backend, &ids).await?;
        }
    }

    /// Waits for all bodies.
    async fn finish(&self) -> Result<u64> {
        let mut keys = 0;
        loop {
            keys += self.remove_due().await?;
            let Some(at) = self.waiting().front().map(|(at, _)| *at) else { return Ok(keys) };
            tokio::time::sleep_until(at.into()).await;
        }
    }
}
