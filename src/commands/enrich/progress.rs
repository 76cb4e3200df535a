//! The progress of enrichments on standard error: a bar for each service on a terminal, else a line for each finished
//! pass.

use std::io::{IsTerminal as _, stderr};
use std::pin::pin;
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::commands::enrich::terminal::Terminal;
use crate::commands::session::Session;
use crate::commands::signals::Signals;
use crate::enrich::mode::Mode;
use crate::enrich::progress::{EnrichProgress, Pass, ServiceProgress};
use crate::output;
use crate::output::human::{bytes, counted, latency};
use crate::output::safe;

/// Between two updates.
const FRAME_INTERVAL: Duration = Duration::from_millis(100);

/// A bar: the service, requests done and expected, and a message.
const TEMPLATE: &str = "{prefix:13} {wide_bar:.dim} {pos:>5} of {len:<5} {msg:32!}";

/// Runs the work and shows its progress; `None`: a signal arrived.
pub(crate) async fn run_with_progress<T>(
    work: impl Future<Output = T>,
    signals: &mut Signals,
    mut show: impl FnMut(),
) -> Option<T> {
    let mut work = pin!(work);
    let mut frames = tokio::time::interval(FRAME_INTERVAL);
    loop {
        tokio::select! {
            biased;
            () = signals.next() => return None,
            done = &mut work => {
                show();
                return Some(done);
            }
            _ = frames.tick() => show(),
        }
    }
}

/// Names of the two passes.
pub(crate) fn names(mode: Mode) -> [&'static str; 2] {
    match mode {
        Mode::Usual | Mode::Fresh => ["cold", "warm"],
        Mode::Uncached => ["current", "cached"],
        Mode::Offline => ["cached", "-"],
    }
}

/// The view of the progress of one enrichment.
pub(crate) enum ProgressView {
    Bars(Bars),
    Lines(Lines),
    Nothing,
}

/// For a terminal; cleared when dropped.
pub(crate) struct Bars {
    all: MultiProgress,
    /// Title of the enrichment, one of many.
    heading: Option<ProgressBar>,
    services: Vec<ProgressBar>,
}

/// For a pipe.
pub(crate) struct Lines {
    names: [&'static str; 2],
    /// The passes of each service that have been printed.
    printed: Vec<[bool; 2]>,
}

impl ProgressView {
    pub(crate) fn new(session: &Session, mode: Mode) -> Self {
        match (session.global.quiet, stderr().is_terminal()) {
            (true, _) => Self::Nothing,
            (false, true) => Self::Bars(Bars {
                all: MultiProgress::with_draw_target(ProgressDrawTarget::term_like(Box::new(Terminal::stderr()))),
                heading: None,
                services: Vec::new(),
            }),
            (false, false) => Self::Lines(Lines { names: names(mode), printed: Vec::new() }),
        }
    }

    /// As [`Self::new`], for one of many enrichments: the caller prints a line for each, so a pipe gets no more.
    pub(crate) fn for_many(session: &Session, heading: &str) -> Self {
        match Self::new(session, Mode::Usual) {
            Self::Bars(mut bars) => {
                let style = ProgressStyle::with_template("{msg}").unwrap_or_else(|_| ProgressStyle::default_bar());
                let line = bars.all.add(ProgressBar::new(0).with_style(style));
                line.set_message(safe::line(heading).into_owned());
                // Kept, because a bar is cleared when dropped.
                bars.heading = Some(line);
                Self::Bars(bars)
            }
            _ => Self::Nothing,
        }
    }

    pub(crate) fn update(&mut self, progress: &EnrichProgress) {
        match self {
            Self::Bars(bars) => bars.update(progress),
            Self::Lines(lines) => lines.update(progress),
            Self::Nothing => {}
        }
    }
}

impl Bars {
    fn update(&mut self, progress: &EnrichProgress) {
        for (place, of) in progress.services.iter().enumerate() {
            if place == self.services.len() {
                let bar = ProgressBar::new(0).with_prefix(of.service.name());
                let style = ProgressStyle::with_template(TEMPLATE).unwrap_or_else(|_| ProgressStyle::default_bar());
                self.services.push(self.all.add(bar.with_style(style)));
            }
            let (bar, pass) = (&self.services[place], current(of));
            let metrics = pass.snapshot();
            bar.set_length(metrics.expected.max(1));
            bar.set_position(metrics.requests);
            bar.set_message(match pass.outcome() {
                Some(Ok(_)) => format!("done in {}", latency(pass.time().map(|time| time.as_secs_f64()))),
                Some(Err(problem)) => safe::line(&problem.to_string()).into_owned(),
                None if metrics.is_waiting => format!("{}, waiting (rate limit)", counted(metrics.hits, "hit")),
                None => format!("{}, {}", counted(metrics.hits, "hit"), bytes(metrics.bytes)),
            });
        }
    }
}

impl Drop for Bars {
    fn drop(&mut self) {
        // A bar that is dropped unfinished would be drawn once more.
        for bar in self.services.iter().chain(&self.heading) {
            bar.finish_and_clear();
        }
    }
}

impl Lines {
    fn update(&mut self, progress: &EnrichProgress) {
        self.printed.resize(progress.services.len(), [false; 2]);
        for (of, printed) in progress.services.iter().zip(&mut self.printed) {
            for ((pass, name), printed) in [&of.cold, &of.warm].into_iter().zip(self.names).zip(printed) {
                let Some(outcome) = pass.outcome().filter(|_| !*printed) else { continue };
                *printed = true;
                let (metrics, time) = (pass.snapshot(), latency(pass.time().map(|time| time.as_secs_f64())));
                let (requests, hits) = (counted(metrics.requests, "request"), counted(metrics.hits, "hit"));
                let size = bytes(metrics.bytes);
                let failed = outcome.as_ref().err().map_or_else(String::new, |problem| format!("; error: {problem}"));
                let line = format!("{}: {name} pass: {requests}, {hits}, {size}, {time}{failed}", of.service);
                output::print_error(&safe::line(&line));
            }
        }
    }
}

/// The running pass, or the last.
fn current(of: &ServiceProgress) -> &Pass {
    let (cold, warm) = (of.cold.time().is_some(), of.warm.time().is_some());
    if warm && (!cold || of.cold.outcome().is_some()) { &of.warm } else { &of.cold }
}
