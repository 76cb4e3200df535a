//! `ttl`: changes the TTLs of exactly the planned entries.

use std::time::Instant;

use cache_core::admin::batch::FlushPlan;
use cache_core::admin::ttl;
use cache_core::admin::ttl::{ExpiryChange, TtlReport};
use serde::Serialize;

use crate::cli::{TtlArgs, TtlChange};
use crate::commands::confirm::{Matched, OfService};
use crate::commands::plan_and_confirm::{ChangeSummary, Words};
use crate::commands::session::Session;
use crate::commands::{confirm, plan_and_confirm};
use crate::exit::Exit;
use crate::output::human;
use crate::output::progress::{Bar, Unit};

const WORDS: Words = Words { action: "change the TTL of", done: "changed" };

/// Runs the command.
pub(crate) async fn run(session: &Session, args: &TtlArgs) -> anyhow::Result<Exit> {
    confirm::check_request(session, "ttl", &args.selectors, &args.confirm)?;
    let started = Instant::now();
    let cache = session.open_to_change().await?;
    let stop = confirm::stop_on_interrupt();
    let selected = (&args.selectors, args.confirm.limit);
    let plan = match plan_and_confirm::plan(session, &cache.store, selected, &stop, WORDS).await? {
        Ok(plan) => plan,
        Err(exit) => return Ok(exit),
    };
    let change = change(args.change);
    let question = question(change, &human::entries(plan.targets.len() as u64), &plan.backend.to_string());
    let unchanged = TtlOutput::new(args, &plan, &TtlReport::default(), started);
    let end = plan_and_confirm::confirm(session, &plan, &args.confirm, WORDS, &question, &unchanged).await?;
    if let Some(exit) = end {
        return Ok(exit);
    }
    let report = {
        let bar = Bar::new("Changing TTLs", Unit::Entries, session.global.quiet);
        let progress = |progress| bar.show(progress, "changed");
        ttl::change(&cache.store, &plan.backend, &plan.targets, change, &stop, progress).await
    };
    let line = format!("Changed the TTL of {} in {}", human::entries(report.done), plan.backend);
    let summary = ChangeSummary {
        total: plan.targets.len() as u64,
        done: report.done,
        failed: report.failed,
        error: report.error.as_ref(),
        is_interrupted: report.is_interrupted,
    };
    plan_and_confirm::finish(session, &TtlOutput::new(args, &plan, &report, started), &line, &summary, WORDS)
}

fn change(change: TtlChange) -> ExpiryChange {
    match change {
        TtlChange { set: Some(ttl), .. } => ExpiryChange::Set(ttl),
        TtlChange { extend: Some(by), .. } => ExpiryChange::Extend(by),
        TtlChange { .. } => ExpiryChange::Persist,
    }
}

fn question(change: ExpiryChange, entries: &str, backend: &str) -> String {
    match change {
        ExpiryChange::Set(ttl) => {
            format!("Set the TTL of {entries} in {backend} to {}?", humantime::format_duration(ttl))
        }
        ExpiryChange::Extend(by) => {
            format!("Extend the TTL of {entries} in {backend} by {}?", humantime::format_duration(by))
        }
        ExpiryChange::Persist => {
            format!("Remove the TTL of {entries} in {backend}? Without a TTL, entries never expire.")
        }
    }
}

/// `ttl --json`.
#[derive(Serialize)]
struct TtlOutput {
    dry_run: bool,
    matched: Matched,
    changed: u64,
    failed: u64,
    by_service: Vec<OfService>,
    interrupted: bool,
    elapsed: f64,
}

impl TtlOutput {
    fn new(args: &TtlArgs, plan: &FlushPlan, report: &TtlReport, started: Instant) -> Self {
        Self {
            dry_run: args.confirm.dry_run,
            matched: Matched::from_plan(plan),
            changed: report.done,
            failed: report.failed,
            by_service: confirm::by_service(plan),
            interrupted: report.is_interrupted,
            elapsed: started.elapsed().as_secs_f64(),
        }
    }
}
