//! Keys in the tree.

use crate::tui::action::Action;
use crate::tui::app::App;
use crate::tui::app::tree::NodeId;
use crate::tui::focus::Focus;
use crate::tui::update::movement::moved;

pub(crate) fn act(app: &mut App, action: Action) {
    let lines = app.tree.lines();
    let at = lines.iter().position(|node| *node == app.tree.chosen).unwrap_or_default();
    let regions = app.regions();
    let page = regions.inside(regions.tree).height.into();
    if let Some(to) = moved(action, at, lines.len(), page) {
        choose(app, lines[to]);
        return;
    }
    let is_folded = app.tree.get(app.tree.chosen).is_folded;
    match action {
        Action::Left if app.tree.fold(true) => {}
        Action::Left => choose(app, app.tree.parent()),
        Action::Right if app.tree.fold(false) => {}
        Action::Right | Action::Open => app.focus = Focus::Table,
        Action::Fold => {
            app.tree.fold(!is_folded);
        }
        _ => {}
    }
    keep_on_screen(app);
}

/// Shows the entries of a node in the table.
pub(crate) fn choose(app: &mut App, node: NodeId) {
    if app.tree.chosen != node {
        app.tree.chosen = node;
        app.table.anchor = None;
        app.choose_rows();
    }
    keep_on_screen(app);
}

pub(crate) fn keep_on_screen(app: &mut App) {
    let lines = app.tree.lines();
    let at = lines.iter().position(|node| *node == app.tree.chosen).unwrap_or_default();
    let regions = app.regions();
    let height: usize = regions.inside(regions.tree).height.max(1).into();
    app.tree.offset =
        app.tree.offset.clamp((at + 1).saturating_sub(height), at).min(lines.len().saturating_sub(height));
}
