//! How things are written: text for people, JSON for scripts; safe for a terminal, and without secrets, either way.

pub mod columns;
pub mod event;
pub mod human;
pub mod json;
pub mod progress;
pub mod row;
pub mod safe;
pub mod secrets;
pub mod style;
pub mod terminal;

use std::io::{BufWriter, StdoutLock, Write as _, stderr, stdout};

use serde::Serialize;

/// Standard output, locked and buffered: what `ls` writes is a lot. Flush it before it is dropped, to see the error.
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

/// Reports what failed.
pub fn error(text: &str) {
    print_error(&format!("error: {text}"));
}

/// Reports what may be unexpected and stops nothing.
pub fn warning(text: &str) {
    print_error(&format!("warning: {text}"));
}

/// Suggests what to do next.
pub fn hint(text: &str) {
    print_error(&format!("hint: {text}"));
}
