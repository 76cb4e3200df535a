//! `ttl`: plans, shows the plan, asks, changes the TTLs of exactly what was planned.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use cache_core::Summary;
use cache_core::admin::batch::Progress;
use cache_core::admin::flush::Plan;
use cache_core::admin::select::select;
use cache_core::admin::ttl;
use cache_core::admin::ttl::Change;
use futures_util::TryStreamExt as _;
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
    let limit = args.consent.limit.unwrap_or(usize::MAX);
    let mut entries: Vec<Summary> = Vec::new();
    {
        let bar = Bar::new("Scanning", Unit::Keys, session.global.quiet);
        let filter = short_id::filter(&cache.store, &args.selectors).await?;
        let mut pages = std::pin::pin!(select(Arc::clone(&cache.store), filter).await?);
        while entries.len() < limit
            && let Some(page) = pages.try_next().await?
        {
            if stop.load(Ordering::Relaxed) {
                session.note("Interrupted: nothing was changed");
                return Ok(Exit::Partial);
            }
            entries.extend(page.entries.into_iter().take(limit - entries.len()));
            let (done, total) = (page.scanned, page.total);
            bar.show(Progress { done, total, entries: entries.len() as u64 }, "matching");
        }
    }
    let plan = Plan::of(cache.store.backend(), &entries);
    let answer = |report: &ttl::Report| Answer {
        dry_run: args.consent.dry_run,
        matched: Matched::of(&plan),
        changed: report.changed,
        failed: report.failed,
        by_service: confirm::by_service(&plan),
        interrupted: report.is_interrupted,
        elapsed: started.elapsed().as_secs_f64(),
    };
    if entries.is_empty() || args.consent.dry_run {
        if session.global.json {
            output::write_json(&answer(&ttl::Report::default()))?;
        } else {
            output::write(confirm::text(&plan, "change the TTL of", session.style).as_bytes())?;
        }
        return Ok(if entries.is_empty() { Exit::NothingMatched } else { Exit::Done });
    }
    if !args.consent.yes {
        output::tell(confirm::text(&plan, "change the TTL of", session.style).trim_end());
        let matched = human::entries(entries.len() as u64);
        let question = question(args.change, &matched, &plan.backend.to_string());
        if let Some(exit) = confirm::refusal(&question).await? {
            session.note("Canceled: nothing was changed");
            return Ok(exit);
        }
    }
    let targets: Vec<_> = entries.iter().map(|entry| (entry.id.clone(), entry.expires_at)).collect();
    let report = {
        let bar = Bar::new("Changing TTLs", Unit::Entries, session.global.quiet);
        let progress = |progress| bar.show(progress, "changed");
        ttl::change(&cache.store, &plan.backend, &targets, change(args.change), &stop, progress).await
    };
    if session.global.json {
        output::write_json(&answer(&report))?;
    } else {
        let changed = human::entries(report.changed);
        let backend = plan.backend.to_string();
        output::write(format!("Changed the TTL of {changed} in {}\n", safe::line(&backend)).as_bytes())?;
    }
    let ending = Ending {
        verb: "changed",
        total: entries.len() as u64,
        done: report.changed,
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
