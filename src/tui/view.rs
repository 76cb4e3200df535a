//! Draws the state: one function for each region. Reads everything, changes nothing.
//!
//! ```text
//! animecache  Redis at redis://localhost:6379/0  READ-ONLY        scanned 51 of ~51
//! / words and selectors                                   12 of 22 entries  318 KiB
//! ╭ Tree ───────────────╮╭ Entries ─────────────────────────────────────────────────╮
//! │                     ││                                                          │
//! ╰─────────────────────╯╰──────────────────────────────────────────────────────────╯
//! ╭ Hit rate ───────────╮╭ Summary  Request  Response  Body  Keys ──────────────────╮
//! │                     ││                                                          │
//! ╰─────────────────────╯╰──────────────────────────────────────────────────────────╯
//! j down  k up  / filter  space mark  d flush  ? help  q quit
//! ```

mod body;
mod dialog;
mod enrich;
mod footer;
pub mod header;
pub mod help;
pub mod inspector;
pub mod layout;
mod rates;
mod summary;
pub mod table;
#[cfg(test)]
mod tests;
mod text;
pub mod theme;
mod tree;
mod watch;

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::Line;
use ratatui::widgets::{Block, BorderType};

use self::theme::Theme;
use super::app::{App, Screen};

/// Draws one frame.
pub fn draw(frame: &mut Frame<'_>, app: &App, theme: &Theme) {
    let regions = app.regions();
    header::draw(frame, regions.header, app, theme);
    match app.screen {
        Screen::Browse => {
            header::draw_filter(frame, regions.filter, app, theme);
            tree::draw(frame, &regions, app, theme);
            rates::draw(frame, &regions, app, theme);
            table::draw(frame, &regions, app, theme);
            inspector::draw(frame, &regions, app, theme);
            watch::draw(frame, &regions, app, theme);
        }
        Screen::Enrich => enrich::draw(frame, &regions, app, theme),
    }
    footer::draw(frame, regions.footer, app, theme);
    dialog::draw(frame, frame.area(), app, theme);
}

/// A pane's frame with its title, or the title alone where frames are left out.
fn draw_frame(frame: &mut Frame<'_>, pane: Rect, title: Line<'_>, is_framed: bool, is_focused: bool, theme: &Theme) {
    if is_framed {
        let style = if is_focused { theme.frame_focused } else { theme.frame };
        frame.render_widget(Block::bordered().border_type(BorderType::Rounded).border_style(style).title(title), pane);
    } else {
        frame.render_widget(title, Rect { height: pane.height.min(1), ..pane });
    }
}
