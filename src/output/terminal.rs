//! The width of the terminal.

use std::io::{IsTerminal as _, stdout};

/// Columns of the terminal on standard output; `None`: not a terminal, nothing is cut off.
pub fn columns() -> Option<usize> {
    if !stdout().is_terminal() {
        return None;
    }
    // A terminal of unknown size reports 0.
    let known = |columns: &usize| *columns > 0;
    let reported = crossterm::terminal::size().ok().map(|(columns, _)| usize::from(columns)).filter(known);
    let set = || std::env::var("COLUMNS").ok()?.parse().ok().filter(known);
    Some(reported.or_else(set).unwrap_or(80))
}
