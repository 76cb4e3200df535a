//! How far long work has come, on standard error, where that is a terminal.

use std::io::IsTerminal as _;
use std::time::Duration;

use cache_core::admin::flush::Progress;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Redrawn at most so often a second.
const FRAMES: u8 = 10;

/// A line that shows how far the work has come.
pub struct Bar(ProgressBar);

impl Bar {
    /// A line for work called `verb` that counts `unit`; invisible in a pipe or when `quiet`.
    pub fn new(verb: &'static str, unit: &str, quiet: bool) -> Self {
        let is_visible = !quiet && std::io::stderr().is_terminal();
        let target = if is_visible { ProgressDrawTarget::stderr_with_hz(FRAMES) } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(Some(0), target);
        let template = format!(
            "{{prefix}} {{wide_bar:.dim}} {{human_pos}} of ~{{human_len}} {unit}, {{msg}}, {{per_sec}}, {{eta}} left"
        );
        if let Ok(style) = ProgressStyle::with_template(&template) {
            bar.set_style(style);
        }
        bar.set_prefix(verb);
        bar.enable_steady_tick(Duration::from_millis(200));
        Self(bar)
    }

    /// Shows where the work stands.
    pub fn show(&self, progress: Progress, what: &str) {
        self.0.set_length(progress.total.max(progress.done));
        self.0.set_position(progress.done);
        self.0.set_message(format!("{} {what}", super::human::count(progress.entries)));
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
