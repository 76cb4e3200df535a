//! What came of a change.

use std::time::Duration;

use cache_core::admin::{flush, ttl};
use cache_core::{Error, chain};

use super::outcome::{begin_scan, lose};
use crate::output::{human, safe};
use crate::tui::app::dialog::Dialog;
use crate::tui::app::{AfterJob, App, Job, Parting};
use crate::tui::effect::Effect;

pub(super) fn end_flush(app: &mut App, job: Job, report: &flush::Report, took: Duration) -> Vec<Effect> {
    let done = format!(
        "{} ({}) flushed in {:.1}s",
        human::entries(report.removed.entries),
        human::counted(report.removed.keys, "key"),
        took.as_secs_f64()
    );
    let is_whole = tell(app, &job, "The flush failed", done, report.error.as_ref(), report.is_interrupted);
    if app.is_leaving {
        return vec![Effect::Quit];
    }
    match job.then {
        AfterJob::Drop(ids) if is_whole => {
            app.rows.remove(&ids, &mut app.tree);
            app.settle_cursor();
            Vec::new()
        }
        // What is left has to be looked up.
        _ => begin_scan(app),
    }
}

pub(super) fn end_ttl_change(app: &mut App, job: Job, report: &ttl::Report) -> Vec<Effect> {
    let done = format!("TTL of {} changed", human::entries(report.changed));
    let is_whole = tell(app, &job, "The change of TTLs failed", done, report.error.as_ref(), report.is_interrupted);
    if app.is_leaving {
        return vec![Effect::Quit];
    }
    match job.then {
        AfterJob::Expire(expiries) if is_whole => {
            let expiries = expiries.iter().map(|(id, at)| (id, *at));
            app.rows.set_expiry(expiries, &mut app.tree, &app.filter.query, app.now);
            app.settle_cursor();
            app.inspector.subject = None;
            Vec::new()
        }
        _ => begin_scan(app),
    }
}

/// Says what was done; whether it was all that was asked for. A failure waits until somebody has seen it: what else
/// there is to say of a store that went away must not take its place.
fn tell(
    app: &mut App,
    job: &Job,
    title: &'static str,
    done: String,
    error: Option<&Error>,
    is_interrupted: bool,
) -> bool {
    let is_whole = error.is_none() && !is_interrupted;
    if app.is_leaving {
        let on = job.on.to_string();
        let end = match error {
            Some(error) => format!("; the rest was not: {}", chain(error)),
            None if is_interrupted => "; the rest was left as it was".to_owned(),
            None => String::new(),
        };
        app.parting = Some(Parting { text: safe::line(&format!("{done} on {on}{end}")).into_owned(), is_whole });
    } else if let Some(error) = error {
        lose(app, error);
        let facts = [
            ("on", job.on.to_string()),
            ("asked for", human::entries(job.total)),
            ("done", done),
            ("then", safe::line(&chain(error)).into_owned()),
        ];
        let facts = facts.map(|(name, value)| (name.to_owned(), value)).into();
        app.dialog = Some(Dialog::Failure { title, facts });
    } else if is_interrupted {
        app.complain(format!("stopped: {done}"));
    } else {
        app.notify(done);
    }
    is_whole
}
