//! The seven services, and which of them an entry belongs to.
//!
//! The service is not part of any key: it is told from the host of the URL, or from the prefix of a result key.

use std::fmt;
use std::time::Duration;

use crate::model::rate_limit::Limit;
use crate::model::url::{authority, is_host_or_below, without_port};

/// How long every service's entries live unless set otherwise (the seed: 24 hours for all).
pub const DEFAULT_TTL: Duration = Duration::from_secs(86_400);

/// A source of the enrichment pipeline.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Service {
    /// Jikan, an API over MyAnimeList.
    Jikan,
    /// AniList, GraphQL.
    AniList,
    /// AniDB, XML.
    AniDb,
    /// Kitsu, JSON:API.
    Kitsu,
    /// AnimeSchedule.
    AnimeSchedule,
    /// Anime-Planet, crawled.
    AnimePlanet,
    /// AniSearch, crawled.
    AniSearch,
    /// None of the seven.
    Other,
}

impl Service {
    /// The seven, in the pipeline's order, and then `Other`.
    pub const ALL: [Self; 8] = [
        Self::Jikan,
        Self::AniList,
        Self::AniDb,
        Self::Kitsu,
        Self::AnimeSchedule,
        Self::AnimePlanet,
        Self::AniSearch,
        Self::Other,
    ];

    /// The name in settings, selectors and JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Jikan => "jikan",
            Self::AniList => "anilist",
            Self::AniDb => "anidb",
            Self::Kitsu => "kitsu",
            Self::AnimeSchedule => "animeschedule",
            Self::AnimePlanet => "anime_planet",
            Self::AniSearch => "anisearch",
            Self::Other => "other",
        }
    }

    /// The service of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|service| service.name() == name)
    }

    /// The service that a result belongs to, by the prefix of its key.
    pub fn of_result_prefix(prefix: &[u8]) -> Self {
        if prefix.starts_with(b"animeplanet") || prefix.starts_with(b"anime_planet") {
            Self::AnimePlanet
        } else if prefix.starts_with(b"anisearch") {
            Self::AniSearch
        } else {
            Self::Other
        }
    }

    /// Where it answers; empty for `Other`.
    fn url(self) -> &'static str {
        match self {
            Self::Jikan => "https://api.jikan.moe/v4",
            Self::AniList => "https://graphql.anilist.co",
            Self::AniDb => "http://api.anidb.net:9001/httpapi",
            Self::Kitsu => "https://kitsu.io/api/edge",
            Self::AnimeSchedule => "https://animeschedule.net/api/v3",
            Self::AnimePlanet => "https://www.anime-planet.com",
            Self::AniSearch => "https://www.anisearch.com",
            Self::Other => "",
        }
    }

    /// How often its operators let it be asked; for the APIs as they state it, AniList's as its answers have it, and
    /// with the pipeline's pause between two requests where that is longer. The crawled sites state none.
    fn published_limit(self) -> &'static str {
        match self {
            Self::Jikan => "1/500ms,60/1m",
            Self::AniList => "1/500ms,30/1m",
            Self::AniDb => "1/2s",
            Self::Kitsu => "1/100ms",
            Self::AnimeSchedule => "120/1m",
            Self::AnimePlanet | Self::AniSearch => "1/1s",
            Self::Other => "none",
        }
    }

    /// The host names it answers under.
    fn hosts(self) -> &'static [&'static str] {
        match self {
            Self::Jikan => &["api.jikan.moe"],
            Self::AniList => &["graphql.anilist.co"],
            Self::AniDb => &["api.anidb.net"],
            Self::Kitsu => &["kitsu.io", "kitsu.app"],
            Self::AnimeSchedule => &["animeschedule.net"],
            Self::AnimePlanet => &["anime-planet.com"],
            Self::AniSearch => &["anisearch.com"],
            Self::Other => &[],
        }
    }
}

impl fmt::Display for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// What a service wants to see before it answers. Never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl Token {
    /// A token in plain text.
    pub fn new(token: impl Into<String>) -> Self {
        Self(token.into())
    }

    /// The token in plain text, for the request alone.
    pub fn secret(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// What AniDB knows a program by: it answers those that are registered there. Part of every URL, and so of every key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AniDbClient {
    /// The registered name.
    pub name: String,
    /// The registered version.
    pub version: String,
    /// The version of AniDB's HTTP API.
    pub protocol: String,
}

impl Default for AniDbClient {
    /// What the pipeline says of itself.
    fn default() -> Self {
        Self { name: "animeenrichment".to_owned(), version: "1.0".to_owned(), protocol: "1".to_owned() }
    }
}

/// Which policy the HTTP cache of a service has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PolicyName {
    /// The pipeline's: what succeeded is good for the service's TTL.
    #[default]
    Ttl,
    /// RFC 9111, as a private cache.
    Specification,
    /// RFC 9111, as a cache for several users.
    Shared,
}

impl PolicyName {
    /// What [`Self::from_name`] takes, in words.
    pub(crate) const CHOICES: &'static str = "ttl, specification or shared";

    /// The policy of this name in settings.
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "ttl" => Some(Self::Ttl),
            "specification" => Some(Self::Specification),
            "shared" => Some(Self::Shared),
            _ => None,
        }
    }
}

