//! The terminal on which progress bars are drawn.

use std::io;

use console::Term;
use indicatif::TermLike;

/// Columns that the echo of Ctrl-C takes: `^C` and the cursor.
const ECHO: usize = 3;

/// A terminal that leaves room for the echo of a key at the end of the last line. An echo that wrapped to the next line
/// would break the count of lines, and old bars would stay on the screen.
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
