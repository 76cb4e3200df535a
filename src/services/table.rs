//! The table of services: `assets/services.toml`, and what the configuration file adds to it.

use std::sync::{LazyLock, OnceLock};
use std::time::Duration;

use cache_core::{PolicyKind, RateLimit, ServiceName, ServiceProfile, ServiceRegistry, parse_duration};
use serde::Deserialize;

const BUILT_IN: &str = include_str!("../../assets/services.toml");

static TABLE: OnceLock<Table> = OnceLock::new();

/// The services of the program.
#[derive(Clone, Debug, PartialEq)]
pub struct Table(Vec<Row>);

/// One service.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// Its name.
    pub name: ServiceName,
    /// Its real URL, which the settings can replace.
    pub base_url: String,
    hosts: Vec<String>,
    result_prefixes: Vec<String>,
    /// The policy and the TTL as text.
    pub policy: String,
    pub ttl: String,
    rate_limit: RateLimit,
    /// Whether its responses or its results are cached.
    pub strategy: Strategy,
    /// How its token is sent.
    pub token: Option<TokenKind>,
    /// Its position in an enrichment; `None`: it is not part of one.
    pub enrich_order: Option<u32>,
}

/// Whether the responses or the results of a service are cached.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Strategy {
    /// Its responses are cached.
    #[default]
    Http,
    /// The results read from its pages are cached.
    Result,
}

impl Strategy {
    /// The name in the table and in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Result => "result",
        }
    }
}

/// How a token is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TokenKind {
    /// `Authorization: Bearer <token>`.
    Bearer,
}

/// A `[[service]]` of the table.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    name: String,
    base_url: String,
    hosts: Vec<String>,
    #[serde(default)]
    result_prefixes: Vec<String>,
    strategy: Strategy,
    policy: String,
    ttl: String,
    rate_limit: String,
    token: Option<TokenKind>,
    enrich_order: u32,
}

#[derive(Deserialize)]
struct File {
    service: Vec<Written>,
}

/// A `[[service]]` of the configuration file. Missing fields keep the value of the table.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Extension {
    pub name: String,
    pub base_url: Option<String>,
    pub hosts: Option<Vec<String>>,
    pub result_prefixes: Option<Vec<String>>,
    pub policy: Option<String>,
    pub ttl: Option<String>,
    pub rate_limit: Option<String>,
}

impl Extension {
    /// The error of an invalid name, which would become part of settings and keys.
    pub fn problem(&self) -> Option<String> {
        let is_allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        let is_name = !self.name.is_empty() && self.name.chars().all(is_allowed);
        match self.name.as_str() {
            "other" => Some("`other` is what belongs to no service".to_owned()),
            name if !is_name => {
                Some(format!("a service's name has lowercase letters, digits and _ only, not {name:?}"))
            }
            _ => None,
        }
    }
}

impl Table {
    /// The table that is compiled in.
    ///
    /// # Panics
    /// If the table is invalid, which a test rules out.
    pub fn built_in() -> Self {
        Self::parse(BUILT_IN).unwrap_or_else(|error| panic!("assets/services.toml: {error}"))
    }

    fn parse(text: &str) -> Result<Self, String> {
        let file: File = toml::from_str(text).map_err(|error| error.to_string())?;
        file.service.into_iter().map(Row::read).collect::<Result<_, _>>().map(Self)
    }

    /// This table with the services of the configuration file. Their values are read as settings.
    pub fn extended(mut self, extensions: impl IntoIterator<Item = Extension>) -> Self {
        for extension in extensions.into_iter().filter(|extension| extension.problem().is_none()) {
            let name = ServiceName::new(&extension.name);
            let place = self.0.iter().position(|row| row.name == name).unwrap_or_else(|| {
                self.0.push(Row::new(name));
                self.0.len() - 1
            });
            let row = &mut self.0[place];
            row.hosts = extension.hosts.unwrap_or_else(|| std::mem::take(&mut row.hosts));
            row.result_prefixes = extension.result_prefixes.unwrap_or_else(|| std::mem::take(&mut row.result_prefixes));
        }
        self
    }

    /// Every service, in order.
    pub fn rows(&self) -> impl Iterator<Item = &Row> {
        self.0.iter()
    }

    /// The row of a service.
    pub fn row(&self, name: ServiceName) -> Option<&Row> {
        self.rows().find(|row| row.name == name)
    }

    fn registry(&self) -> ServiceRegistry {
        let mut registry = ServiceRegistry::new(self.rows().map(Row::profile));
        // The pipeline's policy for URLs of no service, too.
        let other = registry.get_mut(ServiceName::OTHER);
        (other.policy, other.is_shared_by_all) = (PolicyKind::FixedTtl, true);
        registry
    }
}

impl Row {
    /// A service of which only the name is known.
    fn new(name: ServiceName) -> Self {
        Self {
            name,
            base_url: String::new(),
            hosts: Vec::new(),
            result_prefixes: Vec::new(),
            strategy: Strategy::default(),
            policy: "ttl".to_owned(),
            ttl: "24h".to_owned(),
            rate_limit: RateLimit::default(),
            token: None,
            enrich_order: None,
        }
    }

