//! Keys in the table of entries.

use cache_core::EntryId;
use cache_core::redact::{MASK, Redacted, Secrets};

use crate::tui::action::Action;
use crate::tui::app::App;
use crate::tui::app::sort::{Column, Sort};
use crate::tui::effect::Effect;
use crate::tui::focus::Focus;
use crate::tui::update::inspector;
use crate::tui::update::movement::moved;
use crate::tui::view::table::columns;

pub(crate) fn act(app: &mut App, action: Action) {
    if matches!(action, Action::MarkDown | Action::MarkUp) {
        app.rows.mark(app.selected_row(), true);
    }
    let page = app.regions().table_rows().height.into();
    if let Some(to) = moved(action, app.table.cursor, app.rows.visible().len(), page) {
        go_to(app, to);
        if matches!(action, Action::MarkDown | Action::MarkUp) {
            app.rows.mark(app.selected_row(), true);
        }
        return;
    }
    match action {
        Action::Mark | Action::Range if app.table.anchor.is_some() => mark_range(app),
        Action::Mark => {
            let is_marked = app.selected().is_some_and(|row| row.is_marked);
            app.rows.mark(app.selected_row(), !is_marked);
            go_to(app, app.table.cursor + 1);
        }
        Action::Range => {
            app.table.anchor = app.selected_row();
            app.table.pinned = app.selected_row();
        }
        Action::Open | Action::Right => inspector::open(app),
        Action::Left => app.focus = Focus::Tree,
        _ => {}
    }
}

/// Moves the cursor to a row, or to the nearest one.
pub(crate) fn go_to(app: &mut App, at: usize) {
    app.table.cursor = at.min(app.rows.visible().len().saturating_sub(1));
    app.table.pinned = app.selected_row();
    app.keep_cursor_on_screen();
}

fn mark_range(app: &mut App) {
    let Some(anchor) = app.table.anchor.take() else { return };
    if let Some(at) = app.rows.position(anchor) {
        let (first, last) = (at.min(app.table.cursor), at.max(app.table.cursor));
        let rows = app.rows.visible().get(first..=last).unwrap_or_default().to_vec();
        app.rows.mark(rows, true);
    }
}

pub(crate) fn sort_next(app: &mut App) {
    let shown: Vec<Column> = columns(app.regions().table_rows().width).into_iter().map(|(column, _)| column).collect();
    let at = shown.iter().position(|column| *column == app.rows.sort().by).map_or(0, |at| at + 1);
    if let Some(by) = shown.get(at % shown.len().max(1)) {
        sort_by(app, Sort { by: *by, is_reversed: false });
    }
}

pub(crate) fn sort_reverse(app: &mut App) {
    let sort = app.rows.sort();
    sort_by(app, Sort { is_reversed: !sort.is_reversed, ..sort });
}

/// A click on the name of a column: sorts by it, or reverses the order.
pub(crate) fn sort_by_column(app: &mut App, by: Column) {
    let sort = app.rows.sort();
    sort_by(app, Sort { by, is_reversed: sort.by == by && !sort.is_reversed });
}

fn sort_by(app: &mut App, sort: Sort) {
    app.rows.sort_by(sort);
    app.settle_cursor();
}

pub(crate) fn copy_id(app: &mut App) -> Vec<Effect> {
    let Some(entry) = app.selected_entry() else { return Vec::new() };
    let (id, secrets) = (entry.id.text(), app.shown_secrets());
    let text = match &entry.id {
        EntryId::Http(..) => secrets.key(&id),
        EntryId::Key(key) => secrets.key_bytes(key),
    };
    copy(app, text.into_owned(), "ID")
}

pub(crate) fn copy_url(app: &mut App) -> Vec<Effect> {
    let Some(entry) = app.selected_entry() else { return Vec::new() };
    let secrets = app.shown_secrets();
    let (text, what) = match &entry.http {
        Some(http) => (secrets.url(&http.url).into_owned(), "URL"),
        None => (secrets.key_bytes(&entry.id.redis_key()).into_owned(), "key"),
    };
    copy(app, text, what)
}

/// Copies what is shown, and says so.
fn copy(app: &mut App, text: Redacted<'static>, what: &str) -> Vec<Effect> {
    let is_masked = text.contains(MASK);
    let secrets = match app.shown_secrets() {
        Secrets::Revealed => " with its secrets",
        Secrets::Masked if is_masked => " as shown, without its secrets",
        Secrets::Masked => "",
    };
    app.show_notice(format!("Copied {what}{secrets}"));
    vec![Effect::Copy(text)]
}
