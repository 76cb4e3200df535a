//! Handles responses of the runner, and the clock.

use std::sync::Arc;
use std::time::Duration;

use cache_core::admin::apply::Report;
use cache_core::redact::Secrets;
use cache_core::{Error, Health, error_chain};

use crate::tui::app::body::BodyView;
use crate::tui::app::detail::Detail;
use crate::tui::app::dialog::Dialog;
use crate::tui::app::loadable::Loadable;
use crate::tui::app::rates::RateTable;
use crate::tui::app::{App, Failure, Scan, Table};
use crate::tui::effect::Effect;
use crate::tui::message::{EnrichProgress, Outcome};
use crate::tui::ticket::Ticket;
use crate::tui::update::scan::{HEALTH_INTERVAL, begin_scan, count, rescan, show_lost_store};
use crate::tui::update::{enrich, filter, job, tree, watch};

/// Seconds for which a notice replaces the hints. An error stays until the next key.
const NOTICE: f64 = 6.0;

/// Seconds between two reads of the statistics: caches write them once a second.
const COUNT_INTERVAL: f64 = 5.0;

pub(crate) fn tick(app: &mut App, now: f64) -> Vec<Effect> {
    app.now = now;
    app.notice.take_if(|notice| !notice.is_error && now >= notice.since + NOTICE);
    if app.health.is_none() {
        return Vec::new();
    }
    let mut effects = Vec::new();
    if app.health_ticket.is_none() && now >= app.next_health_check {
        let ticket = app.ticket();
        app.health_ticket = Some(ticket);
        effects.push(Effect::CheckHealth(ticket));
    }
    effects.extend(rescan(app));
    if app.show_lost().is_none() && now >= app.rates.next_read {
        effects.extend(count(app));
    }
    effects
}

pub(crate) fn progress(app: &mut App, ticket: Ticket, progress: EnrichProgress) -> Vec<Effect> {
    match progress {
        EnrichProgress::Page(page) if app.scan.ticket == Some(ticket) => {
            (app.scan.scanned, app.scan.total) = (page.scanned, page.total);
            app.rows.add(page.entries, &mut app.tree, &app.filter.query, app.now);
            app.settle_cursor();
        }
        EnrichProgress::Found(ids) => filter::found(app, ticket, ids),
        EnrichProgress::Work { done, total, elapsed } => {
            if let Some(job) = app.job.as_mut().filter(|job| job.ticket == ticket) {
                (job.done, job.total, job.elapsed) = (done, total, elapsed);
            }
        }
        EnrichProgress::Watch(update) => watch::progress(app, ticket, update),
        EnrichProgress::Enriching(services) => enrich::progress(app, ticket, services),
        EnrichProgress::Page(_) => {}
    }
    Vec::new()
}

pub(crate) fn done(app: &mut App, ticket: Ticket, outcome: Outcome) -> Vec<Effect> {
    match outcome {
        Outcome::Opened(result) => return opened(app, result),
        Outcome::Scanned(result) => return scanned(app, ticket, result),
        Outcome::Health(health) => return health_checked(app, ticket, health),
        Outcome::Flushed(report, took) => return flushed(app, ticket, &report, took),
        Outcome::TtlChanged(report) => return ttl_changed(app, ticket, &report),
        Outcome::Enriched(run, problem) => return enrich::done(app, ticket, *run, problem),
        Outcome::Searched(result) => filter::searched(app, ticket, result),
        Outcome::Loaded(result) => loaded(app, ticket, result),
        Outcome::Counted(result) => counted(app, ticket, result),
        Outcome::Watched(result) => watch::done(app, ticket, result),
        Outcome::TitlesLoaded(list) => enrich::titles_loaded(app, ticket, list),
        Outcome::Runs(runs) => enrich::runs_loaded(app, ticket, runs),
    }
    Vec::new()
}

fn opened(app: &mut App, result: Result<Health, Error>) -> Vec<Effect> {
    let health = match result {
        Ok(health) => health,
        Err(error) => return fail(app, Failure::Opening(error)),
    };
    if health.is_fallback
        && let Some(problem) = &health.problem
    {
        app.show_error(format!("Using {} as a fallback: {problem}", health.backend));
    }
    app.health = Some(health);
    app.next_health_check = app.now + HEALTH_INTERVAL;
    let mut effects = begin_scan(app);
    effects.extend(enrich::load(app));
    effects
}

