//! The path of every command that changes many entries: plan, confirm, apply, report.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use cache_core::admin::batch;
use cache_core::admin::batch::FlushPlan;
use cache_core::{Error, Inspect, error_chain};
use serde::Serialize;

use crate::cli::ConfirmArgs;
use crate::cli::selectors::Selectors;
use crate::commands::confirm;
use crate::commands::confirm::{Answer, ask};
use crate::commands::session::Session;
use crate::commands::short_id;
use crate::exit::Exit;
use crate::output::human::count;
use crate::output::progress::{Bar, Unit};
use crate::output::{self, human, safe};

/// The words of a command.
#[derive(Clone, Copy)]
pub(crate) struct Words {
    /// `delete`
    pub(crate) action: &'static str,
    /// `deleted`
    pub(crate) done: &'static str,
}

/// The report of a change, of any operation.
pub(crate) struct ChangeSummary<'a> {
    pub(crate) total: u64,
    pub(crate) done: u64,
    pub(crate) failed: u64,
    pub(crate) error: Option<&'a Error>,
    pub(crate) is_interrupted: bool,
}

/// Finds the entries that match, up to the limit; `Err`: the command was interrupted, and ends.
pub(crate) async fn plan(
    session: &Session,
    store: &Arc<dyn Inspect>,
    (selectors, limit): (&Selectors, Option<usize>),
    stop: &AtomicBool,
    words: Words,
) -> anyhow::Result<Result<FlushPlan, Exit>> {
    let plan = {
        let bar = Bar::new("Scanning", Unit::Keys, session.global.quiet);
        let progress = |progress| bar.show(progress, "matching");
        let filter = short_id::filter(store, selectors).await?;
        batch::plan(store, &filter, limit, stop, progress).await?
    };
    Ok(plan.ok_or_else(|| {
        session.note(&format!("Interrupted: nothing was {}", words.done));
        Exit::Partial
    }))
}

/// Shows the plan and waits for confirmation; `Some`: the command ends without a change. `unchanged` is its output as
/// JSON.
pub(crate) async fn confirm(
    session: &Session,
    plan: &FlushPlan,
    args: &ConfirmArgs,
    words: Words,
    question: &str,
    unchanged: &impl Serialize,
) -> anyhow::Result<Option<Exit>> {
    let is_empty = plan.targets.is_empty();
    if is_empty || args.dry_run {
        if session.global.json {
            output::write_json(unchanged)?;
        } else {
            output::write(confirm::text(plan, words.action, session.style).as_bytes())?;
        }
        return Ok(Some(if is_empty { Exit::NothingMatched } else { Exit::Done }));
    }
    if args.yes {
        return Ok(None);
    }
    output::print_error(confirm::text(plan, words.action, session.style).trim_end());
    Ok(match ask(question).await? {
        Answer::Yes => None,
        Answer::No(exit) => {
            session.note(&format!("Canceled: nothing was {}", words.done));
            Some(exit)
        }
    })
}

/// Writes the output of the command, as JSON or as a line, and then its errors; the exit code.
pub(crate) fn finish(
    session: &Session,
    json: &impl Serialize,
    line: &str,
    summary: &ChangeSummary<'_>,
    words: Words,
) -> anyhow::Result<Exit> {
    if session.global.json {
        output::write_json(json)?;
    } else {
        output::write(format!("{}\n", safe::line(line)).as_bytes())?;
    }
    Ok(summary.exit(session, words))
}

impl ChangeSummary<'_> {
    /// Reports errors and the interruption; the exit code.
    fn exit(&self, session: &Session, words: Words) -> Exit {
        if let Some(error) = self.error {
            let (failed, total, reason) = (count(self.failed), human::entries(self.total), error_chain(error));
            output::error(&format!("{failed} of {total} not {}: {}", words.done, safe::line(&reason)));
            return if self.done == 0 { Exit::Fault } else { Exit::Partial };
        }
        if self.is_interrupted {
            session.note("Interrupted: the remaining entries were not changed");
            return Exit::Partial;
        }
        Exit::Done
    }
}
