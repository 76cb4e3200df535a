//! The path of every command that changes many entries: plan, confirm, apply, report.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use cache_core::admin::apply::{Report, apply};
use cache_core::admin::plan;
use cache_core::admin::plan::Plan;
use cache_core::{Change, Inspect};
use serde::Serialize;

use crate::cli::ConfirmArgs;
use crate::cli::selectors::Selectors;
use crate::commands::confirm::{Answer, LeftOut, Matched, OfBackend, OfService, ask};
use crate::commands::outcome::{Outcome, Words};
use crate::commands::session::Session;
use crate::commands::undo::undo_file::{self, UndoFile};
use crate::commands::{confirm, short_id, signals};
use crate::exit::Exit;
use crate::output::progress::{Bar, Unit};
use crate::output::{self, human, safe};

/// A change that a command makes.
pub(crate) struct Request<'a, J> {
    /// `flush`
    pub(crate) command: &'static str,
    pub(crate) words: Words,
    pub(crate) selectors: &'a Selectors,
    pub(crate) args: &'a ConfirmArgs,
    pub(crate) change: Change,
    /// The question about so many entries in a cache.
    pub(crate) question: &'a dyn Fn(&str, &str) -> String,
    /// The line that reports what was done.
    pub(crate) line: &'a dyn Fn(&Report) -> String,
    /// The fields of the command's JSON.
    pub(crate) json: &'a dyn Fn(&Report) -> J,
}

/// The JSON of a change: fields of the command, and those of every change.
#[derive(Serialize)]
struct Output<J> {
    dry_run: bool,
    matched: Matched,
    #[serde(flatten)]
    of_command: J,
    undo_file: Option<String>,
    failed: u64,
    changed_meanwhile: u64,
    gone: u64,
    unchanged: u64,
    left_out: LeftOut,
    backend: OfBackend,
    by_service: Vec<OfService>,
    oldest: Option<f64>,
    newest: Option<f64>,
    interrupted: bool,
    elapsed: f64,
}

impl<J> Output<J> {
    fn new(request: &Request<'_, J>, plan: &Plan, report: &Report, undo_file: Option<&Path>, started: Instant) -> Self {
        Self {
            undo_file: undo_file.map(|path| path.display().to_string()),
            dry_run: request.args.dry_run,
            matched: Matched::from_plan(plan),
            of_command: (request.json)(report),
            failed: report.failed,
            changed_meanwhile: report.done.changed_meanwhile,
            gone: report.done.gone,
            unchanged: report.done.unchanged,
            left_out: LeftOut::from_plan(plan),
            backend: OfBackend::new(&plan.store.backend),
            by_service: confirm::by_service(plan),
            oldest: plan.oldest,
            newest: plan.newest,
            interrupted: report.is_interrupted,
            elapsed: started.elapsed().as_secs_f64(),
        }
    }
}

/// Plans a change, asks, applies it and reports what came of it.
pub(crate) async fn run<J: Serialize>(session: &Session, request: &Request<'_, J>) -> anyhow::Result<Exit> {
    confirm::check_request(session, request.command, request.selectors, request.args)?;
    let started = Instant::now();
    let cache = session.open_to_change().await?;
    let stop = signals::stop_flag()?;
    let output =
        |plan: &Plan, report: &Report, undo_file: Option<&Path>| Output::new(request, plan, report, undo_file, started);
    let words = request.words;
    let Some(plan) = make(session, &cache.store, request, &stop).await? else {
        session.note(&format!("Interrupted: nothing was {}", words.done));
        return Ok(Exit::Partial);
    };
    let entries = human::entries(plan.targets.len() as u64);
    let question = (request.question)(&entries, &plan.store.backend.to_string());
    let estimate = undo_file::check_size(&plan, request.change, request.args)?;
    let end =
        confirm(session, &plan, request.args, words, &question, (&output(&plan, &Report::default(), None), estimate))
            .await?;
    if let Some(exit) = end {
        return Ok(exit);
    }
    let undo = if request.args.no_undo {
        None
    } else {
        Some(UndoFile::create(&cache, &plan, request.command, request.change, request.args)?)
    };
    let report = {
        let bar = Bar::new(words.doing, Unit::Entries, session.global.quiet);
        let record = undo.as_ref().map(UndoFile::record);
        apply(&cache.store, &plan, request.change, record, &stop, |progress| bar.show(progress, words.done)).await
    };
    let is_same_store = cache.store.identity().await.is_ok_and(|now| now.is_same(&plan.store));
    let outcome = Outcome::new(&report, &plan, is_same_store, words);
    let elapsed = human::elapsed(started.elapsed());
    let line = format!("{} in {} in {elapsed}", (request.line)(&report), plan.store.backend);
    outcome.tell(session);
    let undo_file = undo.and_then(|undo| undo.finish(session));
    if undo_file.is_some() && cache.demo.is_none() {
        session.note("To undo this, run 'animecache undo'");
    }
    if request.change == Change::Remove
        && let Some(free) = cache.store.info().await.ok().and_then(|info| info.free_bytes).filter(|free| *free > 0)
    {
        session.note(&format!("{} of the file are free for new entries", human::bytes(free)));
    }
    let printed = if session.global.json {
        output::write_json(&output(&plan, &report, undo_file.as_deref()))
    } else if outcome.has_result {
        output::write(format!("{}\n", safe::line(&line)).as_bytes()).map_err(anyhow::Error::from)
    } else {
        Ok(())
    };
    Ok(outcome.end(printed, &line))
}

/// Finds the entries that match, up to the limit; `None`: the command was interrupted.
async fn make<J>(
    session: &Session,
    store: &Arc<dyn Inspect>,
    request: &Request<'_, J>,
    stop: &std::sync::atomic::AtomicBool,
) -> anyhow::Result<Option<Plan>> {
    let plan = {
        let bar = Bar::new("Scanning", Unit::Keys, session.global.quiet);
        let progress = |progress| bar.show(progress, "matching");
        let filter = short_id::filter(store, request.selectors).await?;
        plan::plan(store, &filter, request.args.limit, stop, progress).await?
    };
    if let Some(count) = plan.as_ref().map(|plan| plan.left_out).filter(|count| *count > 0) {
        session.warn(&left_out(count));
    }
    Ok(plan)
}

/// The warning about bodies that `--body-match` could not look into.
pub(crate) fn left_out(count: u64) -> String {
    let entries = human::entries(count);
    format!("left out {entries}: the body is damaged, or too long to be decoded, and could not be searched")
}

/// Shows the plan and waits for confirmation; `Some`: the command ends without a change. `unchanged` is its output as
/// JSON.
async fn confirm(
    session: &Session,
    plan: &Plan,
    args: &ConfirmArgs,
    words: Words,
    question: &str,
    (unchanged, estimate): (&impl Serialize, u64),
) -> anyhow::Result<Option<Exit>> {
    let is_empty = plan.targets.is_empty();
    if is_empty || args.dry_run {
        if session.global.json {
            output::write_json(unchanged)?;
        } else {
            output::write(confirm::text(plan, (words.action, estimate), session.style).as_bytes())?;
        }
        return Ok(Some(if is_empty { Exit::NothingMatched } else { Exit::Done }));
    }
    if args.yes {
        return Ok(None);
    }
    output::print_error(confirm::text(plan, (words.action, estimate), session.style).trim_end());
    Ok(match ask(question).await? {
        Answer::Yes => None,
        Answer::No(exit) => {
            session.note(&format!("Canceled: nothing was {}", words.done));
            Some(exit)
        }
    })
}
