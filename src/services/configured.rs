//! Services with their configured URL, policy, TTL, rate limit and token.

use std::collections::BTreeMap;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use cache_core::{Config, PolicyKind, RateLimit, ServiceName, ServiceRegistry};
use percent_encoding::percent_decode_str;
use url::Url;

use crate::services::anidb::AniDbClient;
use crate::services::table::{registry, table};
use crate::services::token::Token;

/// Services with their configured URL, policy, TTL, rate limit and token.
#[derive(Clone, Debug, PartialEq)]
pub struct Services {
    registry: ServiceRegistry,
    tokens: BTreeMap<ServiceName, Token>,
    /// `Authorization` for configured URLs with a user.
    credentials: BTreeMap<ServiceName, Token>,
    /// `ANIDB_CLIENT`, `ANIDB_CLIENTVER` and `ANIDB_PROTOVER`.
    pub anidb_client: AniDbClient,
}

impl Default for Services {
    fn default() -> Self {
        Self {
            registry: registry().clone(),
            tokens: BTreeMap::new(),
            credentials: BTreeMap::new(),
            anidb_client: AniDbClient::default(),
        }
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

    /// Replaces the server of a service: a URL with the host and port of `url` belongs to the service, too. User and
    /// password are taken out of it, so that they become no part of keys and messages.
    pub fn set_url(&mut self, service: ServiceName, url: &str) {
        let (url, userinfo) = without_userinfo(url);
        self.credentials.remove(&service);
        if let Some(userinfo) = userinfo {
            self.credentials.insert(service, basic(userinfo));
        }
        self.registry.get_mut(service).base_url = Some(url);
    }

    /// The `Authorization` for the configured URL of a service, if it had a user.
    pub fn credentials(&self, service: ServiceName) -> Option<&Token> {
        self.credentials.get(&service)
    }

    /// The URL of a service: the configured one, else the real one; empty for `other`.
    pub fn url(&self, service: ServiceName) -> &str {
        let real = || table().row(service).map_or("", |row| row.base_url.as_str());
        self.registry.get(service).base_url.as_deref().unwrap_or_else(real)
    }
}

/// What a base URL must be, if this text is none.
pub fn base_url_problem(text: &str) -> Option<&'static str> {
    let is_usable = |url: Url| matches!(url.scheme(), "http" | "https") && url.has_host() && url.fragment().is_none();
    (!Url::parse(text).is_ok_and(is_usable)).then_some("an http:// or https:// URL without a fragment")
}

/// A URL and the user information that it had. Nothing else is changed: keys are made of it.
fn without_userinfo(url: &str) -> (String, Option<&str>) {
    let Some((scheme, rest)) = url.split_once("://") else { return (url.to_owned(), None) };
    let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    match authority.rsplit_once('@') {
        Some((userinfo, host)) => (format!("{scheme}://{host}{path}"), Some(userinfo)),
        None => (url.to_owned(), None),
    }
}

/// The value of `Authorization` for `user:password`.
fn basic(userinfo: &str) -> Token {
    let (user, password) = userinfo.split_once(':').unwrap_or((userinfo, ""));
    let decoded: Vec<u8> =
        percent_decode_str(user).chain(std::iter::once(b':')).chain(percent_decode_str(password)).collect();
    Token::new(format!("Basic {}", STANDARD.encode(decoded)))
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

    #[test]
    fn user_of_a_url_is_sent_and_not_kept_in_it() {
        let mut services = Services::default();
        services.set_url(jikan(), "http://me:p%40ss@127.0.0.1:8999/v4?x=a@b");
        assert_eq!(services.url(jikan()), "http://127.0.0.1:8999/v4?x=a@b");
        assert_eq!(services.credentials(jikan()).map(Token::secret), Some("Basic bWU6cEBzcw=="));
        services.set_url(jikan(), "http://127.0.0.1:8999/@v4");
        assert_eq!((services.url(jikan()), services.credentials(jikan())), ("http://127.0.0.1:8999/@v4", None));
    }

    #[test]
    fn a_base_url_is_an_http_url() {
        for url in ["http://127.0.0.1:1", "https://me:pw@h/v4?token=x"] {
            assert_eq!(base_url_problem(url), None, "{url}");
        }
        for url in ["", "h", "//h", "ftp://h", "http://", "http://h/#x", "file:///x"] {
            assert!(base_url_problem(url).is_some(), "{url}");
        }
    }
}
