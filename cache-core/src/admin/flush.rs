//! Flushing: the removal of exactly the entries of a plan.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use crate::admin::batch::{BatchProgress, BatchReport, FlushPlan, Grouping, run};
use crate::model::entry::EntryId;
use crate::model::stored::RemoveStats;
use crate::store::inspect::Inspect;

/// What a flush removed.
pub type FlushReport = BatchReport<RemoveStats>;

/// Removes the entries of a plan. Stops after the batch during which `stop` is set, and after the one that met an error
/// that concerns all entries.
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
