//! The frame of a pane.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::Line;
use ratatui::widgets::{Block, BorderType};

use crate::tui::view::theme::Theme;

/// The frame of a pane with its title, or the title alone if there are no frames.
pub(crate) fn draw_frame(
    frame: &mut Frame<'_>,
    pane: Rect,
    title: Line<'_>,
    is_framed: bool,
    is_focused: bool,
    theme: &Theme,
) {
    if is_framed {
        let style = if is_focused { theme.frame_focused } else { theme.frame };
        frame.render_widget(Block::bordered().border_type(BorderType::Rounded).border_style(style).title(title), pane);
    } else {
        frame.render_widget(title, Rect { height: pane.height.min(1), ..pane });
    }
}
