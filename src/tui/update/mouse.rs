//! What clicks and the wheel mean, by the region under the pointer.

use crossterm::event::{MouseButton, MouseEvent, MouseEventKind};
use ratatui::layout::{Position, Rect};

use super::{act, inspector, table, tree};
use crate::tui::action::Action;
use crate::tui::app::body::BodyView;
use crate::tui::app::inspector::Tab;
use crate::tui::app::{App, Focus};
use crate::tui::effect::Effect;
use crate::tui::view::inspector::tab_at;
use crate::tui::view::table::column_at;

/// Lines that one step of the wheel moves.
const WHEEL: usize = 3;

pub(super) fn happen(app: &mut App, mouse: MouseEvent) -> Vec<Effect> {
    if app.dialog.is_some() || app.watch.is_some() {
        return match mouse.kind {
            MouseEventKind::ScrollDown => act(app, Action::Down),
            MouseEventKind::ScrollUp => act(app, Action::Up),
            _ => Vec::new(),
        };
    }
    let at = Position::new(mouse.column, mouse.row);
    match mouse.kind {
        MouseEventKind::Down(MouseButton::Left) => click(app, at),
        MouseEventKind::ScrollDown => scroll(app, at, Action::Down),
        MouseEventKind::ScrollUp => scroll(app, at, Action::Up),
        _ => {}
    }
    Vec::new()
}

fn click(app: &mut App, at: Position) {
    app.notice = None;
    let regions = app.regions();
    app.filter.is_active = regions.filter.contains(at);
    if let Some(line) = line_in(regions.inside(regions.tree), at) {
        app.focus = Focus::Tree;
        if let Some(&node) = app.tree.lines().get(app.tree.offset + line) {
            // A second click on the same line folds or unfolds it.
            if app.tree.chosen == node {
                let is_folded = app.tree.get(node).is_folded;
                app.tree.fold(!is_folded);
            }
            tree::choose(app, node);
        }
    } else if regions.table_head().contains(at) {
        if let Some(column) = column_at(regions.table_head(), at.x) {
            table::sort_by_column(app, column);
        }
    } else if let Some(line) = line_in(regions.table_rows(), at) {
        let row = app.table.offset + line;
        if row < app.rows.shown().len() {
            if row == app.table.cursor && app.focus == Focus::Table && app.table.held.is_some() {
                return inspector::open(app);
            }
            app.focus = Focus::Table;
            table::go_to(app, row);
        }
    } else if regions.inspector.contains(at) {
        app.focus = Focus::Inspector;
        if let Some(tab) = tab_at(app, at) {
            inspector::turn_to(app, tab);
        } else if let Some(line) = line_in(regions.inside(regions.inspector), at)
            && app.inspector.tab == Tab::Body
            && app.inspector.view == BodyView::Json
        {
            app.inspector.cursor = app.inspector.offset + line;
            inspector::act(app, Action::Fold);
        }
    }
}

fn scroll(app: &mut App, at: Position, action: Action) {
    let regions = app.regions();
    for _ in 0..WHEEL {
        if regions.tree.contains(at) {
            tree::act(app, action);
        } else if regions.table.contains(at) {
            table::act(app, action);
        } else if regions.inspector.contains(at) {
            inspector::act(app, action);
        }
    }
}

fn line_in(area: Rect, at: Position) -> Option<usize> {
    area.contains(at).then(|| usize::from(at.y - area.y))
}
