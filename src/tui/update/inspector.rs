//! Keys in the inspector, and its requests.

use cache_core::redact::Secrets;

use crate::tui::action::Action;
use crate::tui::app::App;
use crate::tui::app::body::{BodyView, Content};
use crate::tui::app::inspector::Tab;
use crate::tui::app::json::Document;
use crate::tui::app::loadable::Loadable;
use crate::tui::effect::Effect;
use crate::tui::focus::{Extent, Focus};
use crate::tui::update::movement::moved;
use crate::tui::view::inspector::line_count;

/// Requests the details of the selected entry, if they are visible and not loaded.
pub(crate) fn follow(app: &mut App) -> Vec<Effect> {
    let is_seen = app.inspector.extent() != Extent::Hidden && !app.regions().inspector.is_empty();
    let wanted = app.selected_entry().filter(|_| is_seen && app.show_lost().is_none()).map(|entry| entry.id.clone());
    if wanted.is_none() || wanted == app.inspector.subject {
        return Vec::new();
    }
    let mut effects = Vec::new();
    if let Loadable::Loading(ticket) = app.inspector.detail {
        effects.push(Effect::Cancel(ticket));
    }
    app.inspector.subject.clone_from(&wanted);
    app.inspector.secrets = Secrets::Masked;
    app.inspector.to_start();
    if let Some(id) = wanted {
        let ticket = app.ticket();
        app.inspector.detail = Loadable::Loading(ticket);
        effects.push(Effect::Load { ticket, id });
    }
    effects
}

/// Opens the inspector and moves the focus to it.
pub(crate) fn open(app: &mut App) {
    app.table.pinned = app.selected_row();
    app.inspector.is_open = true;
    app.focus = Focus::Inspector;
    keep_on_screen(app);
}

pub(crate) fn show(app: &mut App, action: Action) {
    let tab = match action {
        Action::ShowRequest => Tab::Request,
        Action::ShowResponse => Tab::Response,
        Action::ShowBody => Tab::Body,
        Action::ShowKeys => Tab::Keys,
        _ => Tab::Summary,
    };
    show_tab(app, tab);
}

pub(crate) fn step_tab(app: &mut App, by: usize) {
    show_tab(app, app.inspector.tab.step(by));
}

/// Shows a page; moves the focus to the inspector if it is hidden otherwise.
pub(crate) fn show_tab(app: &mut App, tab: Tab) {
    if app.inspector.tab != tab {
        app.inspector.tab = tab;
        app.inspector.to_start();
    }
    app.inspector.is_open = true;
    if app.regions().inspector.is_empty() {
        open(app);
    }
}

pub(crate) fn act(app: &mut App, action: Action) {
    let regions = app.regions();
    let page: usize = regions.inside(regions.inspector).height.into();
    let has_cursor = app.inspector.tab == Tab::Body && app.inspector.view == BodyView::Json;
    let count = line_count(app);
    if has_cursor {
        if let Some(to) = moved(action, app.inspector.cursor, count, page) {
            app.inspector.cursor = to;
            return keep_on_screen(app);
        }
    } else if let Some(to) = moved(action, app.inspector.offset, count, page) {
        app.inspector.offset = to;
        return keep_on_screen(app);
    }
    match action {
        Action::Right if !has_cursor || !fold(app, Some(false)) => app.inspector.shift += 8,
        Action::Left if app.inspector.shift > 0 => app.inspector.shift = app.inspector.shift.saturating_sub(8),
        Action::Left if has_cursor && fold(app, Some(true)) => {}
        Action::Left if has_cursor => to_parent(app),
        Action::Left => app.focus = Focus::Table,
        Action::Open | Action::Fold if has_cursor => {
            fold(app, None);
        }
        Action::FoldAll if has_cursor => {
            let json = app.inspector.content().and_then(Content::json);
            app.inspector.folded = json.map(Document::foldable).unwrap_or_default();
            app.inspector.lay_out_json();
            app.inspector.to_start();
        }
        Action::UnfoldAll if has_cursor => {
            app.inspector.folded.clear();
            app.inspector.lay_out_json();
        }
        Action::NextBodyView => {
            if let Some(view) = app.inspector.content().map(|body| body.next_view(app.inspector.view)) {
                app.inspector.view = view;
                show_tab(app, Tab::Body);
                app.inspector.to_start();
            }
        }
        _ => {}
    }
    keep_on_screen(app);
}

/// Shows the credentials of the entry in the inspector, or masks them.
pub(crate) fn reveal(app: &mut App) {
    app.inspector.secrets = match app.inspector.secrets {
        Secrets::Masked => Secrets::Revealed,
        Secrets::Revealed => Secrets::Masked,
    };
    // The lines of the document may be others.
    app.inspector.folded.clear();
    app.inspector.lay_out_json();
    keep_on_screen(app);
}

/// Folds (`Some(true)`), unfolds or toggles the line of the cursor; returns whether it changed.
fn fold(app: &mut App, wanted: Option<bool>) -> bool {
    let inspector = &mut app.inspector;
    let Some(&line) = inspector.json_lines.get(inspector.cursor) else { return false };
    let opens =
        inspector.content().and_then(|body| body.json()?.lines.get(line as usize)).is_some_and(|line| line.close > 0);
    let is_folded = inspector.folded.contains(&line);
    let wanted = wanted.unwrap_or(!is_folded);
    if !opens || wanted == is_folded {
        return false;
    }
    if wanted {
        inspector.folded.insert(line);
    } else {
        inspector.folded.remove(&line);
    }
    inspector.lay_out_json();
    true
}

/// Moves the cursor to the parent of its line.
fn to_parent(app: &mut App) {
    let inspector = &mut app.inspector;
    let Some(json) = inspector.content().and_then(Content::json) else { return };
    let depth =
        |at: usize| inspector.json_lines.get(at).and_then(|line| json.lines.get(*line as usize)).map(|line| line.depth);
    let here = depth(inspector.cursor);
    if let Some(parent) = (0..inspector.cursor).rev().find(|at| depth(*at) < here) {
        inspector.cursor = parent;
    } else {
        app.focus = Focus::Table;
    }
}

/// Scrolls until the cursor is on the screen.
pub(crate) fn keep_on_screen(app: &mut App) {
    let regions = app.regions();
    let height: usize = regions.inside(regions.inspector).height.max(1).into();
    let count = line_count(app);
    let inspector = &mut app.inspector;
    inspector.cursor = inspector.cursor.min(count.saturating_sub(1));
    if inspector.tab == Tab::Body && inspector.view == BodyView::Json {
        inspector.offset = inspector.offset.clamp((inspector.cursor + 1).saturating_sub(height), inspector.cursor);
    }
    inspector.offset = inspector.offset.min(count.saturating_sub(height));
}
