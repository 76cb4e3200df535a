//! `ttl`: plans, shows the plan, asks, changes the TTLs of exactly what was planned.

use std::time::Instant;

use cache_core::admin::ttl::Change;
use cache_core::admin::{batch, ttl};
use serde::Serialize;

use crate::cli::{TtlArgs, TtlChange};
use crate::commands::confirm::{Ending, Matched, OfService};
use crate::commands::session::Session;
use crate::commands::{confirm, short_id};
use crate::exit::Exit;
use crate::output;
use crate::output::progress::{Bar, Unit};
use crate::output::{human, safe};

/// Runs the command.
pub(crate) async fn run(session: &Session, args: &TtlArgs) -> anyhow::Result<Exit> {
    confirm::check(session, "ttl", &args.selectors, &args.consent)?;
    let started = Instant::now();
    let cache = session.open_to_change().await?;
    let stop = confirm::stop_on_interrupt();
    let plan = {
        let bar = Bar::new("Scanning", Unit::Keys, session.global.quiet);
        let progress = |progress| bar.show(progress, "matching");
        let filter = short_id::filter(&cache.store, &args.selectors).await?;
        batch::plan(&cache.store, &filter, args.consent.limit, &stop, progress).await?
    };
    let Some(plan) = plan else {
        session.note("Interrupted: nothing was changed");
        return Ok(Exit::Partial);
    };
    let answer = |report: &ttl::Report| Answer {
        dry_run: args.consent.dry_run,
        matched: Matched::of(&plan),
        changed: report.done,
        failed: report.failed,
        by_service: confirm::by_service(&plan),
        interrupted: report.is_interrupted,
        elapsed: started.elapsed().as_secs_f64(),
    };
    if plan.targets.is_empty() || args.consent.dry_run {
        if session.global.json {
            output::write_json(&answer(&ttl::Report::default()))?;
        } else {
            output::write(confirm::text(&plan, "change the TTL of", session.style).as_bytes())?;
        }
        return Ok(if plan.targets.is_empty() { Exit::NothingMatched } else { Exit::Done });
    }
    if !args.consent.yes {
        output::tell(confirm::text(&plan, "change the TTL of", session.style).trim_end());
        let matched = human::entries(plan.targets.len() as u64);
        let question = question(args.change, &matched, &plan.backend.to_string());
        if let Some(exit) = confirm::refusal(&question).await? {
            session.note("Canceled: nothing was changed");
            return Ok(exit);
        }
    }
    let report = {
        let bar = Bar::new("Changing TTLs", Unit::Entries, session.global.quiet);
        let progress = |progress| bar.show(progress, "changed");
        ttl::change(&cache.store, &plan.backend, &plan.targets, change(args.change), &stop, progress).await
    };
    if session.global.json {
        output::write_json(&answer(&report))?;
    } else {
        let changed = human::entries(report.done);
        let backend = plan.backend.to_string();
        output::write(format!("Changed the TTL of {changed} in {}\n", safe::line(&backend)).as_bytes())?;
    }
    let ending = Ending {
        verb: "changed",
        total: plan.targets.len() as u64,
        done: report.done,
        failed: report.failed,
        error: report.error.as_ref(),
        is_interrupted: report.is_interrupted,
    };
    Ok(ending.exit(session))
}

fn change(change: TtlChange) -> Change {
    match change {
        TtlChange { set: Some(ttl), .. } => Change::Set(ttl),
        TtlChange { extend: Some(by), .. } => Change::Extend(by),
        TtlChange { .. } => Change::Persist,
    }
}

fn question(change: TtlChange, entries: &str, backend: &str) -> String {
    match crate::commands::ttl::change(change) {
        Change::Set(ttl) => format!("Set the TTL of {entries} in {backend} to {}?", humantime::format_duration(ttl)),
        Change::Extend(by) => {
            format!("Extend the TTL of {entries} in {backend} by {}?", humantime::format_duration(by))
        }
        Change::Persist => format!("Remove the TTL of {entries} in {backend}? Without a TTL, entries never expire."),
    }
}

/// `ttl --json`.
#[derive(Serialize)]
struct Answer {
    dry_run: bool,
    matched: Matched,
    changed: u64,
    failed: u64,
    by_service: Vec<OfService>,
    interrupted: bool,
    elapsed: f64,
}
