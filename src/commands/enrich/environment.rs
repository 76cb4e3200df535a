//! What enrichments need around them: the cache as a program uses it, the way out, and, for the demo, the services.

use std::sync::Arc;

use crate::services::Services;
use anyhow::Context as _;

use crate::cli::enrich::ServiceArgs;
use crate::commands::session::{Cache, Session};
use crate::demo::server::Upstream;
use crate::enrich::browser::Browser;
use crate::enrich::mode::Mode;
use crate::enrich::network::Network;

/// All that is needed.
pub(crate) struct Stage {
    pub(crate) cache: cache_core::Cache,
    pub(crate) network: Network,
    pub(crate) services: Services,
    _upstream: Option<Upstream>,
    _opened: Cache,
}

impl Stage {
    /// Sets it all up.
    pub(crate) async fn set(session: &Session, args: &ServiceArgs, mode: Mode) -> anyhow::Result<Self> {
        let mut services = session.settings.services.clone();
        let upstream = if args.demo_upstream || (session.global.demo && mode != Mode::Offline) {
            Some(Upstream::start(None, 1.0).await.context("cannot start the demo services")?)
        } else {
            None
        };
        // Before the cache is opened: it tells the service of an entry by these.
        if let Some(upstream) = &upstream {
            upstream.stand_in(&mut services);
        }
        let config = services.config(&session.settings.cache);
        let network = match &args.browser {
            Some(program) => {
                Network::new().with_browser(Browser::new(program.clone(), &services).context("--browser")?)
            }
            None => Network::for_sites(&services),
        };
        let opened = session.open_to_use(&config, mode.stores()).await?;
        if !config.enabled {
            session
                .note("warning: caching is disabled (ENABLE_HTTP_CACHE): nothing is read from or written to the cache");
        }
        let cache = cache_core::Cache::over(Arc::clone(&opened.store), &config);
        Ok(Self { cache, network, services, _upstream: upstream, _opened: opened })
    }

    /// Lets the cache write what it still has to write.
    pub(crate) async fn close(self) {
        self.cache.close().await;
    }
}
