//! [`Outcome`]: what came of a change, as one value. Whether it can be printed changes nothing of it.

use cache_core::admin::apply::Report;
use cache_core::admin::plan::Plan;
use cache_core::{Error, error_chain};

use crate::commands::session::Session;
use crate::exit::{self, Exit};
use crate::output::human::count;
use crate::output::{self, human, safe};

/// The words of a command.
#[derive(Clone, Copy)]
pub(crate) struct Words {
    /// `delete`
    pub(crate) action: &'static str,
    /// `Deleting`
    pub(crate) doing: &'static str,
    /// `deleted`
    pub(crate) done: &'static str,
}

/// What came of a change.
pub(crate) struct Outcome {
    /// Something was changed, or nothing failed.
    pub(crate) has_result: bool,
    /// Why entries were not changed.
    error: Option<String>,
    /// What else is worth knowing.
    notes: Vec<String>,
    exit: Exit,
}

impl Outcome {
    /// The outcome for a plan. What was changed may come back if another server responds afterward (`is_same_store`).
    pub(crate) fn new(report: &Report, plan: &Plan, is_same_store: bool, words: Words) -> Self {
        let (done, total) = (&report.done, plan.targets.len() as u64);
        let error = report.error.as_ref().map(|error| {
            let (failed, total, reason) = (count(report.failed), human::entries(total), error_chain(error));
            format!("{failed} of {total} not {}: {}", words.done, safe::line(&reason))
        });
        let mut notes = Vec::new();
        for (entries, what) in [
            (done.changed_meanwhile, "changed after the plan was made, and left alone"),
            (done.gone, "gone before the change reached them"),
            (done.unchanged, "without a TTL to extend"),
            (plan.being_written, "left out: still being written"),
        ] {
            if entries > 0 {
                notes.push(format!("{} {what}", human::entries(entries)));
            }
        }
        if report.is_interrupted {
            notes.push("Interrupted: the remaining entries were not changed".to_owned());
        }
        let is_lost = report.error.is_none() && !is_same_store;
        if is_lost {
            notes.push("The server changed meanwhile: entries may be back; run the command again".to_owned());
        }
        let is_partial = report.is_interrupted || is_lost || done.changed_meanwhile > 0 || plan.being_written > 0;
        let exit = match &report.error {
            Some(error) if done.entries == 0 && error.is_temporary() => Exit::Unreachable,
            // What cannot be saved is not changed.
            Some(Error::File { .. }) => Exit::Partial,
            Some(_) if done.entries == 0 => Exit::Fault,
            Some(_) => Exit::Partial,
            None if is_partial => Exit::Partial,
            None if done.entries == 0 => Exit::NothingMatched,
            None => Exit::Done,
        };
        Self { has_result: error.is_none() || done.entries > 0, error, notes, exit }
    }

    /// Says on standard error what was not done, before anything is printed on standard output.
    pub(crate) fn tell(&self, session: &Session) {
        if let Some(error) = &self.error {
            output::error(error);
        }
        for note in &self.notes {
            session.note(note);
        }
    }

    /// The exit code. A report that cannot be printed is given on standard error instead.
    pub(crate) fn end(&self, printed: anyhow::Result<()>, line: &str) -> Exit {
        if let Err(error) = printed
            && !exit::is_closed_pipe(&error)
        {
            output::print_error(&safe::line(line));
            output::warning(&format!("cannot write the report: {}", safe::line(&error_chain(error.as_ref()))));
        }
        self.exit
    }
}
