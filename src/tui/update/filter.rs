//! Keys in the filter line.

use crossterm::event::KeyEvent;
use tui_textarea::TextArea;

use super::{moved, table};
use crate::tui::action::Action;
use crate::tui::app::query::Query;
use crate::tui::app::{App, Focus};
use crate::tui::effect::Effect;

pub(super) fn press(app: &mut App, key: KeyEvent) -> Vec<Effect> {
    if app.filter.text.input(key) {
        apply(app);
    }
    Vec::new()
}

pub(super) fn paste(app: &mut App, text: &str) -> Vec<Effect> {
    app.filter.text.insert_str(text);
    apply(app);
    Vec::new()
}

pub(super) fn act(app: &mut App, action: Action) -> Vec<Effect> {
    match action {
        Action::Accept => {
            app.filter.is_active = false;
            app.focus = Focus::Table;
        }
        Action::Close => {
            app.filter.is_active = false;
            clear(app);
        }
        Action::ClearText => clear(app),
        _ => {
            if let Some(to) = moved(action, app.table.cursor, app.rows.shown().len(), 1) {
                table::go_to(app, to);
            }
        }
    }
    Vec::new()
}

pub(super) fn clear(app: &mut App) {
    app.filter.text = TextArea::default();
    apply(app);
}

/// Shows what the text says; while its last word cannot be understood, what the others say.
fn apply(app: &mut App) {
    let text = app.filter.text.lines().first().cloned().unwrap_or_default();
    let others = text.trim_end().rsplit_once(' ').map_or("", |(others, _)| others);
    let parsed = Query::parse(&text);
    app.filter.problem = parsed.as_ref().err().cloned();
    if let Ok(query) = parsed.or_else(|_| Query::parse(others)) {
        app.filter.query = query;
        app.table.anchor = None;
        app.choose_rows();
    }
}
