//! The dashboard: browses, filters and deletes the entries of a cache, and enriches anime.
//!
//! Input becomes a [`message::Message`]; [`update::update`] changes the [`app::App`] and returns [`effect::Effect`]s; the
//! [`runner::Runner`] runs them and responds with messages; [`view::draw`] draws the [`app::App`].
//!
//! Imports run one way: options, ticket, action, focus < keymap, effect < layout < app < message < view < update <
//! runner < run.

pub mod action;
pub mod app;
pub mod effect;
pub mod event;
#[cfg(test)]
mod fixture;
pub mod focus;
mod frame_times;
pub mod keymap;
pub mod layout;
pub mod message;
pub mod options;
pub mod run;
pub mod runner;
pub mod terminal;
pub mod ticket;
pub mod update;
pub mod view;

use std::future::Future;
use std::path::PathBuf;

use anyhow::Context;
use cache_core::{Config, Opened, clock};
use jiff::tz::TimeZone;

use crate::exit::Exit;
use crate::output;
use crate::services::Services;
use crate::tui::app::{App, Failure};
use crate::tui::frame_times::FrameTimes;
use crate::tui::keymap::{KEYMAP, Keymap};
use crate::tui::options::Options;
use crate::tui::runner::Runner;
use crate::tui::view::theme::Themes;

/// Shows the dashboard until it is left, then prints the summary of an unfinished change. The first frame does not wait
/// for `opening`. For `config` and `catalogue` see [`Runner::new`].
///
/// # Errors
/// Errors of the terminal, and those of `opening`.
pub async fn run(
    opening: impl Future<Output = cache_core::Result<Opened>> + Send + 'static,
    settings: (Config, Services),
    catalogue: Option<PathBuf>,
    options: Options,
) -> anyhow::Result<Exit> {
    let keymap = Keymap::parse(KEYMAP)?;
    let themes = Themes::load(options.has_color)?;
    let (runner, inbox) = Runner::new(opening, settings, catalogue, Box::new(terminal::copy));
    let (guard, mut terminal) = terminal::enter().context("cannot set up the terminal")?;
    if options.has_color {
        terminal::ask_background();
    }
    let input = event::messages().context("cannot read terminal input")?;
    let size = terminal.size().context("cannot determine the terminal size")?;
    let mut app = App::new(options, keymap, size, TimeZone::system(), clock::now());
    let mut times = FrameTimes::from_environment();
    let end = run::drive(&mut *terminal, input, runner, inbox, &mut app, &themes, |time| times.record(time)).await;
    drop(guard);
    times.report();
    let summary = app.take_exit_summary();
    if let Some(summary) = &summary {
        output::print_error(&summary.text);
    }
    if let Some(signal) = app.signal.filter(|signal| *signal != Exit::Done) {
        return Ok(signal);
    }
    match end {
        Err(error) if is_closed(&error) => return Ok(Exit::HungUp),
        end => end.context("terminal I/O failed")?,
    }
    match app.failure {
        None if summary.is_some_and(|summary| !summary.is_complete) => Ok(Exit::Partial),
        None => Ok(Exit::Done),
        Some(Failure::Opening(error)) => Err(error.into()),
        Some(Failure::Crash) => anyhow::bail!("internal error in the dashboard; see the message above"),
    }
}

/// Whether the terminal was closed.
fn is_closed(error: &std::io::Error) -> bool {
    let closed = [rustix::io::Errno::IO, rustix::io::Errno::NXIO, rustix::io::Errno::PIPE, rustix::io::Errno::BADF];
    closed.iter().any(|errno| error.raw_os_error() == Some(errno.raw_os_error()))
}
