//! TODO

use cache_core::{Error, chain};

use crate::tui::app::{App, Scan};
use crate::tui::effect::Effect;

/// How often, in seconds, the store is asked how it is.
pub(crate) const ASK_HEALTH_EVERY: f64 = 2.0;

/// Asks what was counted, unless that is being asked.
pub(crate) fn count(app: &mut App) -> Option<Effect> {
    if app.rates.ticket.is_some() {
        return None;
    }
    let ticket = app.ticket();
    app.rates.ticket = Some(ticket);
    Some(Effect::Count(ticket))
}

/// Lists everything anew; what is listed stays until it is seen that it is gone.
pub(crate) fn begin_scan(app: &mut App) -> Vec<Effect> {
    if app.health.is_none() {
        return Vec::new();
    }
    let mut effects: Vec<Effect> = app.scan.ticket.map(Effect::Cancel).into_iter().collect();
    let ticket = app.ticket();
    app.scan = Scan { ticket: Some(ticket), is_complete: app.scan.is_complete, ..Scan::default() };
    app.rows.begin_scan();
    // What is seen of the selected entry may be old too.
    app.inspector.subject = None;
    effects.push(Effect::Scan(ticket));
    effects.extend(count(app));
    effects
}

/// A request found out that the store does not answer, before the store was asked how it is.
pub(crate) fn lose(app: &mut App, error: &Error) {
    if let Some(health) = app.health.as_mut().filter(|_| error.is_temporary()) {
        if health.problem.is_none() {
            health.problem = Some(chain(error));
        }
        app.ask_health_at = app.now + ASK_HEALTH_EVERY;
    }
}
