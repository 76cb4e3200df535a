//! TODO

use std::sync::Arc;

use anyhow::Context as _;
use cache_core::{Config, Inspect, OpenOptions, Opened, ReadOnly, WhenUnreachable};

use crate::cli::Global;
use crate::demo::Demo;
use crate::exit::{CannotOpen, Refused};
use crate::output::safe;
use crate::output::style::Style;
use crate::settings::Settings;
use crate::{demo, output};

/// What every command is given.
pub(crate) struct Session {
    pub(crate) global: Global,
    pub(crate) settings: Settings,
    pub(crate) style: Style,
}

/// An open cache.
pub(crate) struct Cache {
    pub(crate) store: Arc<dyn Inspect>,
    /// SQLite stands in for a Redis that cannot be reached.
    pub(crate) is_fallback: bool,
    /// Deletes the throw-away cache when dropped.
    pub(crate) _demo: Option<Demo>,
}

impl Session {
    /// Opens the cache to look at it: SQLite may stand in for Redis.
    pub(crate) async fn open_to_read(&self) -> anyhow::Result<Cache> {
        let when = if self.global.no_fallback { WhenUnreachable::Fail } else { WhenUnreachable::UseSqlite };
        self.open(when).await
    }

    /// Opens the cache to change it: nobody deletes from a cache that he did not name.
    pub(crate) async fn open_to_change(&self) -> anyhow::Result<Cache> {
        self.open(WhenUnreachable::Fail).await
    }

    /// Opens the cache as a program that uses it does: SQLite may stand in, and is made where it is not there, unless
    /// nothing is to be stored.
    pub(crate) async fn open_to_use(&self, config: &Config, stores: bool) -> anyhow::Result<Cache> {
        let when = if self.global.no_fallback { WhenUnreachable::Fail } else { WhenUnreachable::UseSqlite };
        self.open_as(config, OpenOptions { creates: stores, ..self.options(when) }).await
    }

    pub(crate) async fn open(&self, when_unreachable: WhenUnreachable) -> anyhow::Result<Cache> {
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
            let reason = cache_core::chain(error);
            output::tell(&safe::line(&format!("Redis connection failed: {reason}. Falling back to SQLite")));
        }
        Ok(Cache { store, is_fallback: fallback.is_some(), _demo: None })
    }

    pub(crate) fn options(&self, when_unreachable: WhenUnreachable) -> OpenOptions {
        OpenOptions { when_unreachable, is_read_only: self.global.read_only, creates: false }
    }

    /// Refuses to go on with settings that cannot be used: the default might be another cache than the one meant.
    pub(crate) fn check_settings(&self) -> anyhow::Result<()> {
        match self.settings.problems.as_slice() {
            [] => Ok(()),
            problems => Err(Refused(problems.join("; ")).into()),
        }
    }

    /// Tells the user something that is no result.
    pub(crate) fn note(&self, text: &str) {
        if !self.global.quiet {
            output::tell(&safe::line(text));
        }
    }
}

/// The throw-away cache, protected.
pub(crate) fn read_only(demo: &Demo) -> Arc<dyn Inspect> {
    Arc::new(ReadOnly::new(Arc::clone(&demo.store)))
}
