//! The cache, the network and, for the demo, the simulated services of an enrichment.

use std::sync::Arc;
use std::time::Duration;

use crate::services::Services;
use anyhow::Context as _;

use crate::cli::enrich::ServiceArgs;
use crate::commands::session::{OpenCache, Session};
use crate::demo::server::Upstream;
use crate::enrich::browser::Browser;
use crate::enrich::mode::Mode;
use crate::enrich::network::Network;
use crate::exit::Refused;

/// The environment of one run.
pub(crate) struct Environment {
    pub(crate) cache: cache_core::Cache,
    pub(crate) network: Network,
    pub(crate) services: Services,
    _upstream: Option<Upstream>,
    _opened: OpenCache,
}

impl Environment {
    pub(crate) async fn new(session: &Session, args: &ServiceArgs, mode: Mode) -> anyhow::Result<Self> {
        let mut services = session.settings.services.clone();
        let upstream = if args.demo_upstream || (session.global.demo && mode != Mode::Offline) {
            Some(Upstream::start(None, 1.0).await.context("cannot start the demo services")?)
        } else {
            None
        };
        // Before the cache is opened: it recognizes the service of an entry by these URLs.
        if let Some(upstream) = &upstream {
            upstream.configure(&mut services);
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
            session.warn("caching is disabled (ENABLE_HTTP_CACHE): nothing is read from or written to the cache");
        }
        let cache = cache_core::Cache::with_store(Arc::clone(&opened.store), &config);
        Ok(Self { cache, network, services, _upstream: upstream, _opened: opened })
    }

    /// Waits until the cache has written everything.
    pub(crate) async fn close(self) {
        self.cache.close().await;
    }
}

/// The time limit of one service.
pub(crate) fn time_limit(args: &ServiceArgs) -> anyhow::Result<Duration> {
    if args.timeout.is_zero() {
        return Err(Refused("--timeout must be greater than 0".into()).into());
    }
    Ok(args.timeout)
}
