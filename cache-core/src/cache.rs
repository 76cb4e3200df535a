//! The front door: one cache for a whole program, over one shared connection.

use std::sync::Arc;
use std::time::Duration;

use crate::config::Config;
use crate::error::Result;
use crate::http::cache::HttpCache;
use crate::http::client::CachedClient;
use crate::model::inspection::Health;
use crate::model::service::ServiceName;
use crate::model::window::Counted;
use crate::results::cache::ResultCache;
use crate::runtime::guarded_store::Graceful;
use crate::runtime::shared::{Core, EndTasks, Hold};
use crate::runtime::single_flight::Flights;
use crate::runtime::tasks::Tasks;
use crate::store::inspect::Inspect;
use crate::store::layered::memory_tier::FirstLevel;
use crate::store::memory::Memory;
use crate::store::open::{OpenOptions, WhenUnreachable, open};
use crate::transport::shared::Senders;
use crate::transport::traits::Sender;

/// How long [`Cache::close`] waits for what is under way.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// The caches of one program: the seed's singleton. Clones share everything; the last one dropped ends its tasks.
#[derive(Clone)]
pub struct Cache {
    core: Hold,
    results: ResultCache,
    inspect: Arc<dyn Inspect>,
}

impl Cache {
    /// Opens the cache that the settings name. Where Redis does not answer, SQLite stands in for as long as that
    /// lasts; what is stored and counted there meanwhile stays there. Fails where the settings cannot be used, a wrong
    /// password among them, or neither can be opened. A cache that is not enabled opens nothing.
    pub async fn open(config: &Config) -> Result<Self> {
        if !config.enabled {
            return Ok(Self::over(Arc::new(Memory::new(config.services.clone())), config));
        }
        let options =
            OpenOptions { when_unreachable: WhenUnreachable::UseSqliteMeanwhile, is_read_only: false, creates: true };
        let opened = open(config, options).await?;
        Ok(Self::over(opened.store, config))
    }

    /// A cache over a store that is open already.
    pub fn over(store: Arc<dyn Inspect>, config: &Config) -> Self {
        let store = match config.first_level {
            Some(time) => Arc::new(FirstLevel::new(store, time)),
            None => store,
        };
        let tasks = Tasks::new();
        let graceful = Arc::new(Graceful::new(Arc::clone(&store) as _, config.store_patience, tasks.clone()));
        let core = Core {
            flights: Flights::new(Arc::clone(&graceful), tasks.clone()),
            counters: Arc::default(),
            tasks,
            senders: Senders::default(),
            store: graceful,
            services: config.services.clone(),
            is_enabled: config.enabled,
            largest_entry: config.largest_entry,
        };
        core.tasks.spawn(Arc::clone(&core.counters).hand_over_until_stopped(Arc::clone(&core.store)));
        let core = Hold(Arc::new(EndTasks(Arc::new(core))));
        Self { results: ResultCache::new(core.clone()), core, inspect: store }
    }

    /// The HTTP client of one service, with its policy and TTL.
    pub fn client(&self, service: ServiceName) -> CachedClient {
        CachedClient::new(self.core.clone(), service)
    }

    /// The HTTP cache of one service over a sender of one's own.
    pub fn http(&self, service: ServiceName, sender: Arc<dyn Sender>) -> HttpCache {
        HttpCache::new(self.core.clone(), service, sender)
    }

    /// The cache of function results.
    pub fn results(&self) -> ResultCache {
        self.results.clone()
    }

    /// What all programs that share this store have counted since then (Unix seconds); the last second may be missing.
    pub async fn counted(&self, since: f64) -> Result<Counted> {
        self.inspect.counters(since).await
    }

    /// The store underneath, for administration. Of a cache that was opened but is not enabled it is an empty one.
    pub fn store(&self) -> &Arc<dyn Inspect> {
        &self.inspect
    }

    /// How the store is.
    pub async fn health(&self) -> Health {
        self.inspect.health().await
    }

    /// Writes what is still to be written, and gives back what others wait for, for a few seconds at most; then every
    /// task of the cache has ended, and its connections with the last clone and client of it.
    pub async fn close(self) {
        self.core.counters.stop();
        self.core.tasks.close(LAST_WORDS).await;
        self.core.counters.hand_over(&self.core.store).await;
    }
}

impl AsRef<ResultCache> for Cache {
    fn as_ref(&self) -> &ResultCache {
        &self.results
    }
}
