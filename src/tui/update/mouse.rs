//! Clicks and the mouse wheel, by the region under the pointer.

use crossterm::event::{MouseButton, MouseEvent, MouseEventKind};
use ratatui::layout::{Position, Rect};

use crate::tui::action::Action;
use crate::tui::app::App;
use crate::tui::app::body::BodyView;
use crate::tui::app::inspector::Tab;
use crate::tui::effect::Effect;
use crate::tui::focus::{Focus, Pane, Screen};
use crate::tui::update::actions::act;
use crate::tui::update::{enrich, inspector, table, tree};
use crate::tui::view::header::screen_at;
use crate::tui::view::inspector::tab_at;
use crate::tui::view::table::column_at;

/// Lines that one step of the wheel moves.
const WHEEL: usize = 3;

pub(crate) fn handle(app: &mut App, mouse: MouseEvent) -> Vec<Effect> {
    if app.dialog.is_some() || app.watch.is_some() && app.screen == Screen::Browse {
        return match mouse.kind {
            MouseEventKind::ScrollDown => act(app, Action::Down),
            MouseEventKind::ScrollUp => act(app, Action::Up),
            _ => Vec::new(),
        };
    }
    let at = Position::new(mouse.column, mouse.row);
    if mouse.kind == MouseEventKind::Down(MouseButton::Left)
        && let Some(screen) = screen_at(app, at)
    {
        return match (screen, app.screen) {
            (Screen::Enrich, Screen::Browse) => enrich::open(app),
            (Screen::Browse, Screen::Enrich) => enrich::leave(app),
            _ => Vec::new(),
        };
    }
    if app.screen == Screen::Enrich {
        handle_enrich(app, mouse.kind, at);
        return Vec::new();
    }
    match mouse.kind {
        MouseEventKind::Down(MouseButton::Left) => click(app, at),
        MouseEventKind::ScrollDown => scroll(app, at, Action::Down),
        MouseEventKind::ScrollUp => scroll(app, at, Action::Up),
        _ => {}
    }
    Vec::new()
}

fn handle_enrich(app: &mut App, kind: MouseEventKind, at: Position) {
    let (regions, panes) = (app.regions(), app.enrich_panes());
    let under = Pane::ALL.into_iter().find(|pane| panes.get(*pane).contains(at));
    match (kind, under) {
        (MouseEventKind::Down(MouseButton::Left), Some(pane)) => {
            app.notice = None;
            app.enrich.is_searching = false;
            app.enrich.pane = pane;
            let Some(line) = line_in(regions.inside(panes.get(pane)), at) else { return };
            match pane {
                Pane::Titles => enrich::move_to(app, pane, app.enrich.title.offset + line),
                Pane::Runs => enrich::move_to(app, pane, app.enrich.run.offset + line),
                Pane::Services => {
                    let line = app.enrich.service.offset + line;
                    enrich::move_to(app, pane, line);
                    enrich::tick(app, line);
                }
                Pane::Outcome => {}
            }
        }
        (MouseEventKind::Down(MouseButton::Left), None) => app.enrich.is_searching = regions.filter.contains(at),
        (MouseEventKind::ScrollDown | MouseEventKind::ScrollUp, Some(pane)) => {
            let focus = std::mem::replace(&mut app.enrich.pane, pane);
            let action = if kind == MouseEventKind::ScrollDown { Action::Down } else { Action::Up };
            for _ in 0..WHEEL {
                enrich::step(app, action);
            }
            app.enrich.pane = focus;
        }
        _ => {}
    }
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
        if row < app.rows.visible().len() {
            if row == app.table.cursor && app.focus == Focus::Table && app.table.pinned.is_some() {
                return inspector::open(app);
            }
            app.focus = Focus::Table;
            table::go_to(app, row);
        }
    } else if regions.inspector.contains(at) {
        app.focus = Focus::Inspector;
        if let Some(tab) = tab_at(app, at) {
            inspector::show_tab(app, tab);
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
