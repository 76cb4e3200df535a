//! Effects that change the cache: deleting entries and changing their TTLs.

use std::sync::Arc;
use std::time::Instant;

use cache_core::admin::batch::FlushPlan;
use cache_core::admin::batch::Target;
use cache_core::admin::ttl::ExpiryChange;
use cache_core::admin::{batch, flush, ttl};
use cache_core::{BackendId, Inspect};

use crate::tui::message::Outcome;
use crate::tui::runner::reporter::Reporter;
use crate::tui::runner::tasks::Tasks;
use crate::tui::ticket::Ticket;

/// Deletes the entries of a plan.
pub(crate) fn start_flush(tasks: &mut Tasks, ticket: Ticket, plan: FlushPlan) {
    tasks.spawn_on_store(ticket, move |store, reporter| async move { run_flush(&store, &plan, &reporter).await });
}

async fn run_flush(store: &Arc<dyn Inspect>, plan: &FlushPlan, reporter: &Reporter) -> Outcome {
    let mut report_work = reporter.work();
    let start = Instant::now();
    let report =
        flush::execute(store, plan, &reporter.stop, |progress| report_work(progress.done, progress.total)).await;
    Outcome::Flushed(report, start.elapsed())
}

/// Changes the TTLs of entries on one backend.
pub(crate) fn start_ttl_change(
    tasks: &mut Tasks,
    ticket: Ticket,
    on: BackendId,
    targets: Vec<Target>,
    change: ExpiryChange,
) {
    tasks.spawn_on_store(ticket, move |store, reporter| async move {
        let mut report_work = reporter.work();
        let progress = |progress: batch::BatchProgress| report_work(progress.done, progress.total);
        Outcome::TtlChanged(ttl::change(&store, &on, &targets, change, &reporter.stop, progress).await)
    });
}
