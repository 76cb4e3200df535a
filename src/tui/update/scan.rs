//! Starting a scan and reading statistics, and noting that the store is unreachable.

use cache_core::{Error, error_chain};

use crate::tui::app::{App, Scan};
use crate::tui::effect::Effect;

/// Seconds between two health checks.
pub(crate) const HEALTH_INTERVAL: f64 = 2.0;

/// Reads the statistics, unless a request is in flight.
pub(crate) fn count(app: &mut App) -> Option<Effect> {
    if app.rates.ticket.is_some() {
        return None;
    }
    let ticket = app.ticket();
    app.rates.ticket = Some(ticket);
    Some(Effect::Count(ticket))
}

/// Starts a scan; rows stay until the scan shows that their entries were deleted.
pub(crate) fn begin_scan(app: &mut App) -> Vec<Effect> {
    if app.health.is_none() {
        return Vec::new();
    }
    let mut effects: Vec<Effect> = app.scan.ticket.map(Effect::Cancel).into_iter().collect();
    effects.push(list(app));
    // The inspector may show an outdated entry, too.
    app.inspector.subject = None;
    effects.extend(count(app));
    effects
}

/// Lists the entries again if what is shown is old, but not under the hands of a change.
pub(crate) fn rescan(app: &mut App) -> Option<Effect> {
    let is_idle = app.dialog.is_none() && app.job.is_none() && app.show_lost().is_none();
    (is_idle && app.scan.is_due(app.now)).then(|| list(app))
}

fn list(app: &mut App) -> Effect {
    let ticket = app.ticket();
    let Scan { is_complete, took, listed_at, .. } = app.scan;
    app.scan = Scan { ticket: Some(ticket), is_complete, took, listed_at, began: app.now, ..Scan::default() };
    app.rows.begin_scan();
    Effect::Scan(ticket)
}

/// Notes that the store is unreachable, if a request failed before the next health check.
pub(crate) fn show_lost_store(app: &mut App, error: &Error) {
    if let Some(health) = app.health.as_mut().filter(|_| error.is_temporary()) {
        if health.problem.is_none() {
            health.problem = Some(error_chain(error));
        }
        app.next_health_check = app.now + HEALTH_INTERVAL;
    }
}
