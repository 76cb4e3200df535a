//! The layout of the screen: a pure function, shared by drawing and the mouse.

pub mod enrich;
pub mod regions;

use ratatui::layout::{Constraint, Layout, Rect, Size};

use crate::tui::focus::{Extent, Focus};
use crate::tui::layout::regions::{Regions, WIDE};

/// From this width on, the inspector is beside the table.
const VERY_WIDE: u16 = 170;

/// From this height of the panes on, the inspector is below the table.
const TALL: u16 = 24;

/// Below either of these, panes have no frames.
const FRAMED: Size = Size::new(60, 14);

/// The regions of a screen with so many lines of hit rates.
pub fn regions(size: Size, focus: Focus, inspector: Extent, rates: usize) -> Regions {
    let [header, filter, panes, footer] =
        Layout::vertical([Constraint::Length(1), Constraint::Length(1), Constraint::Min(0), Constraint::Length(1)])
            .areas(Rect::new(0, 0, size.width, size.height));
    let is_framed = size.width >= FRAMED.width && size.height >= FRAMED.height;
    let mut regions = Regions { header, filter, panes, footer, is_framed, ..Regions::default() };
    if inspector == Extent::Full {
        regions.inspector = panes;
        return regions;
    }
    let rest = if size.width >= WIDE {
        let [tree, rest] =
            Layout::horizontal([Constraint::Length((size.width * 3 / 10).clamp(24, 40)), Constraint::Min(0)])
                .areas(panes);
        (regions.tree, regions.rates) = below_tree(tree, rates, is_framed);
        rest
    } else if focus == Focus::Tree {
        (regions.tree, regions.rates) = below_tree(panes, rates, is_framed);
        return regions;
    } else {
        panes
    };
    match inspector {
        Extent::Pane if size.width >= VERY_WIDE => {
            [regions.table, regions.inspector] =
                Layout::horizontal([Constraint::Percentage(58), Constraint::Min(0)]).areas(rest);
        }
        Extent::Pane if panes.height >= TALL => {
            [regions.table, regions.inspector] =
                Layout::vertical([Constraint::Percentage(50), Constraint::Min(0)]).areas(rest);
        }
        Extent::Pane if focus == Focus::Inspector => regions.inspector = rest,
        _ => regions.table = rest,
    }
    regions
}

/// Splits a column into the tree and the hit rates below it, which get the lines they need but two fifths at most.
fn below_tree(column: Rect, rates: usize, is_framed: bool) -> (Rect, Rect) {
    let around = if is_framed { 2 } else { 1 };
    let most = column.height * 2 / 5;
    let height = u16::try_from(rates).unwrap_or(u16::MAX).saturating_add(around).min(most);
    if rates == 0 || height < around + rates.min(3) as u16 {
        return (column, Rect::default());
    }
    let [tree, rates] = Layout::vertical([Constraint::Min(0), Constraint::Length(height)]).areas(column);
    (tree, rates)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pane_is_on_the_screen_at_every_size() {
        for width in (0..200).step_by(7) {
            for (height, rates) in (0..60).step_by(3).zip([0, 1, 3, 20].into_iter().cycle()) {
                for focus in [Focus::Tree, Focus::Table, Focus::Inspector] {
                    for extent in [Extent::Hidden, Extent::Pane, Extent::Full] {
                        let size = Size::new(width, height);
                        let regions = regions(size, focus, extent, rates);
                        let screen = Rect::new(0, 0, width, height);
                        for pane in [regions.tree, regions.rates, regions.table, regions.inspector] {
                            let inside = regions.inside(pane);
                            assert!(pane.is_empty() || screen.union(pane) == screen, "{size} {pane}");
                            assert!(inside.is_empty() || screen.union(inside) == screen, "{size} {inside}");
                        }
                        let rows = regions.table_rows();
                        assert!(rows.is_empty() || screen.union(rows) == screen, "{size} {rows}");
                    }
                }
            }
        }
    }

    #[test]
    fn the_pane_with_the_focus_is_always_there() {
        for size in [Size::new(40, 10), Size::new(80, 24), Size::new(120, 40), Size::new(200, 60)] {
            assert!(!regions(size, Focus::Tree, Extent::Pane, 20).tree.is_empty());
            assert!(!regions(size, Focus::Table, Extent::Pane, 20).table.is_empty());
            assert!(!regions(size, Focus::Inspector, Extent::Pane, 20).inspector.is_empty());
        }
    }
}
