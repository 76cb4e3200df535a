//! Changing TTLs: the input of a new TTL, and the question before it is applied to many entries or deletes them.

use cache_core::{EntryState, ExpiryChange, Summary};
use jiff::tz::TimeZone;
use tui_textarea::TextArea;

use crate::cli::ttl::MIN_USABLE;
use crate::output::human;
use crate::tui::app::App;
use crate::tui::app::dialog::{Confirm, Dialog, PendingEffect, Ttl};
use crate::tui::app::job::{AfterJob, Listed, new_expiry};
use crate::tui::effect::Effect;
use crate::tui::focus::Focus;
use crate::tui::update::change::{ChangeTarget, ESSENTIAL, begin};
use crate::tui::update::question;
use crate::tui::view::summary::time;

/// Opens the input of a new TTL.
pub(crate) fn ask(app: &mut App) {
    let Some(backend) = app.backend().cloned() else { return };
    let meant = ChangeTarget::new(app, app.focus == Focus::Tree);
    if meant.entries.is_empty() {
        return app.show_error("No entry selected");
    }
    let plan = meant.plan(app, backend);
    let mut facts = meant.facts(app, &plan);
    let targets: Vec<Listed> = targets(&meant.entries);
    facts.insert(1, ("TTL now".to_owned(), expiries(targets.iter().map(|(_, at)| *at), app.now, &app.zone)));
    if meant.entries.iter().any(|entry| entry.http.is_some() && entry.state == EntryState::Live) {
        facts.push(("Note".to_owned(), "a hit through the pipeline sets the TTL of the service again".to_owned()));
    }
    let ttl = Ttl {
        entries: targets,
        name: meant.name,
        facts,
        essential: ESSENTIAL,
        is_answerable: false,
        text: TextArea::default(),
        preview: None,
        problem: None,
    };
    question::ask(app, Dialog::Ttl(Box::new(ttl)));
}

fn targets(entries: &[&Summary]) -> Vec<Listed> {
    entries.iter().map(|entry| (entry.id.clone(), entry.expires_at)).collect()
}

/// The TTLs after a change, for the input.
pub(crate) fn preview(change: ExpiryChange, targets: &[Listed], now: f64, zone: &TimeZone) -> String {
    expiries(targets.iter().map(|(_, at)| new_expiry(change, *at, now)), now, zone)
}

/// `12h 00m, until 2026-11-23 00:20:00`; the shortest and the longest TTL of several.
fn expiries(all: impl Iterator<Item = Option<f64>>, now: f64, zone: &TimeZone) -> String {
    let (mut never, mut first, mut last) = (0, f64::INFINITY, f64::NEG_INFINITY);
    for at in all {
        match at {
            Some(at) => (first, last) = (first.min(at), last.max(at)),
            None => never += 1,
        }
    }
    if last < first {
        return "never expires".to_owned();
    }
    let (shortest, longest) = (human::duration(first - now), human::duration(last - now));
    let range = if shortest == longest { longest } else { format!("{shortest} to {longest}") };
    let without = if never > 0 { format!("; {} never", human::count(never)) } else { String::new() };
    format!("{range}, until {}{without}", time(last, zone))
}

/// Handles the typed TTL. One entry is changed at once; several are confirmed as a flush is, and so is a TTL that ends
/// before an entry can be used.
pub(crate) fn change(app: &mut App, ttl: Ttl, change: ExpiryChange) -> Vec<Effect> {
    let Some(on) = app.backend().cloned() else { return Vec::new() };
    let Ttl { entries, mut name, .. } = ttl;
    let asked_for = entries.len();
    let entries = entries.iter().filter_map(|(id, _)| app.rows.entry(id));
    // The TTL of entries that never expire cannot be extended.
    let has_effect = |entry: &&Summary| entry.expires_at.is_some() || !matches!(change, ExpiryChange::Extend(_));
    let entries: Vec<_> = entries.filter(has_effect).collect();
    if entries.len() < asked_for {
        name.push_str(" (only entries with a TTL)");
    }
    let meant = ChangeTarget { entries, name };
    if meant.entries.is_empty() {
        app.show_notice("Nothing to change: the entries never expire or no longer exist");
        return Vec::new();
    }
    let targets = targets(&meant.entries);
    let weight = meant.weight(app);
    let plan = meant.plan(app, on);
    let mut facts = meant.facts(app, &plan);
    facts.insert(1, ("New TTL".to_owned(), preview(change, &targets, app.now, &app.zone)));
    facts.insert(ESSENTIAL, ("TTL now".to_owned(), expiries(targets.iter().map(|(_, at)| *at), app.now, &app.zone)));
    let ticket = app.ticket();
    let job = ("Changing TTLs", targets.len() as u64, AfterJob::Expire(targets, change));
    let effect = Effect::ChangeTtl { ticket, plan, change };
    let soon = match change {
        ExpiryChange::Set(ttl) if ttl < MIN_USABLE => Some(human::duration(ttl.as_secs_f64())),
        _ => None,
    };
    if weight.word().is_none() && soon.is_none() {
        return begin(app, effect, job);
    }
    let confirm = Confirm {
        title: match &soon {
            Some(soon) => format!("Expire {} in {soon}?", weight.object()),
            None => format!("Change the TTL of {}?", weight.object()),
        },
        facts,
        essential: ESSENTIAL,
        is_answerable: false,
        word: weight.word(),
        typed: TextArea::default(),
        verb: if soon.is_some() { "expire" } else { "change" },
        refusal: "Canceled",
        pending: PendingEffect::Change(Box::new(effect), job),
    };
    question::ask(app, Dialog::Confirm(Box::new(confirm)));
    Vec::new()
}
