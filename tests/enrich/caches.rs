//! Caches over real stores with simulated services, and passes of single services.

use std::sync::Arc;
use std::time::Duration;

use animecache::anime::{Anime, Ids};
use animecache::demo::server::Upstream;
use animecache::enrich::error::FetchFailure;
use animecache::enrich::metrics::{Gap, Metrics, PassMetrics, ResponseDigest};
use animecache::enrich::mode::Mode;
use animecache::enrich::network::Network;
use animecache::enrich::service_client::ServiceClient;
use animecache::enrich::sources::source;
use animecache::services::Services;
use cache_core::{
    Cache, Config, Filter, IfMissing, Inspect, Memory, RateLimit, Redis, RedisUrl, ServiceName, Sqlite, Summary,
};
use futures_util::TryStreamExt as _;
use serde_json::Value;
use tempfile::TempDir;

use crate::redis_server::RedisServer;

/// The store of a cache under test.
#[derive(Clone, Copy)]
pub enum On {
    Memory,
    Redis,
    Sqlite,
}

/// A cache and a network.
pub struct Subject {
    pub config: Settings,
    pub store: Arc<dyn Inspect>,
    cache: Cache,
    network: Network,
    _directory: TempDir,
}

/// The outcome of one pass over one service.
pub struct Brought {
    pub outcome: Result<Value, FetchFailure>,
    pub tally: PassMetrics,
    pub digests: Vec<ResponseDigest>,
    pub gaps: Vec<Gap>,
}

/// The settings of a cache and its services.
#[derive(Clone, Default)]
pub struct Settings {
    pub cache: Config,
    pub services: Services,
}

/// Settings with the URLs of the simulated services, without rate limits, and with a long store timeout for busy
/// machines.
pub fn settings(upstream: Option<&Upstream>) -> Settings {
    let cache = Config { store_timeout: Duration::from_secs(10), ..Config::default() };
    let mut config = Settings { cache, ..Settings::default() };
    for service in animecache::services::all() {
        config.services.set_limit(service, RateLimit::default());
    }
    for (service, url) in upstream.into_iter().flat_map(Upstream::urls) {
        config.services.set_url(*service, url);
    }
    config
}

impl Subject {
    /// An empty cache.
    pub async fn open(on: On, mut config: Settings, network: Network) -> Self {
        let directory = tempfile::tempdir().unwrap();
        config.cache = config.services.config(&config.cache);
        let services = config.cache.services.clone();
        let store: Arc<dyn Inspect> = match on {
            On::Memory => Arc::new(Memory::new(services)),
            On::Redis => {
                config.cache.redis_url = RedisUrl::new(RedisServer::fresh_database());
                Arc::new(Redis::new(&config.cache).unwrap())
            }
            On::Sqlite => {
                let file = directory.path().join("http_cache.db");
                Arc::new(Sqlite::open(&file, services, IfMissing::Create).await.unwrap())
            }
        };
        let cache = Cache::with_store(Arc::clone(&store), &config.cache);
        Self { config, store, cache, network, _directory: directory }
    }

    /// Runs one pass over one service.
    pub async fn ask(&self, service: ServiceName, anime: &Anime) -> Brought {
        let metrics = Arc::new(Metrics::default());
        let services = &self.config.services;
        let source = source(service).unwrap();
        let client =
            ServiceClient::new(&self.cache, &self.network, service, services, Mode::Usual, Arc::clone(&metrics))
                .with_ban_check(source.is_ban());
        let outcome = source.fetch(anime, &client).await;
        Brought { outcome, tally: metrics.snapshot(), digests: metrics.digests(), gaps: metrics.gaps() }
    }

    /// All stored entries.
    pub async fn entries(&self) -> Vec<Summary> {
        let pages = cache_core::pages(Arc::clone(&self.store), Filter::default());
        let pages: Vec<_> = pages.try_collect().await.unwrap();
        pages.into_iter().flat_map(|page| page.entries).collect()
    }
}

impl Brought {
    /// The data of a successful pass.
    pub fn data(&self) -> &Value {
        self.outcome.as_ref().unwrap()
    }

    /// The missing parts with their reasons.
    pub fn gaps(&self) -> Vec<String> {
        self.gaps.iter().map(|gap| format!("{}: {}", gap.part, gap.problem)).collect()
    }

    /// The failure of the pass.
    pub fn problem(&self) -> String {
        self.outcome.as_ref().unwrap_err().to_string()
    }
}

/// A title of the built-in anime database.
pub fn cowboy_bebop() -> Anime {
    Anime {
        title: "Cowboy Bebop".to_owned(),
        ids: Ids { mal: Some(1), anilist: Some(1), kitsu: Some("1".to_owned()), anidb: Some(23), ..Ids::default() },
        ..Anime::default()
    }
}
