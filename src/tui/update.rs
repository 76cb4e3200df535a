//! Decides what a message means: changes the state and says what is to be done. Synchronous; touches nothing else.

mod change;
mod dialog;
mod enrich;
mod filter;
mod inspector;
mod job;
mod mouse;
mod outcome;
mod table;
#[cfg(test)]
mod tests;
mod tree;
mod watch;

use crossterm::event::KeyEvent;

use super::action::Action;
use super::app::dialog::Dialog;
use super::app::inspector::{Extent, Tab};
use super::app::{App, Focus};
use super::effect::Effect;
use super::keymap::Mode;
use super::message::Message;

/// What is to be done before anything has happened.
pub fn start(app: &mut App) -> Vec<Effect> {
    vec![Effect::Open(app.ticket())]
}

/// Decides what a message means.
pub fn update(app: &mut App, message: Message) -> Vec<Effect> {
    let mut effects = match message {
        Message::Key(key) => press(app, key),
        Message::Mouse(mouse) => mouse::happen(app, mouse),
        Message::Paste(text) => paste(app, &text),
        Message::Resized(size) => {
            app.size = size;
            app.keep_cursor_on_screen();
            inspector::keep_on_screen(app);
            enrich::keep_on_screen(app);
            Vec::new()
        }
        Message::Tick(now) => outcome::tick(app, now),
        Message::Health(health) => outcome::take_health(app, health),
        Message::Terminated => vec![Effect::Quit],
        Message::Progress(ticket, progress) => outcome::progress(app, ticket, progress),
        Message::Done(ticket, outcome) => outcome::done(app, ticket, outcome),
    };
    effects.extend(inspector::follow(app));
    effects
}

fn press(app: &mut App, key: KeyEvent) -> Vec<Effect> {
    app.notice = None;
    let mode = app.mode();
    match (app.keymap.lookup(mode, key), mode) {
        (Some(action), _) => act(app, action),
        (None, Mode::Filter) => filter::press(app, key),
        (None, Mode::Search) => enrich::press(app, key),
        (None, Mode::Input) => dialog::press(app, key),
        (None, _) => Vec::new(),
    }
}

fn paste(app: &mut App, text: &str) -> Vec<Effect> {
    // One line only: a line break would not be seen, and must not answer a question.
    let text: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    match app.mode() {
        Mode::Filter => filter::paste(app, &text),
        Mode::Search => enrich::paste(app, &text),
        Mode::Input => dialog::paste(app, &text),
        _ => Vec::new(),
    }
}

fn act(app: &mut App, action: Action) -> Vec<Effect> {
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

/// A change ends at a batch, never in one: leaving waits for that, unless asked twice.
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
        // More is shown than was asked for.
        app.complain("The filter is invalid. Press Esc to clear it.");
        return Vec::new();
    }
    if action.is_change() {
        return change::ask(app, action);
    }
    match action {
        Action::Help => app.dialog = Some(Dialog::Help { mode: app.mode(), offset: 0 }),
        Action::Filter => app.filter.is_active = true,
        Action::Refresh => return outcome::begin_scan(app),
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
            let shown = app.rows.shown().to_vec();
            app.rows.mark(shown, true);
        }
        Action::CopyId => return table::copy_id(app),
        Action::CopyUrl => return table::copy_url(app),
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

/// What was begun last ends first.
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
    } else if app.tree.chosen != super::app::tree::ROOT {
        tree::choose(app, super::app::tree::ROOT);
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

/// A place in a list of `count` after a movement; `None`: the action is no movement.
fn moved(action: Action, at: usize, count: usize, page: usize) -> Option<usize> {
    let last = count.saturating_sub(1);
    let page = page.max(1);
    Some(match action {
        Action::Down | Action::MarkDown => (at + 1).min(last),
        Action::Up | Action::MarkUp => at.saturating_sub(1),
        Action::PageDown => (at + page).min(last),
        Action::PageUp => at.saturating_sub(page),
        Action::Top => 0,
        Action::Bottom => last,
        _ => return None,
    })
}