/// Leaves the dashboard with a failure.
pub(crate) fn fail(app: &mut App, failure: Failure) -> Vec<Effect> {
    app.failure = Some(failure);
    vec![Effect::Quit]
}

fn health_checked(app: &mut App, ticket: Ticket, health: Health) -> Vec<Effect> {
    if app.health_ticket != Some(ticket) {
        return Vec::new();
    }
    app.health_ticket = None;
    take_health(app, health)
}

fn flushed(app: &mut App, ticket: Ticket, report: &Report, took: Duration) -> Vec<Effect> {
    match app.job.take_if(|job| job.ticket == ticket) {
        Some(job) => job::end_flush(app, job, report, took),
        None => Vec::new(),
    }
}

fn ttl_changed(app: &mut App, ticket: Ticket, report: &Report) -> Vec<Effect> {
    match app.job.take_if(|job| job.ticket == ticket) {
        Some(job) => job::end_ttl_change(app, job, report),
        None => Vec::new(),
    }
}

fn scanned(app: &mut App, ticket: Ticket, result: Result<(), Error>) -> Vec<Effect> {
    if app.scan.ticket != Some(ticket) {
        return Vec::new();
    }
    app.scan.ticket = None;
    match result {
        Ok(()) => {
            app.scan.is_complete = true;
            app.scan.total = app.scan.scanned;
            app.scan.took = (app.now - app.scan.began).max(0.0);
            app.scan.listed_at = Some(app.scan.began);
            app.rows.end_scan(&mut app.tree);
            if app.filter.query.filter.dead_schemas {
                app.choose_rows();
            }
            app.settle_cursor();
            filter::search(app)
        }
        // The backend changed during the scan.
        Err(Error::CursorExpired) => begin_scan(app),
        Err(error) => {
            show_lost_store(app, &error);
            app.show_error(format!("Scan failed: {}", error_chain(&error)));
            Vec::new()
        }
    }
}

pub(crate) fn take_health(app: &mut App, health: Health) -> Vec<Effect> {
    let was_lost = app.show_lost().is_some();
    let is_other = app.health.as_ref().is_some_and(|known| known.backend != health.backend);
    app.next_health_check = app.now + HEALTH_INTERVAL;
    app.health = Some(health);
    if is_other {
        // Another cache: entries of the old one must not be shown, and questions about them must be closed.
        app.rows.clear();
        app.tree.clear();
        app.rates.clear();
        app.dialog.take_if(|dialog| !matches!(dialog, Dialog::Failure { .. }));
        app.table = Table::default();
        app.scan = Scan { ticket: app.scan.ticket, ..Scan::default() };
        tree::keep_on_screen(app);
        if let Some(backend) = app.backend().map(ToString::to_string) {
            app.show_error(format!("Switched to {backend}"));
        }
        let mut effects = watch::end(app);
        effects.extend(begin_scan(app));
        effects.extend(enrich::move_to_other_store(app));
        return effects;
    }
    match (was_lost, app.show_lost().is_some()) {
        (true, false) => {
            app.show_notice("Reconnected");
            begin_scan(app)
        }
        _ => Vec::new(),
    }
}

fn counted(app: &mut App, ticket: Ticket, result: Result<RateTable, Error>) {
    if app.rates.ticket != Some(ticket) {
        return;
    }
    app.rates.ticket = None;
    app.rates.next_read = app.now + COUNT_INTERVAL;
    match result {
        Ok(tally) => {
            app.rates.take(&tally, app.now);
            // The height of the tree may have changed.
            tree::keep_on_screen(app);
        }
        Err(error) => show_lost_store(app, &error),
    }
}

fn loaded(app: &mut App, ticket: Ticket, result: Result<Option<Box<Detail>>, Error>) {
    if !matches!(app.inspector.detail, Loadable::Loading(awaited) if awaited == ticket) {
        return;
    }
    match result {
        Ok(detail) => {
            app.inspector.view = detail
                .as_ref()
                .map_or(BodyView::default(), |detail| detail.body.content(Secrets::Masked).natural_view());
            app.inspector.detail = Loadable::Ready(detail);
            app.inspector.folded.clear();
            app.inspector.lay_out_json();
        }
        Err(error) => {
            show_lost_store(app, &error);
            app.inspector.detail = Loadable::Failed(Arc::new(error));
        }
    }
}
