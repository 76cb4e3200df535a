//! The HTTP cache as a caller and an origin see it.

#[path = "../harness/origin.rs"]
mod origin;
#[path = "../harness/redis_server.rs"]
mod redis_server;

mod ttl;

use std::sync::Arc;

use cache_core::{Cache, Config, Memory, PolicyName, Service};

/// A cache in memory whose clients have this policy.
fn cache(policy: PolicyName) -> Cache {
    let mut config = Config::default();
    config.services.set_policy(Service::Jikan, policy);
    over_memory(&config)
}

fn over_memory(config: &Config) -> Cache {
    Cache::over(Arc::new(Memory::new(config.services.clone())), config)
}
