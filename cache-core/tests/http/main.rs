//! The HTTP cache as a caller and an origin see it.

#![allow(clippy::unwrap_used)]

#[path = "../harness/origin.rs"]
mod origin;
#[path = "../harness/redis_server.rs"]
mod redis_server;

mod anew;
mod bypass;
mod coalescing;
mod counting;
mod cuts;
mod events;
mod fields;
mod judging;
mod keys;
mod mending;
mod overrides;
mod pipeline;
mod specification;
mod streaming;
mod ttl;

use std::sync::Arc;
use std::time::Duration;

use cache_core::{Cache, Config, Memory, PolicyName, Redis, RedisUrl, Service};
use redis_server::RedisServer;

/// Settings with this policy for Jikan, and patience for a machine that is busy with other tests.
fn settings(policy: PolicyName) -> Config {
    let mut config = Config { store_patience: Duration::from_secs(10), ..Config::default() };
    config.services.set_policy(Service::Jikan, policy);
    config
}

/// A cache in memory whose Jikan has this policy.
fn cache(policy: PolicyName) -> Cache {
    let config = settings(policy);
    Cache::over(Arc::new(Memory::new(config.services.clone())), &config)
}

/// A cache in a Redis database of its own, and its URL.
fn redis_cache(policy: PolicyName) -> (Cache, String) {
    let url = RedisServer::fresh_database();
    let config = Config { redis_url: RedisUrl::new(url.as_str()), ..settings(policy) };
    (Cache::over(Arc::new(Redis::new(&config).unwrap()), &config), url)
}
