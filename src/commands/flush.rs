//! `flush`: plans, shows the plan, asks, deletes exactly what was planned.

use std::time::Instant;

use cache_core::admin::batch::Plan;
use cache_core::admin::flush::Report;
use cache_core::admin::{batch, flush};
use serde::Serialize;

use crate::cli::FlushArgs;
use crate::commands::confirm::{Ending, Matched, OfService};
use crate::commands::session::Session;
use crate::commands::{confirm, short_id};
use crate::exit::Exit;
use crate::output;
use crate::output::progress::{Bar, Unit};
use crate::output::{human, safe};

/// Runs the command.
pub(crate) async fn run(session: &Session, args: &FlushArgs) -> anyhow::Result<Exit> {
    confirm::check(session, "flush", &args.selectors, &args.consent)?;
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
        session.note("Interrupted: nothing was deleted");
        return Ok(Exit::Partial);
    };
    let answer = |report: &Report| Answer::new(args, &plan, report, started);
    if plan.targets.is_empty() || args.consent.dry_run {
        if session.global.json {
            output::write_json(&answer(&Report::default()))?;
        } else {
            output::write(confirm::text(&plan, "delete", session.style).as_bytes())?;
        }
        return Ok(if plan.targets.is_empty() { Exit::NothingMatched } else { Exit::Done });
    }
    if !args.consent.yes {
        output::tell(confirm::text(&plan, "delete", session.style).trim_end());
        let entries = human::entries(plan.targets.len() as u64);
        let question = format!("Delete {entries} from {}?", plan.backend);
        if let Some(exit) = confirm::refusal(&question).await? {
            session.note("Canceled: nothing was deleted");
            return Ok(exit);
        }
    }
    let report = {
        let bar = Bar::new("Deleting", Unit::Entries, session.global.quiet);
        flush::execute(&cache.store, &plan, &stop, |progress| bar.show(progress, "deleted")).await
    };
    if session.global.json {
        output::write_json(&answer(&report))?;
    } else {
        let removed = report.done;
        let elapsed = human::elapsed(started.elapsed());
        let (entries, keys) = (human::entries(removed.entries), human::counted(removed.keys, "key"));
        let backend = plan.backend.to_string();
        let backend = safe::line(&backend);
        let text = format!("Deleted {entries} ({keys}) from {backend} in {elapsed}\n");
        output::write(text.as_bytes())?;
    }
    let ending = Ending {
        verb: "deleted",
        total: plan.targets.len() as u64,
        done: report.done.entries,
        failed: report.failed,
        error: report.error.as_ref(),
        is_interrupted: report.is_interrupted,
    };
    Ok(ending.exit(session))
}

/// `flush --json`.
#[derive(Serialize)]
struct Answer {
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

impl Answer {
    fn new(args: &FlushArgs, plan: &Plan, report: &Report, started: Instant) -> Self {
        Self {
            dry_run: args.consent.dry_run,
            matched: Matched::of(plan),
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
