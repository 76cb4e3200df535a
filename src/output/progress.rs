//! Progress of long operations, on standard error if that is a terminal.

use std::io::IsTerminal as _;
use std::sync::OnceLock;
use std::time::Duration;

use cache_core::admin::plan::Progress;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::output::human;

/// Redraws a second, at most.
const FRAMES: u8 = 10;

/// The unit of the progress.
#[derive(Clone, Copy, Debug)]
pub enum Unit {
    /// Keys of a database; the total is an estimate.
    Keys,
    /// Entries of a plan; the total is known.
    Entries,
}

/// A line with the progress.
pub struct Bar {
    verb: &'static str,
    unit: Unit,
    is_visible: bool,
    /// Nothing is shown before the total is known.
    line: OnceLock<ProgressBar>,
}

impl Bar {
    /// A line for an operation named `verb`; invisible in a pipe or when `quiet`.
    pub fn new(verb: &'static str, unit: Unit, quiet: bool) -> Self {
        Self { verb, unit, is_visible: !quiet && std::io::stderr().is_terminal(), line: OnceLock::new() }
    }

    /// Updates the line.
    pub fn show(&self, progress: Progress, what: &str) {
        let total = progress.total.max(progress.done);
        if !self.is_visible || total == 0 {
            return;
        }
        let line = self.line.get_or_init(|| self.line(text(self.unit, progress, what, None)));
        line.set_length(total);
        line.set_position(progress.done);
        let speed = Speed { a_second: line.per_sec(), left: line.eta() };
        line.set_message(text(self.unit, progress, what, Some(&speed)));
    }

    fn line(&self, text: String) -> ProgressBar {
        let target = ProgressDrawTarget::stderr_with_hz(FRAMES);
        let line = ProgressBar::with_draw_target(None, target).with_message(text);
        if let Ok(style) = ProgressStyle::with_template("{prefix} {wide_bar:.dim} {msg}") {
            line.set_style(style);
        }
        line.set_prefix(self.verb);
        line
    }
}

/// Entries a second, and the remaining time.
struct Speed {
    a_second: f64,
    left: Duration,
}

/// The text of the line; the speed is left out until it is known.
fn text(unit: Unit, progress: Progress, what: &str, speed: Option<&Speed>) -> String {
    let (done, total) = (human::count(progress.done), progress.total.max(progress.done));
    let total = match unit {
        Unit::Keys => format!("~{}", human::counted(total, "key")),
        Unit::Entries => human::entries(total),
    };
    let text = format!("{done} of {total}, {} {what}", human::count(progress.entries));
    match speed.filter(|speed| speed.a_second >= 1.0) {
        None => text,
        Some(Speed { a_second, left }) => {
            let (a_second, left) = (human::count(*a_second as u64), human::duration(left.as_secs_f64().ceil()));
            format!("{text}, {a_second}/s, {left} left")
        }
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        if let Some(line) = self.line.get() {
            line.finish_and_clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_whole_and_an_estimate_is_called_one() {
        let speed = Speed { a_second: 24_671.75, left: Duration::from_millis(1_200) };
        let progress = Progress { done: 2_000, total: 52_000, entries: 1 };
        assert_eq!(
            text(Unit::Keys, progress, "matching", Some(&speed)),
            "2,000 of ~52,000 keys, 1 matching, 24,671/s, 2s left"
        );
        let progress = Progress { done: 0, total: 1, entries: 0 };
        assert_eq!(text(Unit::Entries, progress, "deleted", None), "0 of 1 entry, 0 deleted");
    }
}
