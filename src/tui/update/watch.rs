//! Starts and ends watches. A setting of the server is changed only after confirmation.

use std::time::Duration;

use cache_core::{Error, EventKind, EventSource, Observation, error_chain};
use tui_textarea::TextArea;

use crate::output::safe;
use crate::tui::action::Action;
use crate::tui::app::App;
use crate::tui::app::dialog::{Confirm, Dialog, PendingEffect};
use crate::tui::app::watch::{Environment, Watch};
use crate::tui::effect::Effect;
use crate::tui::message::WatchUpdate;
use crate::tui::ticket::Ticket;
use crate::tui::update::movement::moved;
use crate::tui::update::question;
use crate::tui::update::weight::Weight;

/// Limits of `MONITOR`, in time and in commands.
const COMMANDS: EventSource = EventSource::Commands { window: Duration::from_secs(10), limit: 1_000_000 };

pub(crate) fn act(app: &mut App, action: Action) -> Vec<Effect> {
    let page = app.regions().panes.height.saturating_sub(2).into();
    match (action, &mut app.watch) {
        (Action::Close, _) => return end(app),
        (Action::Help, _) => app.dialog = Some(Dialog::Help { mode: app.mode(), offset: 0 }),
        (Action::ReadCommands, Some(_)) => confirm_commands(app),
        (action, Some(watch)) => {
            watch.offset = moved(action, watch.offset, watch.events.len(), page).unwrap_or(watch.offset);
        }
        (_, None) => {}
    }
    Vec::new()
}

/// Opens the panel with the events that the server sends without a changed setting.
pub(crate) fn open(app: &mut App) -> Vec<Effect> {
    if app.backend().is_none() {
        app.show_error("The cache is still opening");
        return Vec::new();
    }
    let ticket = app.ticket();
    let source = EventSource::Notifications { enables: false };
    app.watch = Some(Watch::new(ticket, source));
    vec![Effect::Watch { ticket, source }]
}

/// Closes the panel. The watch restores the setting that it changed when it is canceled.
pub(crate) fn end(app: &mut App) -> Vec<Effect> {
    app.watch.take().map(|watch| Effect::Cancel(watch.ticket)).into_iter().collect()
}

/// Starts the watch of a confirmed question.
pub(crate) fn begin(app: &mut App, ticket: Ticket, source: EventSource) -> Vec<Effect> {
    let mut effects = end(app);
    app.watch = Some(Watch::new(ticket, source));
    effects.push(Effect::Watch { ticket, source });
    effects
}

fn confirm_source(app: &mut App, title: &str, facts: &[(&str, String)], verb: &'static str, source: EventSource) {
    let Some(backend) = app.backend().map(ToString::to_string) else { return };
    let ticket = app.ticket();
    let essential = facts.len().min(2);
    let backend = [("Backend", backend)];
    let facts = facts.iter().chain(&backend).map(|(name, value)| ((*name).to_owned(), value.clone()));
    let confirm = Confirm {
        title: title.to_owned(),
        facts: facts.collect(),
        essential,
        is_answerable: false,
        verb,
        refusal: "Canceled",
        word: Weight::Passing.word(),
        typed: TextArea::default(),
        pending: PendingEffect::Watch(ticket, source),
    };
    question::ask(app, Dialog::Confirm(Box::new(confirm)));
}

fn confirm_commands(app: &mut App) {
    let facts = [
        ("Method", "MONITOR, up to 10 seconds or 1,000,000 commands".to_owned()),
        ("Impact", "slows the server down while it runs".to_owned()),
        ("Events", "includes hits of results, no expirations or evictions".to_owned()),
    ];
    confirm_source(app, "Watch all commands with MONITOR?", &facts, "start", COMMANDS);
}

fn confirm_notifications(app: &mut App, missing: &str) {
    let facts = [
        ("Setting", "notify-keyspace-events".to_owned()),
        ("Change", format!("add {missing} while watching")),
        ("Afterwards", "restored".to_owned()),
    ];
    let source = EventSource::Notifications { enables: true };
    confirm_source(app, "Enable keyspace notifications?", &facts, "enable", source);
}

/// Whether the list of entries is another one after an observation.
fn changes_entries(seen: &Observation) -> bool {
    match seen {
        Observation::Event(event) => !matches!(event.kind, EventKind::Hit | EventKind::Miss),
        _ => true,
    }
}

pub(crate) fn progress(app: &mut App, ticket: Ticket, update: WatchUpdate) {
    let Some(watch) = app.watch.as_mut().filter(|watch| watch.ticket == ticket) else { return };
    match update {
        WatchUpdate::Started { since, was } => {
            watch.stage = Environment::Watching;
            watch.since = Some(since);
            watch.was = was;
        }
        WatchUpdate::Observed(seen) => {
            app.scan.is_outdated |= seen.iter().any(changes_entries);
            for seen in seen {
                watch.add(seen);
            }
        }
    }
}

/// The watch has ended. `Ok(false)`: the storage cannot be watched.
pub(crate) fn done(app: &mut App, ticket: Ticket, outcome: Result<bool, Error>) {
    let now = app.now as i64;
    let is_read_only = app.options.is_read_only;
    let Some(watch) = app.watch.as_mut().filter(|watch| watch.ticket == ticket) else { return };
    let enables = watch.source == EventSource::Notifications { enables: true };
    let reason = match &outcome {
        Ok(true) => "finished".to_owned(),
        Ok(false) => "SQLite cannot be watched".to_owned(),
        Err(Error::NotificationsOff { .. }) => "keyspace notifications are disabled".to_owned(),
        Err(error) => safe::line(&error_chain(error)).into_owned(),
    };
    watch.stage = Environment::Over(now, reason);
    watch.was = None;
    if let Err(Error::NotificationsOff { missing, .. }) = outcome
        && !enables
        && !is_read_only
        && app.dialog.is_none()
    {
        confirm_notifications(app, &missing);
    }
}
