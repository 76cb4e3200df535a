//! Keys in the filter line.

use std::sync::Arc;

use cache_core::{EntryId, Error, error_chain};
use crossterm::event::KeyEvent;
use tui_textarea::TextArea;

use crate::output::human;
use crate::tui::action::Action;
use crate::tui::app::App;
use crate::tui::app::query::{Query, ResponseDigest};
use crate::tui::effect::Effect;
use crate::tui::focus::Focus;
use crate::tui::ticket::Ticket;
use crate::tui::update::movement::moved;
use crate::tui::update::table;

pub(crate) fn press(app: &mut App, key: KeyEvent) -> Vec<Effect> {
    if app.filter.text.input(key) { apply(app) } else { Vec::new() }
}

pub(crate) fn paste(app: &mut App, text: &str) -> Vec<Effect> {
    app.filter.text.insert_str(text);
    apply(app)
}

pub(crate) fn act(app: &mut App, action: Action) -> Vec<Effect> {
    match action {
        Action::Accept => {
            app.filter.is_active = false;
            app.focus = Focus::Table;
        }
        Action::Close => {
            app.filter.is_active = false;
            return clear(app);
        }
        Action::ClearText => return clear(app),
        _ => {
            if let Some(to) = moved(action, app.table.cursor, app.rows.visible().len(), 1) {
                table::go_to(app, to);
            }
        }
    }
    Vec::new()
}

/// Clears the line. If it is empty, removes the restriction to the entries of an enrichment.
pub(crate) fn clear(app: &mut App) -> Vec<Effect> {
    if app.filter.text.is_empty() {
        app.filter.query.touched = None;
    }
    app.filter.text = TextArea::default();
    apply(app)
}

/// Shows only the entries that an enrichment used.
pub(crate) fn choose(app: &mut App, touched: ResponseDigest) -> Vec<Effect> {
    app.filter.text = TextArea::default();
    app.filter.query.touched = Some(Arc::new(touched));
    apply(app)
}

/// Applies the text; while its last word is an invalid selector, applies the other words.
fn apply(app: &mut App) -> Vec<Effect> {
    let text = app.filter.text.lines().first().cloned().unwrap_or_default();
    let others = text.trim_end().rsplit_once(' ').map_or("", |(others, _)| others);
    let parsed = Query::parse(&text);
    app.filter.problem = parsed.as_ref().err().cloned();
    let Ok(mut query) = parsed.or_else(|_| Query::parse(others)) else { return Vec::new() };
    query.touched = app.filter.query.touched.take();
    app.filter.query = query;
    app.table.anchor = None;
    let effects = search(app);
    app.choose_rows();
    effects
}

/// Searches the bodies of the entries that the rest of the filter matches, and cancels the running search.
pub(crate) fn search(app: &mut App) -> Vec<Effect> {
    let mut effects: Vec<Effect> = app.filter.search.take().map(Effect::Cancel).into_iter().collect();
    let query = &app.filter.query;
    if let Some(pattern) = query.filter.body.clone() {
        let ids = app.rows.entries().filter(|entry| query.matches_but_body(entry, app.now));
        let ids = ids.map(|entry| entry.id.clone()).collect();
        let ticket = app.ticket();
        app.filter.search = Some(ticket);
        effects.push(Effect::Search { ticket, pattern, ids });
    }
    effects
}

pub(crate) fn found(app: &mut App, ticket: Ticket, ids: Vec<EntryId>) {
    if app.filter.search == Some(ticket) {
        app.filter.query.found.extend(ids);
        app.choose_rows();
    }
}

pub(crate) fn searched(app: &mut App, ticket: Ticket, result: Result<u64, Error>) {
    if app.filter.search.take_if(|awaited| *awaited == ticket).is_none() {
        return;
    }
    match result {
        Ok(0) => {}
        Ok(count) => app.show_error(format!("The bodies of {} could not be searched", human::entries(count))),
        Err(error) => app.show_error(format!("Body search failed: {}", error_chain(&error))),
    }
}
