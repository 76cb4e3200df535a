//! A cache over a real store, asking the program's own demo upstream, and passes of single services through it.

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

/// What a cache under test stands on.
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

/// What one pass over one service brought.
pub struct Brought {
    pub outcome: Result<Value, FetchFailure>,
    pub tally: PassMetrics,
    pub digests: Vec<ResponseDigest>,
    pub gaps: Vec<Gap>,
}

/// The settings of a cache and of the services behind it.
#[derive(Clone, Default)]
pub struct Settings {
    pub cache: Config,
    pub services: Services,
}

/// Settings under which the services are where the demo upstream is and allow everything, and patience for a busy machine.
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

    /// Asks one service for everything.
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

    /// Everything that is stored.
    pub async fn entries(&self) -> Vec<Summary> {
        let pages = cache_core::pages(Arc::clone(&self.store), Filter::default());
        let pages: Vec<_> = pages.try_collect().await.unwrap();
        pages.into_iter().flat_map(|page| page.entries).collect()
    }
}

impl Brought {
    /// The data of a service that brought some.
    pub fn data(&self) -> &Value {
        self.outcome.as_ref().unwrap()
    }

    /// What it could not have, each with the reason.
    pub fn gaps(&self) -> Vec<String> {
        self.gaps.iter().map(|gap| format!("{}: {}", gap.part, gap.problem)).collect()
    }

    /// Why it brought none.
    pub fn problem(&self) -> String {
        self.outcome.as_ref().unwrap_err().to_string()
    }
}

/// One of the demo's titles.
pub fn cowboy_bebop() -> Anime {
    Anime {
        title: "Cowboy Bebop".to_owned(),
        ids: Ids { mal: Some(1), anilist: Some(1), kitsu: Some("1".to_owned()), anidb: Some(23), ..Ids::default() },
        ..Anime::default()
    }
}
