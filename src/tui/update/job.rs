//! The end of a change.

use std::fmt::Write as _;
use std::time::Duration;

use cache_core::admin::apply::Report;
use cache_core::error_chain;

use crate::output::{human, safe};
use crate::tui::app::dialog::Dialog;
use crate::tui::app::job::{AfterJob, Job, new_expiry};
use crate::tui::app::{App, ExitSummary};
use crate::tui::effect::Effect;
use crate::tui::update::scan::{begin_scan, show_lost_store};

pub(crate) fn end_flush(app: &mut App, job: Job, report: &Report, took: Duration) -> Vec<Effect> {
    let done = format!(
        "Deleted {} ({}) in {:.1} s",
        human::entries(report.done.entries),
        human::counted(report.done.keys, "key"),
        took.as_secs_f64()
    );
    let is_whole = show_end(app, &job, "Flush failed", done, report);
    if app.is_leaving {
        return vec![Effect::Quit];
    }
    match job.then {
        AfterJob::Drop(ids) if is_whole => {
            app.rows.remove(&ids, &mut app.tree);
            app.settle_cursor();
            Vec::new()
        }
        // The remaining entries are unknown: list them.
        _ => begin_scan(app),
    }
}

pub(crate) fn end_ttl_change(app: &mut App, job: Job, report: &Report) -> Vec<Effect> {
    let done = format!("Changed the TTL of {}", human::entries(report.done.entries));
    let is_whole = show_end(app, &job, "Changing TTLs failed", done, report);
    if app.is_leaving {
        return vec![Effect::Quit];
    }
    match job.then {
        AfterJob::Expire(targets, change) if is_whole => {
            let now = app.now;
            let expiries = targets.iter().map(|(id, expires_at)| (id, new_expiry(change, *expires_at, now)));
            app.rows.set_expiry(expiries, &mut app.tree, &app.filter.query, app.now);
            app.settle_cursor();
            app.inspector.subject = None;
            Vec::new()
        }
        _ => begin_scan(app),
    }
}

/// Shows the result of a change, and returns whether it was completed. A failure is shown as a dialog: a notice would
/// be replaced by the next one about an unreachable store.
fn show_end(app: &mut App, job: &Job, title: &'static str, mut done: String, report: &Report) -> bool {
    let Report { done: applied, failed, error, is_interrupted } = report;
    let (error, is_interrupted) = (error.as_ref(), *is_interrupted);
    let left_alone = [(applied.changed_meanwhile, "changed meanwhile"), (applied.gone, "gone meanwhile")];
    for (count, what) in left_alone.into_iter().filter(|(count, _)| *count > 0) {
        let _ = write!(done, ", {} {what}", human::count(count));
    }
    let is_whole = error.is_none() && !is_interrupted && applied.changed_meanwhile == 0;
    if app.is_leaving {
        let on = job.on.to_string();
        let end = match error {
            Some(error) => format!("; the remaining entries failed: {}", error_chain(error)),
            None if is_interrupted => "; the remaining entries were not changed".to_owned(),
            None => String::new(),
        };
        app.exit_summary =
            Some(ExitSummary { text: safe::line(&format!("{done} on {on}{end}")).into_owned(), is_complete: is_whole });
    } else if let Some(error) = error {
        show_lost_store(app, error);
        // The most important fact comes first: a small screen has no room for the rest.
        let facts = [
            ("Error", error_chain(error)),
            ("Done", done),
            ("Failed", human::entries(*failed)),
            ("Requested", human::entries(job.total)),
            ("Backend", job.on.to_string()),
        ];
        let facts = facts.map(|(name, value)| (name.to_owned(), value)).into();
        app.dialog = Some(Dialog::Failure { title, facts });
    } else if is_interrupted {
        app.show_error(format!("Stopped: {done}"));
    } else {
        app.show_notice(done);
    }
    is_whole
}
