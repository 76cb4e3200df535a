//! The session of a command: settings, style, and the cache opened as the command needs it.

use std::sync::Arc;

use anyhow::Context as _;
use cache_core::{Capabilities, Config, Inspect, OpenOptions, Opened, ReadOnly, TlsVerification, WhenUnreachable};

use crate::cli::Global;
use crate::demo::Demo;
use crate::exit::{CannotOpen, Exit, Refused};
use crate::output::human::count;
use crate::output::safe;
use crate::output::style::Style;
use crate::settings::Settings;
use crate::{demo, output};

/// The session of a command.
pub(crate) struct Session {
    pub(crate) global: Global,
    pub(crate) settings: Settings,
    pub(crate) style: Style,
}

/// An open cache.
pub(crate) struct OpenCache {
    pub(crate) store: Arc<dyn Inspect>,
    /// SQLite is used because Redis is unreachable.
    pub(crate) is_fallback: bool,
    /// What the server was when the cache was opened.
    pub(crate) server: Option<Box<Capabilities>>,
    /// Deletes the demo cache when dropped.
    pub(crate) demo: Option<Demo>,
}

impl Session {
    /// Opens the cache for reading, with SQLite as fallback.
    pub(crate) async fn open_to_read(&self) -> anyhow::Result<OpenCache> {
        let when = if self.global.no_fallback { WhenUnreachable::Fail } else { WhenUnreachable::UseSqlite };
        let cache = self.open(when).await?;
        if let Some(server) = &cache.server {
            for reason in
                [server.incomplete_reason().or_else(|| server.read_only_reason()), server.writes_refused.clone()]
                    .into_iter()
                    .flatten()
            {
                self.warn(&format!("{}: {reason}", cache.store.id()));
            }
        }
        Ok(cache)
    }

    /// Opens the cache for changes, without a fallback: they must not affect another cache than the configured one.
    pub(crate) async fn open_to_change(&self) -> anyhow::Result<OpenCache> {
        let cache = self.open(WhenUnreachable::Fail).await?;
        // Before a plan is made and confirmed that would then fail for each entry.
        match cache.server.as_deref().and_then(Capabilities::read_only_reason) {
            Some(reason) => Err(Refused(format!("{} cannot be changed: {reason}", cache.store.id())).into()),
            None => Ok(cache),
        }
    }

    /// Opens the cache for use, with SQLite as fallback, which is created if something will be stored.
    pub(crate) async fn open_to_use(&self, config: &Config, stores: bool) -> anyhow::Result<OpenCache> {
        // What is fetched and stored depends on all settings.
        if let Some(source) = self.settings.unread.first().filter(|_| !self.global.demo) {
            return Err(Refused(source.clone()).into());
        }
        let when = if self.global.no_fallback { WhenUnreachable::Fail } else { WhenUnreachable::UseSqlite };
        self.open_as(config, OpenOptions { creates: stores, ..self.options(when) }).await
    }

    pub(crate) async fn open(&self, when_unreachable: WhenUnreachable) -> anyhow::Result<OpenCache> {
        self.open_as(&self.settings.cache, self.options(when_unreachable)).await
    }

    async fn open_as(&self, config: &Config, options: OpenOptions) -> anyhow::Result<OpenCache> {
        if self.global.demo {
            let demo = demo::cache(config.services.clone()).await?;
            let store = if self.global.read_only { read_only(&demo) } else { Arc::clone(&demo.store) };
            return Ok(OpenCache { store, is_fallback: false, server: None, demo: Some(demo) });
        }
        self.check_settings()?;
        let opened = cache_core::open(config, options).await;
        if let Err(error) = &opened
            && error.is_temporary()
            && options.when_unreachable == WhenUnreachable::UseSqlite
        {
            self.note(&format!("no fallback: {} does not exist", config.sqlite_file().display()));
        }
        let Opened { store, fallback } = opened.context(CannotOpen)?;
        if let Some(error) = &fallback {
            // Even with --quiet: the output is about another cache than the configured one.
            let reason = cache_core::error_chain(error);
            output::print_error(&safe::line(&format!("Redis connection failed: {reason}. Falling back to SQLite")));
        }
        let server = store.health().await.server.filter(|_| fallback.is_none());
        Ok(OpenCache { store, is_fallback: fallback.is_some(), server, demo: None })
    }

    pub(crate) fn options(&self, when_unreachable: WhenUnreachable) -> OpenOptions {
        OpenOptions { when_unreachable, is_read_only: self.global.read_only, creates: false }
    }

    /// Refuses invalid settings: a default might name another cache than the intended one.
    pub(crate) fn check_settings(&self) -> anyhow::Result<()> {
        match self.settings.problems.as_slice() {
            problems if problems.is_empty() || self.global.demo => Ok(()),
            problems => Err(Refused(problems.join("; ")).into()),
        }
    }

    /// The exit code of a listing of which `denied` entries could not be read, which is reported.
    pub(crate) fn listing_exit(&self, cache: &OpenCache, denied: u64) -> Exit {
        if denied > 0 {
            let entries = if denied == 1 { "1 entry".to_owned() } else { format!("{} entries", count(denied)) };
            self.warn(&format!("{entries} could not be read: this Redis user lacks permission for their keys"));
        }
        let is_incomplete = cache.server.as_ref().is_some_and(|server| server.incomplete_reason().is_some());
        if denied > 0 || is_incomplete { Exit::Partial } else { Exit::Done }
    }

    /// Warns of settings that are not read, and of certificates that are not verified.
    pub(crate) fn warn_of_settings(&self) {
        if self.global.demo {
            return;
        }
        for problem in self.settings.unread.iter().chain(&self.settings.unused) {
            self.warn(problem);
        }
        if self.settings.cache.tls_verification() == Some(TlsVerification::None) {
            self.warn("the certificate of the Redis server is not verified");
        }
    }

    /// Prints a warning on standard error, unless --quiet.
    pub(crate) fn warn(&self, text: &str) {
        if !self.global.quiet {
            output::warning(&safe::line(text));
        }
    }

    /// Prints a notice on standard error, unless --quiet.
    pub(crate) fn note(&self, text: &str) {
        if !self.global.quiet {
            output::print_error(&safe::line(text));
        }
    }
}

/// The demo cache, read-only.
pub(crate) fn read_only(demo: &Demo) -> Arc<dyn Inspect> {
    Arc::new(ReadOnly::new(Arc::clone(&demo.store)))
}
