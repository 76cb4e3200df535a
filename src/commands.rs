//! The commands, one file each, and what they share: the settings, and the cache opened as the command may use it.

mod consent;
mod demo_upstream;
mod doctor;
mod enrich;
mod flush;
mod ls;
mod packaging;
mod short_id;
mod show;
mod signals;
mod stats;
mod ttl;
mod tui;
mod warm;
mod watch;

use std::sync::Arc;

use anyhow::Context as _;
use cache_core::{Config, Inspect, OpenOptions, Opened, ReadOnly, WhenUnreachable};

use crate::args::{Cli, Command, Global};
use crate::config::Settings;
use crate::demo::{self, Demo};
use crate::exit::{self, CannotOpen, Exit, Refused};
use crate::output::style::Style;
use crate::output::{self, safe};

/// Runs what was typed.
pub async fn run(cli: Cli) -> anyhow::Result<Exit> {
    match &cli.command {
        Command::Completions { shell } => return packaging::completions(*shell),
        Command::Man => return packaging::manual(),
        _ => {}
    }
    let session =
        Session { settings: Settings::load(&cli.global)?, style: Style::new(cli.global.color), global: cli.global };
    let takes_signals =
        matches!(cli.command, Command::Tui | Command::Enrich(_) | Command::Warm(_) | Command::DemoUpstream(_));
    let is_interruptible = session.global.demo && !takes_signals;
    let work = carry_out(&session, cli.command);
    if !is_interruptible {
        return work.await;
    }
    // A signal that ends the program at once would leave the throw-away cache behind.
    tokio::select! {
        biased;
        outcome = work => outcome,
        _ = tokio::signal::ctrl_c() => Ok(Exit::Partial),
    }
}

async fn carry_out(session: &Session, command: Command) -> anyhow::Result<Exit> {
    match command {
        Command::Tui => tui::run(session).await,
        Command::Stats(args) => stats::run(session, &args).await,
        Command::Ls(args) => ls::run(session, &args).await,
        Command::Show(args) => show::run(session, &args).await,
        Command::Flush(args) => flush::run(session, &args).await,
        Command::Ttl(args) => ttl::run(session, &args).await,
        Command::Enrich(args) => enrich::run(session, &args).await,
        Command::Warm(args) => warm::run(session, &args).await,
        Command::Watch(args) => watch::run(session, &args).await,
        Command::Doctor => doctor::run(session).await,
        Command::DemoUpstream(args) => demo_upstream::run(session, &args).await,
        Command::Completions { .. } | Command::Man => Ok(Exit::Done),
    }
}

/// What every command is given.
struct Session {
    global: Global,
    settings: Settings,
    style: Style,
}

/// An open cache.
struct Cache {
    store: Arc<dyn Inspect>,
    /// SQLite stands in for a Redis that cannot be reached.
    is_fallback: bool,
    /// Deletes the throw-away cache when dropped.
    _demo: Option<Demo>,
}

impl Session {
    /// Opens the cache to look at it: SQLite may stand in for Redis.
    async fn open_to_read(&self) -> anyhow::Result<Cache> {
        let when = if self.global.no_fallback { WhenUnreachable::Fail } else { WhenUnreachable::UseSqlite };
        self.open(when).await
    }

    /// Opens the cache to change it: nobody deletes from a cache that he did not name.
    async fn open_to_change(&self) -> anyhow::Result<Cache> {
        self.open(WhenUnreachable::Fail).await
    }

    /// Opens the cache as a program that uses it does: SQLite may stand in, and is made where it is not there, unless
    /// nothing is to be stored.
    async fn open_to_use(&self, config: &Config, stores: bool) -> anyhow::Result<Cache> {
        let when = if self.global.no_fallback { WhenUnreachable::Fail } else { WhenUnreachable::UseSqlite };
        self.open_as(config, OpenOptions { creates: stores, ..self.options(when) }).await
    }

    async fn open(&self, when_unreachable: WhenUnreachable) -> anyhow::Result<Cache> {
        self.open_as(&self.settings.cache, self.options(when_unreachable)).await
    }

    async fn open_as(&self, config: &Config, options: OpenOptions) -> anyhow::Result<Cache> {
        if self.global.demo {
            let demo = demo::cache(config.services.clone()).await?;
            let store = if self.global.read_only { read_only(&demo) } else { Arc::clone(&demo.store) };
            return Ok(Cache { store, is_fallback: false, _demo: Some(demo) });
        }
        self.check_settings()?;
        let Opened { store, fallback } = cache_core::open(config, options).await.context(CannotOpen)?;
        if let Some(error) = &fallback {
            // Even who wants it quiet must know which cache he is told of.
            let reason = exit::chain(error);
            output::tell(&safe::line(&format!("Redis connection failed: {reason}. Falling back to SQLite")));
        }
        Ok(Cache { store, is_fallback: fallback.is_some(), _demo: None })
    }

    fn options(&self, when_unreachable: WhenUnreachable) -> OpenOptions {
        OpenOptions { when_unreachable, is_read_only: self.global.read_only, creates: false }
    }

    /// Refuses to go on with settings that cannot be used: the default might be another cache than the one meant.
    fn check_settings(&self) -> anyhow::Result<()> {
        match self.settings.problems.as_slice() {
            [] => Ok(()),
            problems => Err(Refused(problems.join("; ")).into()),
        }
    }

    /// Tells the user something that is no result.
    fn note(&self, text: &str) {
        if !self.global.quiet {
            output::tell(&safe::line(text));
        }
    }
}

/// The throw-away cache, protected.
fn read_only(demo: &Demo) -> Arc<dyn Inspect> {
    Arc::new(ReadOnly::new(Arc::clone(&demo.store)))
}
