//! `flush`: deletes exactly the planned entries.

use std::time::Instant;

use cache_core::admin::batch::FlushPlan;
use cache_core::admin::flush;
use cache_core::admin::flush::FlushReport;
use serde::Serialize;

use crate::cli::FlushArgs;
use crate::commands::confirm::{Matched, OfService};
use crate::commands::plan_and_confirm::{ChangeSummary, Words};
use crate::commands::session::Session;
use crate::commands::{confirm, plan_and_confirm};
use crate::exit::Exit;
use crate::output::human;
use crate::output::progress::{Bar, Unit};

const WORDS: Words = Words { action: "delete", done: "deleted" };

/// Runs the command.
pub(crate) async fn run(session: &Session, args: &FlushArgs) -> anyhow::Result<Exit> {
    confirm::check_request(session, "flush", &args.selectors, &args.confirm)?;
    let started = Instant::now();
    let cache = session.open_to_change().await?;
    let stop = confirm::stop_on_interrupt();
    let selected = (&args.selectors, args.confirm.limit);
    let plan = match plan_and_confirm::plan(session, &cache.store, selected, &stop, WORDS).await? {
        Ok(plan) => plan,
        Err(exit) => return Ok(exit),
    };
    let entries = human::entries(plan.targets.len() as u64);
    let question = format!("Delete {entries} from {}?", plan.backend);
    let unchanged = FlushOutput::new(args, &plan, &FlushReport::default(), started);
    let end = plan_and_confirm::confirm(session, &plan, &args.confirm, WORDS, &question, &unchanged).await?;
    if let Some(exit) = end {
        return Ok(exit);
    }
    let report = {
        let bar = Bar::new("Deleting", Unit::Entries, session.global.quiet);
        flush::execute(&cache.store, &plan, &stop, |progress| bar.show(progress, "deleted")).await
    };
    let removed = report.done;
    let (entries, keys) = (human::entries(removed.entries), human::counted(removed.keys, "key"));
    let elapsed = human::elapsed(started.elapsed());
    let line = format!("Deleted {entries} ({keys}) from {} in {elapsed}", plan.backend);
    let summary = ChangeSummary {
        total: plan.targets.len() as u64,
        done: removed.entries,
        failed: report.failed,
        error: report.error.as_ref(),
        is_interrupted: report.is_interrupted,
    };
    if let Some(free) = cache.store.info().await.ok().and_then(|info| info.free_bytes).filter(|free| *free > 0) {
        session.note(&format!("{} of the file are free for new entries", human::bytes(free)));
    }
    plan_and_confirm::finish(session, &FlushOutput::new(args, &plan, &report, started), &line, &summary, WORDS)
}

/// `flush --json`.
#[derive(Serialize)]
struct FlushOutput {
    dry_run: bool,
    matched: Matched,
    deleted: Deleted,
    failed: u64,
    undo_file: Option<String>,
    by_service: Vec<OfService>,
    oldest: Option<f64>,
    newest: Option<f64>,
    interrupted: bool,
    elapsed: f64,
}

#[derive(Serialize)]
struct Deleted {
    entries: u64,
    keys: u64,
}

impl FlushOutput {
    fn new(args: &FlushArgs, plan: &FlushPlan, report: &FlushReport, started: Instant) -> Self {
        Self {
            dry_run: args.confirm.dry_run,
            matched: Matched::from_plan(plan),
            deleted: Deleted { entries: report.done.entries, keys: report.done.keys },
            failed: report.failed,
            undo_file: None,
            by_service: confirm::by_service(plan),
            oldest: plan.oldest,
            newest: plan.newest,
            interrupted: report.is_interrupted,
            elapsed: started.elapsed().as_secs_f64(),
        }
    }
}
