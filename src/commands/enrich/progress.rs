//! How far enrichments have come, on standard error: a bar for each service on a terminal, a line for each finished
//! pass in a pipe.

use std::io::{IsTerminal as _, stderr};
use std::pin::pin;
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::commands::enrich::terminal::Terminal;
use crate::commands::session::Session;
use crate::commands::signals::Signals;
use crate::enrich::mode::Mode;
use crate::enrich::progress::{Lap, Progress, ServiceProgress};
use crate::output;
use crate::output::human::{bytes, counted, latency};
use crate::output::safe;

/// Looked at so often.
const FRAME: Duration = Duration::from_millis(100);

/// A bar: the service, how many of the requests that are known of are answered, and how that goes.
const TEMPLATE: &str = "{prefix:13} {wide_bar:.dim} {pos:>5} of {len:<5} {msg:32!}";

/// Goes on with work until it is done, and shows meanwhile how far it is; `None`: somebody wants it to end.
pub(crate) async fn follow<T>(
    work: impl Future<Output = T>,
    signals: &mut Signals,
    mut show: impl FnMut(),
) -> Option<T> {
    let mut work = pin!(work);
    let mut frames = tokio::time::interval(FRAME);
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

/// What each pass is called.
pub(crate) fn names(mode: Mode) -> [&'static str; 2] {
    match mode {
        Mode::Usual | Mode::Fresh => ["cold", "warm"],
        Mode::Uncached => ["current", "cached"],
        Mode::Offline => ["cached", "-"],
    }
}

/// What is shown of one enrichment.
pub(crate) enum Shown {
    Bars(Bars),
    Lines(Lines),
    Nothing,
}

/// For a terminal; they are gone when this is dropped.
pub(crate) struct Bars {
    all: MultiProgress,
    /// Which of many enrichments it is.
    heading: Option<ProgressBar>,
    services: Vec<ProgressBar>,
}

/// For a pipe.
pub(crate) struct Lines {
    names: [&'static str; 2],
    /// Whether each pass of each service has been told.
    told: Vec<[bool; 2]>,
}

impl Shown {
    /// What suits standard error.
    pub(crate) fn new(session: &Session, mode: Mode) -> Self {
        match (session.global.quiet, stderr().is_terminal()) {
            (true, _) => Self::Nothing,
            (false, true) => Self::Bars(Bars {
                all: MultiProgress::with_draw_target(ProgressDrawTarget::term_like(Box::new(Terminal::stderr()))),
                heading: None,
                services: Vec::new(),
            }),
            (false, false) => Self::Lines(Lines { names: names(mode), told: Vec::new() }),
        }
    }

    /// As [`Self::new`], for one of many enrichments, each of which has its line when it is done: a pipe is told no more.
    pub(crate) fn of_many(session: &Session, heading: &str) -> Self {
        match Self::new(session, Mode::Usual) {
            Self::Bars(mut bars) => {
                let style = ProgressStyle::with_template("{msg}").unwrap_or_else(|_| ProgressStyle::default_bar());
                let line = bars.all.add(ProgressBar::new(0).with_style(style));
                line.set_message(safe::line(heading).into_owned());
                // A bar that is dropped is gone.
                bars.heading = Some(line);
                Self::Bars(bars)
            }
            _ => Self::Nothing,
        }
    }

    /// Shows how far it is now.
    pub(crate) fn update(&mut self, progress: &Progress) {
        match self {
            Self::Bars(bars) => bars.update(progress),
            Self::Lines(lines) => lines.update(progress),
            Self::Nothing => {}
        }
    }
}

impl Bars {
    fn update(&mut self, progress: &Progress) {
        for (place, of) in progress.services.iter().enumerate() {
            if place == self.services.len() {
                let bar = ProgressBar::new(0).with_prefix(of.service.name());
                let style = ProgressStyle::with_template(TEMPLATE).unwrap_or_else(|_| ProgressStyle::default_bar());
                self.services.push(self.all.add(bar.with_style(style)));
            }
            let (bar, lap) = (&self.services[place], current(of));
            let tally = lap.tally();
            bar.set_length(tally.expected.max(1));
            bar.set_position(tally.requests);
            bar.set_message(match lap.outcome() {
                Some(Ok(_)) => format!("done in {}", latency(lap.time().map(|time| time.as_secs_f64()))),
                Some(Err(problem)) => safe::line(&problem.to_string()).into_owned(),
                None if tally.is_waiting => format!("{}, waiting (rate limit)", counted(tally.hits, "hit")),
                None => format!("{}, {}", counted(tally.hits, "hit"), bytes(tally.bytes)),
            });
        }
    }
}

impl Drop for Bars {
    fn drop(&mut self) {
        // What is on the terminal is of no more use. A bar that is dropped unfinished would be drawn once more.
        for bar in self.services.iter().chain(&self.heading) {
            bar.finish_and_clear();
        }
    }
}

impl Lines {
    fn update(&mut self, progress: &Progress) {
        self.told.resize(progress.services.len(), [false; 2]);
        for (of, told) in progress.services.iter().zip(&mut self.told) {
            for ((lap, name), told) in [&of.cold, &of.warm].into_iter().zip(self.names).zip(told) {
                let Some(outcome) = lap.outcome().filter(|_| !*told) else { continue };
                *told = true;
                let (tally, time) = (lap.tally(), latency(lap.time().map(|time| time.as_secs_f64())));
                let (requests, hits) = (counted(tally.requests, "request"), counted(tally.hits, "hit"));
                let size = bytes(tally.bytes);
                let failed = outcome.as_ref().err().map_or_else(String::new, |problem| format!("; error: {problem}"));
                let line = format!("{}: {name} pass: {requests}, {hits}, {size}, {time}{failed}", of.service);
                output::tell(&safe::line(&line));
            }
        }
    }
}

/// The pass that is under way, or was the last.
fn current(of: &ServiceProgress) -> &Lap {
    let (cold, warm) = (of.cold.time().is_some(), of.warm.time().is_some());
    if warm && (!cold || of.cold.outcome().is_some()) { &of.warm } else { &of.cold }
}
