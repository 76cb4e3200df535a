//! The HTTP cache between a caller and an origin.

#![allow(clippy::unwrap_used)]

#[path = "../harness/origin.rs"]
mod origin;
#[path = "../harness/redis_server.rs"]
mod redis_server;

mod body_validation;
mod bypass;
mod cache_modes;
mod events;
mod headers;
mod keys;
mod overrides;
mod pipeline;
mod resumed_bodies;
mod reverse_proxy;
mod single_flight;
mod specification;
mod stats;
mod streaming;
mod truncated_bodies;
mod ttl;

use std::sync::Arc;
use std::time::Duration;

use cache_core::{Cache, Config, IfMissing, Memory, PolicyKind, Redis, RedisUrl, ServiceName, Sqlite};
use redis_server::RedisServer;
use tempfile::TempDir;

/// Settings with this policy for all services, and a timeout for a machine that is busy with other tests.
fn settings(policy: PolicyKind) -> Config {
    let mut config = Config { store_timeout: Duration::from_secs(10), ..Config::default() };
    let other = config.services.get_mut(ServiceName::OTHER);
    (other.policy, other.is_shared_by_all) = (policy, true);
    config
}

/// A cache in memory with this policy.
fn cache(policy: PolicyKind) -> Cache {
    let config = settings(policy);
    Cache::with_store(Arc::new(Memory::new(config.services.clone())), &config)
}

/// A cache in a Redis database of its own, and its URL.
fn redis_cache(policy: PolicyKind) -> (Cache, String) {
    let url = RedisServer::fresh_database();
    (redis_cache_at(&url, policy), url)
}

fn redis_cache_at(url: &str, policy: PolicyKind) -> Cache {
    let config = Config { redis_url: RedisUrl::new(url), ..settings(policy) };
    Cache::with_store(Arc::new(Redis::new(&config).unwrap()), &config)
}

/// The store under test.
enum On {
    Memory,
    Redis,
    Sqlite,
}

impl On {
    /// A cache on a new store, and the directory of its file.
    async fn cache(self, policy: PolicyKind) -> (Cache, TempDir) {
        let directory = tempfile::tempdir().unwrap();
        let cache = match self {
            Self::Memory => cache(policy),
            Self::Redis => redis_cache(policy).0,
            Self::Sqlite => {
                let config = settings(policy);
                let file = directory.path().join("http_cache.db");
                let store = Sqlite::open(&file, config.services.clone(), IfMissing::Create).await.unwrap();
                Cache::with_store(Arc::new(store), &config)
            }
        };
        (cache, directory)
    }
}