/// What the settings say of the services: the TTL, policy and token of each, and hosts that stand in for the real ones.
#[derive(Clone, Debug, PartialEq)]
pub struct Services {
    ttls: [Duration; Service::ALL.len()],
    policies: [PolicyName; Service::ALL.len()],
    tokens: [Option<Token>; Service::ALL.len()],
    limits: [Option<Limit>; Service::ALL.len()],
    /// Configured URLs, and whose each is.
    overrides: Vec<(String, Service)>,
    /// `ANIDB_CLIENT`, `ANIDB_CLIENTVER` and `ANIDB_PROTOVER`.
    pub anidb_client: AniDbClient,
}

impl Default for Services {
    fn default() -> Self {
        Self {
            ttls: [DEFAULT_TTL; Service::ALL.len()],
            policies: [PolicyName::default(); Service::ALL.len()],
            tokens: [const { None }; Service::ALL.len()],
            limits: [const { None }; Service::ALL.len()],
            overrides: Vec::new(),
            anidb_client: AniDbClient::default(),
        }
    }
}

impl Services {
    /// The TTL that this service's entries are stored with.
    pub fn ttl(&self, service: Service) -> Duration {
        self.ttls[service as usize]
    }

    /// Sets the TTL of one service.
    pub fn set_ttl(&mut self, service: Service, ttl: Duration) {
        self.ttls[service as usize] = ttl;
    }

    /// The kind of policy of this service's HTTP cache.
    pub fn policy(&self, service: Service) -> PolicyName {
        self.policies[service as usize]
    }

    /// Sets the policy of one service.
    pub fn set_policy(&mut self, service: Service, policy: PolicyName) {
        self.policies[service as usize] = policy;
    }

    /// The token that this service asks for, where one was given.
    pub fn token(&self, service: Service) -> Option<&Token> {
        self.tokens[service as usize].as_ref()
    }

    /// Sets the token of one service.
    pub fn set_token(&mut self, service: Service, token: Token) {
        self.tokens[service as usize] = Some(token);
    }

    /// How often this service may be asked: as it was set, or as its operators state, wherever it is.
    pub fn limit(&self, service: Service) -> Limit {
        match &self.limits[service as usize] {
            Some(limit) => limit.clone(),
            None => service.published_limit().parse().unwrap_or_default(),
        }
    }

    /// Sets how often this service may be asked.
    pub fn set_limit(&mut self, service: Service, limit: Limit) {
        self.limits[service as usize] = Some(limit);
    }

    /// Makes every URL with the host and port of `url` count as this service's.
    pub fn set_url(&mut self, service: Service, url: &str) {
        self.overrides.retain(|(_, other)| *other != service);
        self.overrides.push((url.to_owned(), service));
    }

    /// Where this service answers: the configured URL, or its real one; empty for [`Service::Other`].
    pub fn url(&self, service: Service) -> &str {
        let configured = self.overrides.iter().find(|(_, other)| *other == service);
        configured.map_or(service.url(), |(url, _)| url)
    }

    /// The service that a URL belongs to, by its host.
    pub fn of_url(&self, url: &str) -> Service {
        let authority = authority(url);
        if let Some((_, service)) =
            self.overrides.iter().find(|(url, _)| crate::model::url::authority(url).eq_ignore_ascii_case(authority))
        {
            return *service;
        }
        let host = without_port(authority);
        Service::ALL
            .into_iter()
            .find(|service| service.hosts().iter().any(|known| is_host_or_below(host, known)))
            .unwrap_or(Service::Other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_belongs_to_the_service_of_its_host() {
        let services = Services::default();
        for (url, service) in [
            ("https://api.jikan.moe/v4/anime/1/full", Service::Jikan),
            ("http://api.anidb.net:9001/httpapi?aid=23", Service::AniDb),
            ("https://kitsu.app/api/edge/anime/1", Service::Kitsu),
            ("https://WWW.Anime-Planet.com/anime/x", Service::AnimePlanet),
            ("https://user:secret@graphql.anilist.co", Service::AniList),
            ("https://evil-kitsu.io/", Service::Other),
            ("https://example.org/?u=https://kitsu.io/", Service::Other),
            ("kitsu.io", Service::Other),
        ] {
            assert_eq!(services.of_url(url), service, "{url}");
        }
    }

    #[test]
    fn a_limit_is_as_it_was_set_or_as_the_service_states() {
        let mut services = Services::default();
        for (service, limit) in Service::ALL.into_iter().zip([
            "1/500ms,60/1m",
            "1/500ms,30/1m",
            "1/2s",
            "1/100ms",
            "120/1m",
            "1/1s",
            "1/1s",
            "none",
        ]) {
            assert_eq!(services.limit(service).to_string(), limit, "{service}");
        }
        services.set_url(Service::Jikan, "http://127.0.0.1:8999/v4");
        assert_eq!(services.limit(Service::Jikan).to_string(), "1/500ms,60/1m");
        services.set_limit(Service::Jikan, "3/1s".parse().unwrap());
        assert_eq!(services.limit(Service::Jikan).to_string(), "3/1s");
    }

    #[test]
    fn a_configured_url_stands_in_for_the_real_host() {
        let mut services = Services::default();
        services.set_url(Service::Jikan, "http://127.0.0.1:8999/v4");
        assert_eq!(services.of_url("http://127.0.0.1:8999/v4/anime/1"), Service::Jikan);
        assert_eq!(services.of_url("http://127.0.0.1:9000/v4/anime/1"), Service::Other);
    }
}