    fn read(written: Written) -> Result<Self, String> {
        let wrong = |what: &str| format!("{} has a {what} that cannot be read", written.name);
        parse_duration(&written.ttl).map_err(|_| wrong("ttl"))?;
        PolicyKind::from_name(&written.policy).ok_or_else(|| wrong("policy"))?;
        let rate_limit = written.rate_limit.parse().map_err(|_| wrong("rate_limit"))?;
        Ok(Self {
            name: ServiceName::new(&written.name),
            base_url: written.base_url,
            hosts: written.hosts,
            result_prefixes: written.result_prefixes,
            strategy: written.strategy,
            policy: written.policy,
            ttl: written.ttl,
            rate_limit,
            token: written.token,
            enrich_order: Some(written.enrich_order),
        })
    }

    fn profile(&self) -> ServiceProfile {
        ServiceProfile {
            name: self.name,
            hosts: self.hosts.clone(),
            base_url: None,
            result_prefixes: self.result_prefixes.clone(),
            ttl: parse_duration(&self.ttl).unwrap_or(Duration::ZERO),
            policy: PolicyKind::from_name(&self.policy).unwrap_or_default(),
            is_shared_by_all: true,
            stores_set_cookie: false,
            rate_limit: self.rate_limit.clone(),
        }
    }
}

/// Whether the responses or the results of a service are cached.
pub fn strategy(service: ServiceName) -> Strategy {
    table().row(service).map_or_else(Strategy::default, |row| row.strategy)
}

/// The table in use.
pub fn table() -> &'static Table {
    TABLE.get_or_init(Table::built_in)
}

/// Adds the services of the configuration file to the table, unless the table is in use already.
pub fn extend(extensions: impl IntoIterator<Item = Extension>) {
    TABLE.get_or_init(|| Table::built_in().extended(extensions));
}

/// The service settings of a cache, with the values of the table.
pub fn registry() -> &'static ServiceRegistry {
    static REGISTRY: LazyLock<ServiceRegistry> = LazyLock::new(|| table().registry());
    &REGISTRY
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::services::names::{SERVICES, all, anidb, anilist, anime_planet, anisearch, jikan, kitsu};

    #[test]
    fn the_table_is_in_the_pipelines_order() {
        let names: Vec<_> = all().map(ServiceName::name).collect();
        let expected = ["jikan", "anilist", "anidb", "kitsu", "animeschedule", "anime_planet", "anisearch", "other"];
        assert_eq!(names, expected);
        assert!(all().is_sorted(), "names sort as the table does");
        let called: Vec<_> = SERVICES.iter().map(|service| service.name()).collect();
        let order = ["jikan", "anilist", "kitsu", "anidb", "anime_planet", "anisearch", "animeschedule"];
        assert_eq!(called, order);
    }

    #[test]
    fn a_url_belongs_to_the_service_of_its_host() {
        for (url, service) in [
            ("https://api.jikan.moe/v4/anime/1/full", jikan()),
            ("http://api.anidb.net:9001/httpapi?aid=23", anidb()),
            ("https://kitsu.app/api/edge/anime/1", kitsu()),
            ("https://WWW.Anime-Planet.com/anime/x", anime_planet()),
            ("https://user:secret@graphql.anilist.co", anilist()),
            ("https://evil-kitsu.io/", ServiceName::OTHER),
            ("https://example.org/?u=https://kitsu.io/", ServiceName::OTHER),
            ("kitsu.io", ServiceName::OTHER),
        ] {
            assert_eq!(registry().by_url(url), service, "{url}");
        }
        for row in table().rows() {
            assert_eq!(registry().by_url(&row.base_url), row.name, "{}", row.base_url);
        }
    }

    #[test]
    fn a_result_belongs_to_the_service_of_its_prefix() {
        for (prefix, service) in [
            ("animeplanet_anime", anime_planet()),
            ("anime_planet_characters", anime_planet()),
            ("anisearch_episodes", anisearch()),
            ("jikan_anime", ServiceName::OTHER),
        ] {
            assert_eq!(registry().by_result_prefix(prefix.as_bytes()), service, "{prefix}");
        }
    }

    #[test]
    fn the_configuration_file_adds_and_changes_services() {
        let extension = |name: &str, hosts: &[&str]| Extension {
            name: name.to_owned(),
            hosts: Some(hosts.iter().map(ToString::to_string).collect()),
            ..Extension::default()
        };
        let own = [extension("kitsu", &["kitsu.example"]), extension("extra_1", &["extra.example"])];
        let table = Table::built_in().extended(own);
        let registry = table.registry();
        assert_eq!(registry.by_url("https://kitsu.example/"), kitsu());
        assert_eq!(registry.by_url("https://kitsu.io/"), ServiceName::OTHER);
        assert_eq!(registry.by_url("https://extra.example/").name(), "extra_1");
        assert_eq!(table.rows().last().map(|row| (row.name.name(), row.ttl.as_str())), Some(("extra_1", "24h")));
        assert_eq!(table.rows().count(), 8);
        assert!(extension("other", &[]).problem().is_some() && extension("A b", &[]).problem().is_some());
    }

    #[test]
    fn a_table_that_cannot_be_read_names_the_service() {
        let wrong = BUILT_IN.replace("\"1/2s\"", "\"often\"");
        assert_eq!(Table::parse(&wrong).unwrap_err(), "anidb has a rate_limit that cannot be read");
    }
}
