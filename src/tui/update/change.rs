//! Changes of the cache: each is held by a dialog until it is confirmed.

use std::time::Duration;

use cache_core::admin::batch::FlushPlan;
use cache_core::admin::batch::Target;
use cache_core::admin::ttl::ExpiryChange;
use cache_core::{BackendId, Summary};
use tui_textarea::TextArea;

use crate::cli::selectors;
use crate::output::human;
use crate::tui::action::Action;
use crate::tui::app::App;
use crate::tui::app::dialog::{Confirm, Dialog, Facts, PendingEffect, Ttl};
use crate::tui::app::job::{AfterJob, Job};
use crate::tui::app::tree::ROOT;
use crate::tui::effect::Effect;
use crate::tui::focus::Focus;

/// A change of more entries requires typing their number.
const TYPED_ABOVE: usize = 1_000;

/// Opens the dialog of a change, or shows the reason why it cannot.
pub(crate) fn confirm_change(app: &mut App, action: Action) -> Vec<Effect> {
    if app.options.is_read_only {
        app.show_error("Read-only mode: changes are disabled");
    } else if app.backend().is_none() {
        app.show_error("The cache is still opening");
    } else if let Some(reason) = app.show_lost().map(|reason| format!("Cannot change entries: {reason}")) {
        app.show_error(reason);
    } else if app.job.is_some() {
        app.show_error("Another change is in progress. Press Esc to stop it.");
    } else if action == Action::ChangeTtl {
        open_ttl_dialog(app);
    } else {
        let is_everything_shown = action == Action::FlushShown || app.focus == Focus::Tree;
        confirm_flush(app, is_everything_shown);
    }
    Vec::new()
}

/// The entries of a change.
struct ChangeTarget<'a> {
    entries: Vec<&'a Summary>,
    /// Their description.
    name: String,
    is_everything: bool,
}

impl<'a> ChangeTarget<'a> {
    fn new(app: &'a App, is_everything_shown: bool) -> Self {
        let (entries, name) = if is_everything_shown {
            (app.rows.visible_entries().collect(), visible_name(app))
        } else if app.rows.marked() > 0 {
            (app.rows.marked_entries().collect(), marked_name(app))
        } else {
            (app.selected_entry().into_iter().collect(), "selected entry".to_owned())
        };
        Self { entries, name, is_everything: is_everything_shown && app.shows_everything() }
    }

    /// The text to type before a change of this size.
    fn word(&self) -> Option<String> {
        let count = self.entries.len();
        (count > TYPED_ABOVE || self.is_everything).then(|| count.to_string())
    }

    fn plan(&self, backend: BackendId) -> FlushPlan {
        FlushPlan::from_targets(backend, self.entries.iter().copied())
    }

    /// The facts of a change: backend, size and services.
    fn facts(&self, app: &App, plan: &FlushPlan) -> Facts {
        let count = human::count(self.entries.len() as u64);
        let mut facts = vec![
            ("Backend".to_owned(), plan.backend.to_string()),
            ("Selection".to_owned(), self.name.clone()),
            ("Entries".to_owned(), format!("{count} (up to {})", human::counted(plan.keys, "key"))),
            ("Size".to_owned(), human::bytes(plan.bytes)),
        ];
        if app.scan.ticket.is_some() || !app.scan.is_complete {
            facts.push(("Note".to_owned(), "scan in progress: only entries listed so far are included".to_owned()));
        }
        if app.filter.search.is_some() {
            facts.push((
                "Note".to_owned(),
                "body search in progress: only entries found so far are included".to_owned(),
            ));
        }
        facts.extend(plan.by_service.iter().map(|(service, (entries, bytes))| {
            (service.name().to_owned(), format!("{:>9}  {:>9}", human::count(*entries), human::bytes(*bytes)))
        }));
        facts
    }
}

fn confirm_flush(app: &mut App, is_everything_shown: bool) {
    let Some(backend) = app.backend().cloned() else { return };
    let meant = ChangeTarget::new(app, is_everything_shown);
    let plan = meant.plan(backend);
    if plan.targets.is_empty() {
        return app.show_error("No entries to flush");
    }
    let count = plan.targets.len() as u64;
    let title = match (meant.is_everything, count) {
        (true, _) => "Flush all entries?".to_owned(),
        (false, 1) => "Flush this entry?".to_owned(),
        (false, _) => format!("Flush {}?", human::entries(count)),
    };
    let (facts, word) = (meant.facts(app, &plan), meant.word());
    let ticket = app.ticket();
    app.dialog = Some(Dialog::Confirm(Box::new(Confirm {
        title,
        facts,
        word,
        typed: TextArea::default(),
        verb: "flush",
        refusal: "Canceled",
        pending: PendingEffect::Change(
            Box::new(Effect::Flush { ticket, plan: plan.clone() }),
            ("Deleting", count, AfterJob::Drop(plan.ids().cloned().collect())),
        ),
    })));
}

