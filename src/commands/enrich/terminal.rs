//! A terminal as bars are drawn on it.

use std::io;

use console::Term;
use indicatif::TermLike;

/// Columns of what a terminal shows of Ctrl-C: `^C`, and the cursor behind it.
const ECHO: usize = 3;

/// A terminal whose cursor does not rest at the end of the last line, which bars fill. What is shown of a key there goes
/// to the next line, and whatever counts lines from the cursor would be wrong from then on: bars would be left behind.
#[derive(Debug)]
pub(crate) struct Terminal(Term);

impl Terminal {
    /// Standard error.
    pub(crate) fn stderr() -> Self {
        Self(Term::buffered_stderr())
    }
}

impl TermLike for Terminal {
    fn width(&self) -> u16 {
        self.0.width()
    }

    fn height(&self) -> u16 {
        self.0.height()
    }

    fn move_cursor_up(&self, n: usize) -> io::Result<()> {
        self.0.move_cursor_up(n)
    }

    fn move_cursor_down(&self, n: usize) -> io::Result<()> {
        self.0.move_cursor_down(n)
    }

    fn move_cursor_right(&self, n: usize) -> io::Result<()> {
        self.0.move_cursor_right(n)
    }

    fn move_cursor_left(&self, n: usize) -> io::Result<()> {
        self.0.move_cursor_left(n)
    }

    fn write_line(&self, text: &str) -> io::Result<()> {
        self.0.write_line(text)
    }

    fn write_str(&self, text: &str) -> io::Result<()> {
        self.0.write_str(text)
    }

    fn clear_line(&self) -> io::Result<()> {
        self.0.clear_line()
    }

    fn flush(&self) -> io::Result<()> {
        self.0.move_cursor_left(ECHO)?;
        self.0.flush()
    }
}
