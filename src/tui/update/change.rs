//! Changes of the cache: each is held by a dialog until it is confirmed.

use std::time::Duration;

use cache_core::admin::plan::Plan;
use cache_core::redact::Secrets;
use cache_core::{BackendId, EntryState, Summary};
use tui_textarea::TextArea;

use crate::output::{human, safe};
use crate::tui::app::App;
use crate::tui::app::dialog::{Confirm, Dialog, Facts, PendingEffect};
use crate::tui::app::job::{AfterJob, Job};
use crate::tui::app::tree::ROOT;
use crate::tui::effect::Effect;
use crate::tui::update::question;
use crate::tui::update::weight::Weight;

/// So many facts of a change come first, and must be on the screen: entries, backend, and size or TTL.
pub(crate) const ESSENTIAL: usize = 3;

/// The number of names that stand for a set.
const SAMPLE: usize = 3;

/// Whether entries can be changed now; shows why not.
pub(crate) fn is_possible(app: &mut App) -> bool {
    let reason = if app.options.is_read_only {
        "Read-only mode: changes are disabled".to_owned()
    } else if app.backend().is_none() {
        "The cache is still opening".to_owned()
    } else if let Some(reason) = app.show_lost() {
        format!("Cannot change entries: {reason}")
    } else if app.job.is_some() {
        "Another change is in progress. Press Esc to stop it.".to_owned()
    } else {
        return true;
    };
    app.show_error(reason);
    false
}

/// The entries of a change.
pub(crate) struct ChangeTarget<'a> {
    pub(crate) entries: Vec<&'a Summary>,
    /// Their description.
    pub(crate) name: String,
}

impl<'a> ChangeTarget<'a> {
    pub(crate) fn new(app: &'a App, is_everything_shown: bool) -> Self {
        let (entries, name) = if is_everything_shown {
            (app.rows.visible_entries().collect(), visible_name(app))
        } else if app.rows.marked() > 0 {
            (app.rows.marked_entries().collect(), marked_name(app))
        } else {
            (app.selected_entry().into_iter().collect(), "selected entry".to_owned())
        };
        Self { entries, name }
    }

    pub(crate) fn weight(&self, app: &App) -> Weight {
        Weight::of_entries(app, self.entries.len())
    }

    /// The plan of a change: each entry as it was listed.
    pub(crate) fn plan(&self, app: &App, backend: BackendId) -> Plan {
        let is_by_expiry = app.filter.query.filter.is_by_expiry();
        Plan::from_entries(backend.into(), is_by_expiry, self.entries.iter().copied())
    }

    /// The facts of a change, the [`ESSENTIAL`] ones first: size, backend, selection, and what is worth knowing.
    pub(crate) fn facts(&self, app: &App, plan: &Plan) -> Facts {
        let count = human::count(self.entries.len() as u64);
        let mut facts = vec![
            ("Entries".to_owned(), format!("{count} (up to {})", human::counted(plan.keys, "key"))),
            ("Backend".to_owned(), plan.store.backend.to_string()),
            ("Size".to_owned(), human::bytes(plan.bytes)),
            ("Selection".to_owned(), self.name.clone()),
        ];
        if let Some(listed_at) = app.scan.listed_at {
            facts.push(("Listed".to_owned(), format!("{} ago", human::duration(app.now - listed_at))));
        }
        facts.extend(self.age(plan, app.now));
        facts.extend(self.stale(app.now));
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
        facts.extend(self.sample());
        facts
    }

    /// When the entries were stored. Redis does not know it of results.
    fn age(&self, plan: &Plan, now: f64) -> Option<(String, String)> {
        let (oldest, newest) = (now - plan.oldest?, now - plan.newest?);
        let (oldest, newest) = (human::duration(oldest), human::duration(newest));
        let range = if oldest == newest { oldest } else { format!("{newest} to {oldest}") };
        let unknown = match self.entries.iter().filter(|entry| entry.created_at.is_none()).count() {
            0 => String::new(),
            count => format!("; unknown for {}", human::count(count as u64)),
        };
        Some(("Stored".to_owned(), format!("{range} ago{unknown}")))
    }

    /// Stale entries sound useless, yet the pipeline serves them.
    fn stale(&self, now: f64) -> Option<(String, String)> {
        let is_served =
            |entry: &&&Summary| entry.state == EntryState::Live && entry.ttl(now).is_none_or(|ttl| ttl > 0.0);
        let stale = self.entries.iter().filter(is_served).filter(|entry| entry.is_fresh(now) == Some(false)).count();
        (stale > 0)
            .then(|| ("Stale".to_owned(), format!("{}, which the pipeline still serves", human::count(stale as u64))))
    }

    /// Some names of the set.
    fn sample(&self) -> impl Iterator<Item = (String, String)> {
        let labels = ["Example"].into_iter().chain(std::iter::repeat(""));
        labels.zip(self.entries.iter().take(SAMPLE)).map(|(label, entry)| (label.to_owned(), name(entry)))
    }
}

/// The name of an entry on one line: its URL and title, or its key.
fn name(entry: &Summary) -> String {
    let Some(http) = entry.http.as_deref().filter(|http| !http.url.is_empty()) else {
        return safe::key(&entry.id.redis_key(), Secrets::Masked);
    };
    let title = http.title.as_deref().map(|title| format!(" {}", Secrets::Masked.text(title))).unwrap_or_default();
    format!("{}{title}", Secrets::Masked.url(&http.url))
}

/// Asks before entries are flushed.
pub(crate) fn ask_flush(app: &mut App, is_everything_shown: bool) {
    let Some(backend) = app.backend().cloned() else { return };
    let meant = ChangeTarget::new(app, is_everything_shown);
    let plan = meant.plan(app, backend);
    if plan.targets.is_empty() {
        return app.show_error("No entries to flush");
    }
    let count = plan.targets.len() as u64;
    let (facts, weight) = (meant.facts(app, &plan), meant.weight(app));
    let ticket = app.ticket();
    let confirm = Confirm {
        title: format!("Flush {}?", weight.object()),
        facts,
        essential: ESSENTIAL,
        is_answerable: false,
        word: weight.word(),
        typed: TextArea::default(),
        verb: "flush",
        refusal: "Canceled",
        pending: PendingEffect::Change(
            Box::new(Effect::Flush { ticket, plan: plan.clone() }),
            ("Deleting", count, AfterJob::Drop(plan.ids().cloned().collect())),
        ),
    };
    question::ask(app, Dialog::Confirm(Box::new(confirm)));
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

/// Starts a change.
pub(crate) fn begin(app: &mut App, effect: Effect, (verb, total, then): (&'static str, u64, AfterJob)) -> Vec<Effect> {
    if let Effect::Flush { ticket, plan } | Effect::ChangeTtl { ticket, plan, .. } = &effect {
        let (ticket, on) = (*ticket, plan.store.backend.clone());
        app.job = Some(Job { ticket, on, verb, done: 0, total, elapsed: Duration::ZERO, is_stopping: false, then });
    }
    vec![effect]
}
