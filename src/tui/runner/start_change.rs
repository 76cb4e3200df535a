//! Effects that change the cache: deleting entries and changing their TTLs.

use std::sync::{Arc, PoisonError};
use std::time::Instant;

use cache_core::admin::apply::{Report, apply};
use cache_core::admin::plan::Plan;
use cache_core::{Change, ExpiryChange, Inspect};

use crate::tui::message::Outcome;
use crate::tui::runner::reporter::Reporter;
use crate::tui::runner::tasks::Tasks;
use crate::tui::ticket::Ticket;

/// Deletes the entries of a plan.
pub(crate) fn start_flush(tasks: &mut Tasks, ticket: Ticket, plan: Plan) {
    let plan = in_listed_store(tasks, plan);
    tasks.spawn_on_store(ticket, move |store, reporter| async move {
        let start = Instant::now();
        let report = run(&store, &plan, Change::Remove, &reporter).await;
        Outcome::Flushed(report, start.elapsed())
    });
}

/// Changes the TTLs of the entries of a plan.
pub(crate) fn start_ttl_change(tasks: &mut Tasks, ticket: Ticket, plan: Plan, change: ExpiryChange) {
    let plan = in_listed_store(tasks, plan);
    tasks.spawn_on_store(ticket, move |store, reporter| async move {
        Outcome::TtlChanged(run(&store, &plan, Change::Expire(change), &reporter).await)
    });
}

async fn run(store: &Arc<dyn Inspect>, plan: &Plan, change: Change, reporter: &Reporter) -> Report {
    let mut report_work = reporter.work();
    apply(store, plan, change, None, &reporter.stop, |progress| report_work(progress.done, progress.total)).await
}

/// The plan, for the store that was listed: another server may respond at the same address by now.
fn in_listed_store(tasks: &Tasks, mut plan: Plan) -> Plan {
    let listed = tasks.listed.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(listed) = listed.as_ref().filter(|listed| listed.is_same(&plan.store)) {
        plan.store = listed.clone();
    }
    plan
}
