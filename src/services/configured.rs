//! Services with their configured URL, policy, TTL, rate limit and token.

use std::collections::BTreeMap;
use std::time::Duration;

use cache_core::{Config, PolicyKind, RateLimit, ServiceName, ServiceRegistry};

use crate::services::anidb::AniDbClient;
use crate::services::table::{registry, table};
use crate::services::token::Token;

/// Services with their configured URL, policy, TTL, rate limit and token.
#[derive(Clone, Debug, PartialEq)]
pub struct Services {
    registry: ServiceRegistry,
    tokens: BTreeMap<ServiceName, Token>,
    /// `ANIDB_CLIENT`, `ANIDB_CLIENTVER` and `ANIDB_PROTOVER`.
    pub anidb_client: AniDbClient,
}

impl Default for Services {
    fn default() -> Self {
        Self { registry: registry().clone(), tokens: BTreeMap::new(), anidb_client: AniDbClient::default() }
    }
}

impl Services {
    /// The service settings of a cache.
    pub fn registry(&self) -> &ServiceRegistry {
        &self.registry
    }

    /// The configuration of a cache with these services.
    pub fn config(&self, cache: &Config) -> Config {
        Config { services: self.registry.clone(), ..cache.clone() }
    }

    /// The TTL that entries of a service are stored with.
    pub fn ttl(&self, service: ServiceName) -> Duration {
        self.registry.get(service).ttl
    }

    /// Sets the TTL of a service.
    pub fn set_ttl(&mut self, service: ServiceName, ttl: Duration) {
        self.registry.get_mut(service).ttl = ttl;
    }

    /// Sets the policy of a service.
    pub fn set_policy(&mut self, service: ServiceName, policy: PolicyKind) {
        self.registry.get_mut(service).policy = policy;
    }

    /// The token of a service; `None` if none is configured.
    pub fn token(&self, service: ServiceName) -> Option<&Token> {
        self.tokens.get(&service)
    }

    /// Sets the token of a service.
    pub fn set_token(&mut self, service: ServiceName, token: Token) {
        self.tokens.insert(service, token);
    }

    /// The rate limit of a service: the configured one, else the published one, also if the URL is replaced.
    pub fn limit(&self, service: ServiceName) -> RateLimit {
        self.registry.get(service).rate_limit.clone()
    }

    /// Sets the rate limit of a service.
    pub fn set_limit(&mut self, service: ServiceName, limit: RateLimit) {
        self.registry.get_mut(service).rate_limit = limit;
    }

    /// Replaces the server of a service: a URL with the host and port of `url` belongs to the service, too.
    pub fn set_url(&mut self, service: ServiceName, url: &str) {
        self.registry.get_mut(service).base_url = Some(url.to_owned());
    }

    /// The URL of a service: the configured one, else the real one; empty for `other`.
    pub fn url(&self, service: ServiceName) -> &str {
        let real = || table().row(service).map_or("", |row| row.base_url.as_str());
        self.registry.get(service).base_url.as_deref().unwrap_or_else(real)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::services::names::{all, jikan};

    #[test]
    fn a_limit_is_as_it_was_set_or_as_the_service_states() {
        let mut services = Services::default();
        for (service, limit) in
            all().zip(["1/500ms,60/1m", "1/500ms,30/1m", "1/2s", "1/100ms", "120/1m", "1/1s", "1/1s", "none"])
        {
            assert_eq!(services.limit(service).to_string(), limit, "{service}");
        }
        services.set_url(jikan(), "http://127.0.0.1:8999/v4");
        assert_eq!(services.limit(jikan()).to_string(), "1/500ms,60/1m");
        services.set_limit(jikan(), "3/1s".parse().unwrap());
        assert_eq!(services.limit(jikan()).to_string(), "3/1s");
    }

    #[test]
    fn a_configured_url_stands_in_for_the_real_host() {
        let mut services = Services::default();
        services.set_url(jikan(), "http://127.0.0.1:8999/v4");
        assert_eq!(services.registry().by_url("http://127.0.0.1:8999/v4/anime/1"), jikan());
        assert_eq!(services.registry().by_url("http://127.0.0.1:9000/v4/anime/1"), ServiceName::OTHER);
        assert_eq!(services.url(jikan()), "http://127.0.0.1:8999/v4");
        assert_eq!(Services::default().url(jikan()), "https://api.jikan.moe/v4");
    }
}
