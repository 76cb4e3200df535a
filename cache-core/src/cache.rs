//! [`Cache`], the entry point of the crate. It connects a store with the HTTP cache and the result cache; no other
//! module imports it.

use std::sync::Arc;
use std::time::Duration;

use crate::config::Config;
use crate::error::Result;
use crate::http::cache::HttpCache;
#[cfg(feature = "reqwest")]
use crate::http::client::CachedClient;
use crate::model::duration::MAX_DURATION;
use crate::model::inspection::Health;
use crate::model::service::ServiceName;
use crate::model::window::StatsSnapshot;
use crate::results::cache::ResultCache;
use crate::runtime::guarded_store::GuardedStore;
use crate::runtime::removals::Removals;
use crate::runtime::shared::{CacheHandle, CacheShared, ShutdownGuard};
use crate::runtime::single_flight::SingleFlight;
use crate::runtime::tasks::TaskGroup;
use crate::store::inspect::Inspect;
use crate::store::layered::memory_tier::MemoryTier;
use crate::store::memory::Memory;
use crate::store::open::{OpenOptions, WhenUnreachable, open};
#[cfg(feature = "reqwest")]
use crate::transport::shared::SharedTransports;
use crate::transport::traits::Transport;

/// How long [`Cache::close`] waits for running tasks.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(2);

/// An open HTTP and result cache. Cloning is cheap; clones share the connection, and background tasks end when the last
/// clone is dropped.
#[derive(Clone)]
pub struct Cache {
    core: CacheHandle,
    results: ResultCache,
    inspect: Arc<dyn Inspect>,
}

impl Cache {
    /// Opens the configured cache. If Redis is unreachable, SQLite is used until it is available again; entries and
    /// counters stored there are not copied back. If the cache is disabled, no backend is opened.
    ///
    /// # Errors
    /// If the configuration is invalid, including a wrong password, or if no backend is usable.
    pub async fn open(config: &Config) -> Result<Self> {
        if !config.enabled {
            return Ok(Self::with_store(Arc::new(Memory::new(config.services.clone())), config));
        }
        let options =
            OpenOptions { when_unreachable: WhenUnreachable::UseSqliteMeanwhile, is_read_only: false, creates: true };
        let opened = open(config, options).await?;
        Ok(Self::with_store(opened.store, config))
    }

    /// Creates a cache on an open store.
    pub fn with_store(store: Arc<dyn Inspect>, config: &Config) -> Self {
        let store = match config.memory_ttl {
            Some(time) => Arc::new(MemoryTier::new(store, time.min(MAX_DURATION))),
            None => store,
        };
        let tasks = TaskGroup::new();
        let graceful = Arc::new(GuardedStore::new(Arc::clone(&store) as _, config.store_timeout, tasks.clone()));
        let core = CacheShared {
            single_flight: SingleFlight::new(Arc::clone(&graceful), tasks.clone()),
            removals: Removals::new(Arc::clone(&graceful), tasks.clone()),
            stats: Arc::default(),
            tasks,
            #[cfg(feature = "reqwest")]
            transports: SharedTransports::default(),
            store: graceful,
            services: config.services.clone(),
            is_enabled: config.enabled,
            largest_entry: config.largest_entry,
        };
        core.tasks.spawn(Arc::clone(&core.stats).run(Arc::clone(&core.store)));
        let core = CacheHandle(Arc::new(ShutdownGuard(Arc::new(core))));
        Self { results: ResultCache::new(core.clone()), core, inspect: store }
    }

    /// Returns an HTTP client for a service, with its policy and TTL.
    #[cfg(feature = "reqwest")]
    pub fn client(&self, service: ServiceName) -> CachedClient {
        CachedClient::new(self.core.clone(), service)
    }

    /// Returns the HTTP cache of a service with a custom [`Transport`].
    pub fn http(&self, service: ServiceName, transport: Arc<dyn Transport>) -> HttpCache {
        HttpCache::new(self.core.clone(), service, transport)
    }

    /// Returns the cache of function results.
    pub fn results(&self) -> ResultCache {
        self.results.clone()
    }

    /// Returns the counters of all programs since `since` (Unix seconds). The last second may be missing.
    pub async fn stats(&self, since: f64) -> Result<StatsSnapshot> {
        self.inspect.stats(since).await
    }

    /// Returns the underlying store, for administration. It is empty if the cache is disabled.
    pub fn store(&self) -> &Arc<dyn Inspect> {
        &self.inspect
    }

    /// Checks the health of the store. Never fails: failures are reported in [`Health`].
    pub async fn health(&self) -> Health {
        self.inspect.health().await
    }

    /// Finishes pending writes and releases leases, waiting a few seconds at most, then stops background tasks.
    /// Connections are closed with the last clone and client.
    pub async fn close(self) {
        self.core.stats.stop();
        self.core.tasks.close(SHUTDOWN_TIMEOUT).await;
        self.core.stats.flush(&self.core.store).await;
    }
}

impl AsRef<ResultCache> for Cache {
    fn as_ref(&self) -> &ResultCache {
        &self.results
    }
}
