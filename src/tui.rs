//! The dashboard: everything that is in a cache on one screen, browsed, filtered and flushed.
//!
//! Input becomes a [`message::Message`]; [`update::update`] decides what it means and returns [`effect::Effect`]s; the
//! [`runner::Runner`] carries them out and answers with messages; [`view::draw`] shows the [`app::App`].

pub mod action;
pub mod app;
pub mod effect;
pub mod event;
#[cfg(test)]
mod fixture;
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
use std::time::Duration;

use anyhow::Context;
use cache_core::{Config, Opened, clock};
use jiff::tz::TimeZone;

use crate::exit::Exit;
use crate::output;
use crate::services::Services;
use crate::tui::app::{App, Failure};
use crate::tui::keymap::Keymap;
use crate::tui::options::Options;
use crate::tui::runner::Runner;
use crate::tui::view::theme::Theme;

/// The bindings.
pub const KEYMAP: &str = include_str!("../assets/keymap.toml");

/// The colours.
pub const THEME: &str = include_str!("../assets/theme.toml");

/// Set to anything, it has the time that each frame took summed up on stderr at the end.
const FRAME_TIMES: &str = "ANIMECACHE_FRAME_TIMES";

/// Shows the dashboard until the user leaves it; what a change did that was under way then is said behind it. The first frame does not wait for `opening`. For `settings` and
/// `catalogue` see [`Runner::new`].
///
/// # Errors
/// The terminal's, and those of `opening`.
pub async fn run(
    opening: impl Future<Output = cache_core::Result<Opened>> + Send + 'static,
    settings: (Config, Services),
    catalogue: Option<PathBuf>,
    options: Options,
) -> anyhow::Result<Exit> {
    let keymap = Keymap::parse(KEYMAP)?;
    let theme = Theme::parse(THEME, options.has_color)?;
    let (runner, inbox) = Runner::new(opening, settings, catalogue, Box::new(terminal::copy));
    let (guard, mut terminal) = terminal::enter().context("cannot set up the terminal")?;
    let input = event::messages().context("cannot read terminal input")?;
    let size = terminal.size().context("cannot determine the terminal size")?;
    let mut app = App::new(options, keymap, size, TimeZone::system(), clock::now());
    let mut times = std::env::var_os(FRAME_TIMES).map(|_| Vec::new());
    let observe = |time| times.iter_mut().for_each(|times: &mut Vec<_>| times.push(time));
    let end = run::drive(&mut terminal, input, runner, inbox, &mut app, &theme, observe).await;
    drop(guard);
    end.context("terminal I/O failed")?;
    times.into_iter().for_each(report);
    let parting = app.take_parting();
    if let Some(parting) = &parting {
        output::tell(&parting.text);
    }
    match app.failure {
        None if parting.is_some_and(|parting| !parting.is_whole) => Ok(Exit::Partial),
        None => Ok(Exit::Done),
        Some(Failure::Opening(error)) => Err(error.into()),
        Some(Failure::Crash) => anyhow::bail!("internal error in the dashboard; see the message above"),
    }
}

fn report(mut times: Vec<Duration>) {
    times.sort_unstable();
    let at =
        |part: f64| times.get(((times.len() as f64 * part) as usize).min(times.len() - 1)).copied().unwrap_or_default();
    eprintln!("frames: {}, render time: median {:?}, 95% {:?}, max {:?}", times.len(), at(0.5), at(0.95), at(1.0));
}
