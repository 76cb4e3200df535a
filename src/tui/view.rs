//! Draws the state, with one function for each region, and changes nothing.
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

pub(crate) mod body;
pub(crate) mod dialog;
pub(crate) mod enrich;
pub(crate) mod footer;
pub mod frame;
pub mod header;
pub mod help;
pub mod inspector;
pub(crate) mod rates;
pub(crate) mod summary;
pub mod table;
#[cfg(test)]
mod tests;
pub(crate) mod text;
pub mod theme;
pub(crate) mod tree;
pub(crate) mod watch;

use ratatui::Frame;

use crate::tui::app::App;
use crate::tui::focus::Screen;
use crate::tui::view::theme::Theme;

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
