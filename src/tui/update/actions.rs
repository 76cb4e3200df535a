//! Handles an action in the current mode.

use crate::tui::action::Action;
use crate::tui::app::App;
use crate::tui::app::dialog::Dialog;
use crate::tui::app::inspector::Tab;
use crate::tui::effect::Effect;
use crate::tui::focus::{Extent, Focus};
use crate::tui::keymap::Mode;
use crate::tui::update::{change, dialog, enrich, filter, inspector, scan, table, tree, ttl, watch};

pub(crate) fn act(app: &mut App, action: Action) -> Vec<Effect> {
    match action {
        Action::Redraw => return vec![Effect::Redraw],
        Action::Suspend => return vec![Effect::Suspend],
        Action::Quit => return quit(app),
        _ => {}
    }
    match app.mode() {
        Mode::Confirm | Mode::Input | Mode::Help => dialog::act(app, action),
        Mode::Filter => filter::act(app, action),
        Mode::Watch => watch::act(app, action),
        Mode::Enrich => enrich::act(app, action),
        Mode::Search => enrich::search(app, action),
        _ => browse(app, action),
    }
}

/// A change stops between two batches: leaving waits for that, unless requested twice.
fn quit(app: &mut App) -> Vec<Effect> {
    match &mut app.job {
        Some(job) if !app.is_leaving => {
            job.is_stopping = true;
            app.is_leaving = true;
            app.dialog = None;
            vec![Effect::Stop(job.ticket)]
        }
        _ => vec![Effect::Quit],
    }
}

fn browse(app: &mut App, action: Action) -> Vec<Effect> {
    let is_meant = action.is_change() || matches!(action, Action::MarkShown | Action::InvertMarks);
    if is_meant && app.filter.problem.is_some() {
        // With an invalid filter, the table shows more entries than intended.
        app.show_error("The filter is invalid. Press Esc to clear it.");
        return Vec::new();
    }
    if action.is_change() {
        ask_change(app, action);
        return Vec::new();
    }
    match action {
        Action::Help => app.dialog = Some(Dialog::Help { mode: app.mode(), offset: 0 }),
        Action::Filter => app.filter.is_active = true,
        Action::Refresh => return scan::begin_scan(app),
        Action::Watch => return watch::open(app),
        Action::Enrich => return enrich::open(app),
        Action::NextPane => step_focus(app, 1),
        Action::PreviousPane => step_focus(app, 2),
        Action::Close => return close(app),
        Action::SortNext => table::sort_next(app),
        Action::SortReverse => table::sort_reverse(app),
        Action::InvertMarks => app.rows.invert_marks(),
        Action::ClearMarks => app.rows.clear_marks(),
        Action::MarkShown => {
            let shown = app.rows.visible().to_vec();
            app.rows.mark(shown, true);
        }
        Action::CopyId => return table::copy_id(app),
        Action::CopyUrl => return table::copy_url(app),
        Action::Reveal => inspector::reveal(app),
        Action::ToggleInspector => {
            app.inspector.is_open = !app.inspector.is_open;
            app.inspector.is_zoomed = false;
            leave_hidden_pane(app);
        }
        Action::Zoom => {
            app.inspector.is_zoomed = !app.inspector.is_zoomed || !app.inspector.is_open;
            app.inspector.is_open = true;
            app.focus = Focus::Inspector;
            inspector::keep_on_screen(app);
        }
        Action::NextTab => inspector::step_tab(app, 1),
        Action::PreviousTab => inspector::step_tab(app, Tab::ALL.len() - 1),
        Action::ShowSummary | Action::ShowRequest | Action::ShowResponse | Action::ShowBody | Action::ShowKeys => {
            inspector::show(app, action);
        }
        _ => match app.focus {
            Focus::Tree => tree::act(app, action),
            Focus::Table => table::act(app, action),
            Focus::Inspector => inspector::act(app, action),
        },
    }
    app.keep_cursor_on_screen();
    Vec::new()
}

/// Asks before entries are changed.
fn ask_change(app: &mut App, action: Action) {
    if change::is_possible(app) {
        match action {
            Action::ChangeTtl => ttl::ask(app),
            _ => change::ask_flush(app, action == Action::FlushShown || app.focus == Focus::Tree),
        }
    }
}

/// The latest operation ends first.
fn close(app: &mut App) -> Vec<Effect> {
    if app.inspector.is_zoomed {
        app.inspector.is_zoomed = false;
    } else if app.focus != Focus::Table {
        app.focus = Focus::Table;
    } else if app.table.anchor.is_some() {
        app.table.anchor = None;
    } else if let Some(job) = &mut app.job {
        job.is_stopping = true;
        return vec![Effect::Stop(job.ticket)];
    } else if !app.filter.text.is_empty() || app.filter.query.touched.is_some() {
        let effects = filter::clear(app);
        app.keep_cursor_on_screen();
        return effects;
    } else if app.tree.chosen != crate::tui::app::tree::ROOT {
        tree::choose(app, crate::tui::app::tree::ROOT);
    } else {
        app.rows.clear_marks();
    }
    app.keep_cursor_on_screen();
    Vec::new()
}

fn step_focus(app: &mut App, by: usize) {
    let panes = [Focus::Tree, Focus::Table, Focus::Inspector];
    let at = panes.iter().position(|pane| *pane == app.focus).unwrap_or_default();
    app.focus = panes[(at + by) % panes.len()];
    if app.focus == Focus::Inspector && !app.inspector.is_open {
        app.focus = panes[(at + 2 * by) % panes.len()];
    }
    if app.focus != Focus::Inspector {
        app.inspector.is_zoomed = false;
    }
}

fn leave_hidden_pane(app: &mut App) {
    if app.focus == Focus::Inspector && app.inspector.extent() == Extent::Hidden {
        app.focus = Focus::Table;
    }
}
