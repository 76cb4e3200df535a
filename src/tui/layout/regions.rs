//! The regions of the screen.

use ratatui::layout::Rect;

/// Below this width the tree is shown only while it has the focus.
pub(crate) const WIDE: u16 = 76;

/// The regions. A hidden pane is empty.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Regions {
    /// Name, backend, badges, progress.
    pub header: Rect,
    /// The filter line.
    pub filter: Rect,
    /// The tree, with its frame.
    pub tree: Rect,
    /// The hit rates, with their frame.
    pub rates: Rect,
    /// The table, with its frame.
    pub table: Rect,
    /// The inspector, with its frame.
    pub inspector: Rect,
    /// Everything between the filter line and the hints.
    pub panes: Rect,
    /// Hints and notices.
    pub footer: Rect,
    /// Panes have frames.
    pub is_framed: bool,
}

impl Regions {
    /// The area inside the frame of a pane.
    pub fn inside(&self, pane: Rect) -> Rect {
        if self.is_framed {
            Rect::new(pane.x + 1, pane.y + 1, pane.width.saturating_sub(2), pane.height.saturating_sub(2))
        } else {
            // One line for the title, in place of the frame.
            Rect::new(pane.x, pane.y + pane.height.min(1), pane.width, pane.height.saturating_sub(1))
        }
    }

    /// The line of the table with the names of its columns.
    pub fn table_head(&self) -> Rect {
        // A table without a frame has no title: its columns identify it.
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
