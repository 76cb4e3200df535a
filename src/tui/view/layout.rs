//! Where everything is on the screen. Pure: drawing and the mouse ask the same function.

use ratatui::layout::{Constraint, Layout, Rect, Size};

use crate::tui::app::Focus;
use crate::tui::app::inspector::Extent;

/// Below this width the tree is shown only while it has the focus.
const WIDE: u16 = 76;
/// From this width on the inspector stands beside the table.
const VERY_WIDE: u16 = 170;
/// From this height of the panes on the inspector stands below the table.
const TALL: u16 = 24;
/// Below either of these, frames cost more than they are worth.
const FRAMED: Size = Size::new(60, 14);

/// The regions. A pane that is not shown is empty.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Regions {
    /// Name, backend, badges, progress.
    pub header: Rect,
    /// The filter line.
    pub filter: Rect,
    /// The tree, with its frame.
    pub tree: Rect,
    /// The table, with its frame.
    pub table: Rect,
    /// The inspector, with its frame.
    pub inspector: Rect,
    /// Hints and notices.
    pub footer: Rect,
    /// Panes have frames.
    pub is_framed: bool,
}

/// The regions of a screen.
pub fn regions(size: Size, focus: Focus, inspector: Extent) -> Regions {
    let [header, filter, panes, footer] =
        Layout::vertical([Constraint::Length(1), Constraint::Length(1), Constraint::Min(0), Constraint::Length(1)])
            .areas(Rect::new(0, 0, size.width, size.height));
    let is_framed = size.width >= FRAMED.width && size.height >= FRAMED.height;
    let mut regions = Regions { header, filter, footer, is_framed, ..Regions::default() };
    if inspector == Extent::Full {
        regions.inspector = panes;
        return regions;
    }
    let rest = if size.width >= WIDE {
        let [tree, rest] =
            Layout::horizontal([Constraint::Length((size.width * 3 / 10).clamp(24, 40)), Constraint::Min(0)])
                .areas(panes);
        regions.tree = tree;
        rest
    } else if focus == Focus::Tree {
        regions.tree = panes;
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

impl Regions {
    /// What is inside a pane's frame.
    pub fn inside(&self, pane: Rect) -> Rect {
        if self.is_framed {
            Rect::new(pane.x + 1, pane.y + 1, pane.width.saturating_sub(2), pane.height.saturating_sub(2))
        } else {
            // One line for the title that a frame would hold.
            Rect::new(pane.x, pane.y + pane.height.min(1), pane.width, pane.height.saturating_sub(1))
        }
    }

    /// The line of the table with the names of its columns.
    pub fn table_head(&self) -> Rect {
        // A bare table has no title: its columns say what it is.
        let inside = if self.is_framed { self.inside(self.table) } else { self.table };
        Rect { height: inside.height.min(1), ..inside }
    }

    /// The lines of the table with rows.
    pub fn table_rows(&self) -> Rect {
        let inside = if self.is_framed { self.inside(self.table) } else { self.table };
        let head = inside.height.min(1);
        Rect::new(inside.x, inside.y + head, inside.width, inside.height - head)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pane_is_on_the_screen_at_every_size() {
        for width in (0..200).step_by(7) {
            for height in (0..60).step_by(3) {
                for focus in [Focus::Tree, Focus::Table, Focus::Inspector] {
                    for extent in [Extent::Hidden, Extent::Pane, Extent::Full] {
                        let size = Size::new(width, height);
                        let regions = regions(size, focus, extent);
                        let screen = Rect::new(0, 0, width, height);
                        for pane in [regions.tree, regions.table, regions.inspector] {
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
            assert!(!regions(size, Focus::Tree, Extent::Pane).tree.is_empty());
            assert!(!regions(size, Focus::Table, Extent::Pane).table.is_empty());
            assert!(!regions(size, Focus::Inspector, Extent::Pane).inspector.is_empty());
        }
    }
}
