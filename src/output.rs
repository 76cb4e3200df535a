//! Output: text for people and JSON for scripts, without control characters and without credentials.

pub mod columns;
pub mod event;
pub mod human;
pub mod json;
pub mod progress;
pub mod row;
pub mod safe;
pub mod style;
pub mod terminal;

use std::io::{BufWriter, StdoutLock, Write as _, stderr, stdout};

use cache_core::redact::Secrets;
use serde::Serialize;

/// Standard output, locked and buffered, because `ls` writes many lines. Flush it before it is dropped to get the
/// error.
pub type Out = BufWriter<StdoutLock<'static>>;

/// Opens standard output.
pub fn out() -> Out {
    BufWriter::with_capacity(64 << 10, stdout().lock())
}

/// Writes a text to standard output.
pub fn write(text: &[u8]) -> std::io::Result<()> {
    let mut out = stdout().lock();
    out.write_all(text)?;
    out.flush()
}

/// Writes one line of JSON to standard output.
pub fn write_json(value: &impl Serialize) -> anyhow::Result<()> {
    let mut line = Vec::new();
    json::line(&mut line, value)?;
    Ok(write(&line)?)
}

/// Writes a line to standard error. Standard error may be closed, which is no reason to stop (or, as `eprintln!` would,
/// to panic).
pub fn print_error(text: &str) {
    let _ = writeln!(stderr().lock(), "{text}");
}

/// Writes lines of a log without credentials.
pub struct RedactedLog<W>(pub W);

impl<W: std::io::Write> std::io::Write for RedactedLog<W> {
    fn write(&mut self, line: &[u8]) -> std::io::Result<usize> {
        self.0.write_all(&Secrets::Masked.body(line))?;
        Ok(line.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.0.flush()
    }
}

/// Prints an error, without credentials.
pub fn error(text: &str) {
    print_error(&format!("error: {}", Secrets::Masked.text(text)));
}

/// Prints a warning, without credentials.
pub fn warning(text: &str) {
    print_error(&format!("warning: {}", Secrets::Masked.text(text)));
}

/// Prints a hint.
pub fn hint(text: &str) {
    print_error(&format!("hint: {text}"));
}