/// The description of the shown entries.
fn visible_name(app: &App) -> String {
    let touched = app.filter.query.touched.as_ref().map(|touched| format!("[{}] ", touched.name)).unwrap_or_default();
    let text = format!("{touched}{}", app.filter.query.text);
    match (app.tree.chosen, app.filter.query.is_everything()) {
        (ROOT, true) => "all entries in the cache".to_owned(),
        (ROOT, false) => format!("entries matching '{text}'"),
        (node, true) => format!("all entries in {}", app.tree.path(node)),
        (node, false) => format!("entries matching '{text}' in {}", app.tree.path(node)),
    }
}

/// The description of the marked entries, including the number of those that the filter hides.
fn marked_name(app: &App) -> String {
    let marked = human::count(app.rows.marked() as u64);
    match app.rows.marked() - app.rows.marked_and_visible() {
        0 => "marked entries".to_owned(),
        hidden if hidden == app.rows.marked() => format!("{marked} marked, all hidden by the filter"),
        hidden => format!("{marked} marked, {} hidden by the filter", human::count(hidden as u64)),
    }
}

fn open_ttl_dialog(app: &mut App) {
    let Some(backend) = app.backend().cloned() else { return };
    let meant = ChangeTarget::new(app, app.focus == Focus::Tree);
    if meant.entries.is_empty() {
        return app.show_error("No entry selected");
    }
    let plan = meant.plan(backend);
    let facts = meant.facts(app, &plan);
    let ChangeTarget { name, is_everything, .. } = meant;
    let (entries, text) = (plan.ids().cloned().collect(), TextArea::default());
    app.dialog = Some(Dialog::Ttl(Box::new(Ttl { entries, name, is_everything, facts, text, problem: None })));
}

/// `12h`, `+2h` or `never`.
pub(crate) fn parse_ttl(text: &str) -> Result<ExpiryChange, String> {
    let text = text.trim();
    let duration = |text: &str| match selectors::duration(text.trim()) {
        Ok(duration) if duration.as_millis() > 0 => Ok(duration),
        _ => Err("Enter a duration such as 12h, +2h to extend, or never".to_owned()),
    };
    match text.strip_prefix('+') {
        Some(more) => duration(more).map(ExpiryChange::Extend),
        None if text == "never" => Ok(ExpiryChange::Persist),
        None => duration(text).map(ExpiryChange::Set),
    }
}

/// Handles the typed TTL: it is set, or for many entries a question requires their number first, as for a flush.
pub(crate) fn change_ttl(app: &mut App, ttl: Ttl, change: ExpiryChange) -> Vec<Effect> {
    let Some(on) = app.backend().cloned() else { return Vec::new() };
    let Ttl { entries, mut name, is_everything, text, .. } = ttl;
    let asked_for = entries.len();
    let entries = entries.iter().filter_map(|id| app.rows.entry(id));
    // The TTL of entries that never expire cannot be extended.
    let has_effect = |entry: &&Summary| entry.expires_at.is_some() || !matches!(change, ExpiryChange::Extend(_));
    let entries: Vec<_> = entries.filter(has_effect).collect();
    if entries.len() < asked_for {
        name.push_str(" (only entries with a TTL)");
    }
    let meant = ChangeTarget { entries, name, is_everything };
    if meant.entries.is_empty() {
        app.show_notice("Nothing to change: the entries never expire or no longer exist");
        return Vec::new();
    }
    let targets: Vec<Target> = meant.entries.iter().map(|entry| (entry.id.clone(), entry.expires_at)).collect();
    let (mut facts, word) = (meant.facts(app, &meant.plan(on.clone())), meant.word());
    let ticket = app.ticket();
    let total = targets.len() as u64;
    let job = ("Changing TTLs", total, AfterJob::Expire(targets.clone(), change));
    let effect = Effect::ChangeTtl { ticket, on, targets, change };
    if word.is_none() {
        return begin(app, effect, job);
    }
    facts.insert(1, ("TTL".to_owned(), text.lines().join("")));
    app.dialog = Some(Dialog::Confirm(Box::new(Confirm {
        title: format!("Change the TTL of {}?", human::entries(total)),
        facts,
        word,
        typed: TextArea::default(),
        verb: "change",
        refusal: "Canceled",
        pending: PendingEffect::Change(Box::new(effect), job),
    })));
    Vec::new()
}

/// Starts a change.
pub(crate) fn begin(app: &mut App, effect: Effect, (verb, total, then): (&'static str, u64, AfterJob)) -> Vec<Effect> {
    if let Effect::Flush { ticket, plan: FlushPlan { backend: on, .. } } | Effect::ChangeTtl { ticket, on, .. } =
        &effect
    {
        let (ticket, on) = (*ticket, on.clone());
        app.job = Some(Job { ticket, on, verb, done: 0, total, elapsed: Duration::ZERO, is_stopping: false, then });
    }
    vec![effect]
}
