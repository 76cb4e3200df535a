//! `doctor`: checks the settings, the backend and the entries, with hints for failed checks.

pub(crate) mod backend;
pub(crate) mod command_line;
pub(crate) mod contents;
pub(crate) mod report;
pub(crate) mod settings;
pub(crate) mod sqlite;
pub(crate) mod trial;
pub(crate) mod unreachable;

use std::sync::Arc;

use cache_core::{Opened, Storage, WhenUnreachable};

use crate::commands::doctor::command_line::CommandLine;
use crate::commands::doctor::report::{Check, DoctorReport};
use crate::commands::session::{OpenCache, Session};
use crate::exit::Exit;
use crate::{demo, output};
use cache_core::error_chain;

/// Runs the command.
pub(crate) async fn run(session: &Session) -> anyhow::Result<Exit> {
    let mut report = DoctorReport::new(&session.settings);
    let is_reached = if session.global.demo {
        let demo = demo::cache(session.settings.cache.services.clone()).await?;
        let store = Arc::clone(&demo.store);
        let cache = OpenCache { store, is_fallback: false, server: None, demo: Some(demo) };
        examine(&mut report, &cache, session.global.read_only).await;
        true
    } else if !session.settings.problems.is_empty() {
        report.checks.extend(settings::checks(&session.settings));
        // The built-in cache was not meant.
        report.checks.push(Check::note("cache", "not examined: the settings do not name a cache"));
        true
    } else {
        report.checks.extend(settings::checks(&session.settings));
        if !session.settings.problems.is_empty() {
            // A default might name another cache than the intended one.
            report.checks.push(Check::note("cache", "not examined: a setting is invalid"));
            return finish(session, &mut report, true);
        }
        let file = session.settings.cache.sqlite_file();
        let is_asked_for = session.settings.cache.storage == Storage::Sqlite;
        report.checks.extend(sqlite::checks(&file, is_asked_for, &session.settings.cache.services).await);
        // Without a fallback, which would hide the error.
        match cache_core::open(&session.settings.cache, session.options(WhenUnreachable::Fail)).await {
            Ok(Opened { store, .. }) => {
                let cache = OpenCache { store, is_fallback: false, server: None, demo: None };
                examine(&mut report, &cache, session.global.read_only).await;
                true
            }
            Err(error) => {
                report.checks.push(unreachable::check(&error));
                false
            }
        }
    };
    finish(session, &mut report, is_reached)
}

/// Prints the report.
fn finish(session: &Session, report: &mut DoctorReport, is_reached: bool) -> anyhow::Result<Exit> {
    report.advise(&CommandLine::new(&session.global));
    if session.global.json {
        output::write_json(report)?;
    } else {
        output::write(report.text(session.style).as_bytes())?;
    }
    Ok(match (is_reached, report.findings()) {
        (false, _) => Exit::Unreachable,
        (true, 0) => Exit::Done,
        (true, _) => Exit::Partial,
    })
}

/// The checks that need an open cache.
async fn examine(report: &mut DoctorReport, cache: &OpenCache, is_read_only: bool) {
    report.checks.extend(backend::checks(cache, is_read_only).await);
    report.checks.extend(match crate::commands::stats::count::count(cache).await {
        Ok(tally) => backend::denied(tally.denied).into_iter().chain(contents::checks(&tally)).collect(),
        Err(error) => vec![Check::fail("entries", error_chain(&error), backend::advice(&error))],
    });
}
