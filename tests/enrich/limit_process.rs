//! A process that sends requests to one service, with its own cache handle and network.

use std::sync::Arc;

use animecache::enrich::error::FetchFailure;
use animecache::enrich::metrics::Metrics;
use animecache::enrich::mode::Mode;
use animecache::enrich::network::Network;
use animecache::enrich::response::ServiceResponse;
use animecache::enrich::service_client::ServiceClient;
use animecache::enrich::source::Source;
use animecache::enrich::sources::source;
use animecache::services::Services;
use cache_core::{Cache, Config, Inspect, Redis, RedisUrl, ServiceName};

use crate::origin::Origin;

/// One of several processes that share a store.
#[derive(Clone)]
pub struct Process {
    pub cache: Cache,
    pub network: Network,
    pub services: Services,
    pub service: ServiceName,
}

/// A client, and its metrics.
pub struct Asking {
    pub client: ServiceClient,
    pub metrics: Arc<Metrics>,
}

impl Process {
    /// A client of the service at `origin` with this rate limit.
    pub fn new(store: Arc<dyn Inspect>, service: ServiceName, origin: &Origin, limit: &str) -> Self {
        let mut services = Services::default();
        services.set_url(service, &origin.url(""));
        services.set_limit(service, limit.parse().unwrap());
        let cache = Cache::with_store(store, &services.config(&Config::default()));
        Self { cache, network: Network::new(), services, service }
    }

    pub fn asking(&self, mode: Mode) -> Asking {
        let metrics = Arc::<Metrics>::default();
        let client =
            ServiceClient::new(&self.cache, &self.network, self.service, &self.services, mode, Arc::clone(&metrics))
                .with_ban_check(source(self.service).and_then(Source::is_ban));
        Asking { client, metrics }
    }
}

impl Asking {
    /// Requests a path. A body that begins with an error or is compressed must not be stored.
    pub async fn ask(&self, path: &str) -> Result<ServiceResponse, FetchFailure> {
        let request = self.client.http().get(format!("{}{path}", self.client.url()));
        self.client.request(request, |body| !body.starts_with(b"<error") && !body.starts_with(&[0x1f, 0x8b])).await
    }

    pub async fn text(&self, path: &str) -> String {
        String::from_utf8(self.ask(path).await.unwrap().body.to_vec()).unwrap()
    }
}

/// The store of a Redis.
pub fn redis(url: &str) -> Arc<dyn Inspect> {
    Arc::new(Redis::new(&Config { redis_url: RedisUrl::new(url), ..Config::default() }).unwrap())
}
