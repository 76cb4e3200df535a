//! Deleting exactly the entries of a plan.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use crate::admin::batch::{BatchProgress, BatchReport, FlushPlan, Grouping, run};
use crate::model::entry::EntryId;
use crate::model::stored::RemoveStats;
use crate::store::inspect::Inspect;

/// Result of a flush.
pub type FlushReport = BatchReport<RemoveStats>;

/// Deletes the planned entries. Stops after a batch during which `stop` is set, or after an error that concerns all
/// entries.
pub async fn execute(
    store: &Arc<dyn Inspect>,
    plan: &FlushPlan,
    stop: &AtomicBool,
    mut progress: impl FnMut(BatchProgress),
) -> FlushReport {
    let report_progress =
        |done, total, removed: &RemoveStats| progress(BatchProgress { done, total, entries: removed.entries });
    run(&plan.targets, Grouping::Together, stop, report_progress, |batch| {
        let (store, backend) = (Arc::clone(store), plan.backend.clone());
        async move {
            let ids: Vec<EntryId> = batch.into_iter().map(|(id, _)| id).collect();
            store.remove_on(&backend, &ids).await
        }
    })
    .await
}
