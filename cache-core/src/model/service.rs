//! Services: the names by which entries are counted and listed, and the settings of each.
//!
//! The service is not part of any key: it is derived from the host of the URL, or from the prefix of a result key.

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use crate::model::rate_limit::RateLimit;
use crate::model::url::{authority, is_host_or_below, without_port};

/// Default TTL of the entries of a service: 24 hours.
pub const DEFAULT_TTL: Duration = Duration::from_secs(86_400);

/// Name of a service: the key of its settings, its counters and its selector.
///
/// Names are interned, so that copies and comparisons are cheap. They are meant for settings, not for data: the text of
/// a name stays in memory until the process ends. They sort in the order in which they were first created, `other`
/// last.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ServiceName {
    place: u32,
    text: &'static str,
}

/// Every name created so far; the index is the place of the name.
static NAMES: RwLock<Vec<&'static str>> = RwLock::new(Vec::new());

impl ServiceName {
    /// The service of entries that belong to no registered service.
    pub const OTHER: Self = Self { place: u32::MAX, text: "other" };

    /// The name with this text.
    pub fn new(text: &str) -> Self {
        if let Some(known) = Self::find(text) {
            return known;
        }
        let mut names = NAMES.write().unwrap_or_else(PoisonError::into_inner);
        // Another thread may have added it between the two locks.
        if let Some(known) = Self::among(&names, text) {
            return known;
        }
        let text: &'static str = Box::leak(text.into());
        names.push(text);
        Self { place: names.len() as u32 - 1, text }
    }

    /// The name with this text, if it was created before.
    pub fn find(text: &str) -> Option<Self> {
        if text == Self::OTHER.text {
            return Some(Self::OTHER);
        }
        Self::among(&NAMES.read().unwrap_or_else(PoisonError::into_inner), text)
    }

    fn among(names: &[&'static str], text: &str) -> Option<Self> {
        let place = names.iter().position(|name| *name == text)?;
        Some(Self { place: place as u32, text: names[place] })
    }

    /// The text, as in settings, selectors and JSON.
    pub fn name(self) -> &'static str {
        self.text
    }

    /// A number with the same order as the names.
    pub fn place(self) -> u32 {
        self.place
    }
}

impl fmt::Display for ServiceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.text)
    }
}

impl fmt::Debug for ServiceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.text, f)
    }
}

/// Kind of cache policy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PolicyKind {
    /// The pipeline's: ignores what the origin says and serves successful responses for the TTL of the service.
    FixedTtl,
    /// RFC 9111, as a private cache.
    #[default]
    Rfc9111,
    /// RFC 9111, as a shared cache.
    Shared,
}

impl PolicyKind {
    /// The names that [`Self::from_name`] accepts, for error messages.
    pub const CHOICES: &'static str = "ttl, specification or shared";

    /// The policy with this name in settings.
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "ttl" => Some(Self::FixedTtl),
            "specification" => Some(Self::Rfc9111),
            "shared" => Some(Self::Shared),
            _ => None,
        }
    }
}

/// Settings of one service.
#[derive(Clone, Debug, PartialEq)]
pub struct ServiceProfile {
    /// Its name.
    pub name: ServiceName,
    /// Hosts of the service: a URL belongs to it if its host is one of these or a subdomain of one.
    pub hosts: Vec<String>,
    /// The base URL of a replacement server: URLs with its host and port belong to the service, too.
    pub base_url: Option<String>,
    /// A result belongs to the service if the prefix of its key begins with one of these.
    pub result_prefixes: Vec<String>,
    /// The TTL of entries.
    pub ttl: Duration,
    /// The cache policy.
    pub policy: PolicyKind,
    /// With [`PolicyKind::FixedTtl`], also store and serve responses to requests with `Authorization` or `Cookie`: the
    /// service sends the same ones to all users.
    pub is_shared_by_all: bool,
    /// With [`PolicyKind::Shared`], store `Set-Cookie` of every stored response, so that all users get it.
    pub stores_set_cookie: bool,
    /// The rate limit of requests.
    pub rate_limit: RateLimit,
}

impl ServiceProfile {
    /// A service without hosts and result prefixes, with the default TTL and policy and no rate limit.
    pub fn new(name: ServiceName) -> Self {
        Self {
            name,
            hosts: Vec::new(),
            base_url: None,
            result_prefixes: Vec::new(),
            ttl: DEFAULT_TTL,
            policy: PolicyKind::default(),
            is_shared_by_all: false,
            stores_set_cookie: false,
            rate_limit: RateLimit::default(),
        }
    }
}

/// The services of a program, in their order. Cheap to clone.
///
/// ```
/// use cache_core::{ServiceName, ServiceProfile, ServiceRegistry};
///
/// let kitsu = ServiceName::new("kitsu");
/// let services = ServiceRegistry::new([ServiceProfile { hosts: vec!["kitsu.io".into()], ..ServiceProfile::new(kitsu) }]);
/// assert_eq!(services.by_url("https://kitsu.io/api/edge/anime/1"), kitsu);
/// assert_eq!(services.by_url("https://example.org/"), ServiceName::OTHER);
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct ServiceRegistry(Arc<Profiles>);

#[derive(Clone, Debug, PartialEq)]
struct Profiles {
    services: Vec<ServiceProfile>,
    other: ServiceProfile,
}

impl Default for ServiceRegistry {
    fn default() -> Self {
        let other = ServiceProfile::new(ServiceName::OTHER);
        Self(Arc::new(Profiles { services: Vec::new(), other }))
    }
}

impl ServiceRegistry {
    /// A registry of these services. Entries of other services belong to [`ServiceName::OTHER`].
    pub fn new(profiles: impl IntoIterator<Item = ServiceProfile>) -> Self {
        let mut registry = Self::default();
        for profile in profiles {
            let name = profile.name;
            *registry.get_mut(name) = profile;
        }
        registry
    }

    /// The profile of a service; if it is not registered, the profile of [`ServiceName::OTHER`].
    pub fn get(&self, name: ServiceName) -> &ServiceProfile {
        self.0.services.iter().find(|profile| profile.name == name).unwrap_or(&self.0.other)
    }

    /// The profile of a service, which is registered with the settings of [`ServiceName::OTHER`] if necessary.
    pub fn get_mut(&mut self, name: ServiceName) -> &mut ServiceProfile {
        let Profiles { services, other } = Arc::make_mut(&mut self.0);
        if name == ServiceName::OTHER {
            return other;
        }
        let place = services.iter().position(|profile| profile.name == name).unwrap_or(services.len());
        if place == services.len() {
            services.push(ServiceProfile { name, hosts: Vec::new(), result_prefixes: Vec::new(), ..other.clone() });
        }
        &mut services[place]
    }

    /// Every registered service, without [`ServiceName::OTHER`].
    pub fn iter(&self) -> impl Iterator<Item = &ServiceProfile> {
        self.0.services.iter()
    }

    /// The service that a URL belongs to.
    pub fn by_url(&self, url: &str) -> ServiceName {
        let authority_of_url = authority(url);
        let stands_in = |profile: &&ServiceProfile| {
            profile.base_url.as_deref().is_some_and(|base| authority(base).eq_ignore_ascii_case(authority_of_url))
        };
        let host = without_port(authority_of_url);
        let is_host = |profile: &&ServiceProfile| profile.hosts.iter().any(|known| is_host_or_below(host, known));
        let found = self.iter().find(stands_in).or_else(|| self.iter().find(is_host));
        found.map_or(ServiceName::OTHER, |profile| profile.name)
    }

    /// The service that a result belongs to, by the prefix of its key.
    pub fn by_result_prefix(&self, prefix: &[u8]) -> ServiceName {
        let is_prefix = |known: &String| prefix.starts_with(known.as_bytes());
        let found = self.iter().find(|profile| profile.result_prefixes.iter().any(is_prefix));
        found.map_or(ServiceName::OTHER, |profile| profile.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn registry() -> ServiceRegistry {
        let profile = |name, hosts: &[&str], prefixes: &[&str]| ServiceProfile {
            hosts: hosts.iter().map(ToString::to_string).collect(),
            result_prefixes: prefixes.iter().map(ToString::to_string).collect(),
            ..ServiceProfile::new(ServiceName::new(name))
        };
        ServiceRegistry::new([
            profile("weather", &["api.example.com"], &[]),
            profile("maps", &["maps.example", "maps.test"], &["map_", "tile"]),
        ])
    }

    #[test]
    fn a_url_belongs_to_the_service_of_its_host() {
        let (services, weather, maps) = (registry(), ServiceName::new("weather"), ServiceName::new("maps"));
        for (url, service) in [
            ("https://api.example.com/v4/days/1/full", weather),
            ("http://api.example.com:9001/days?id=23", weather),
            ("https://maps.test/api/tiles/1", maps),
            ("https://WWW.Maps.Example/tiles/x", maps),
            ("https://user:secret@api.example.com", weather),
            ("https://evil-maps.test/", ServiceName::OTHER),
            ("https://example.org/?u=https://maps.test/", ServiceName::OTHER),
            ("maps.test", ServiceName::OTHER),
        ] {
            assert_eq!(services.by_url(url), service, "{url}");
        }
    }

    #[test]
    fn base_url_belongs_to_the_service() {
        let mut services = registry();
        let weather = ServiceName::new("weather");
        services.get_mut(weather).base_url = Some("http://127.0.0.1:8999/v4".to_owned());
        assert_eq!(services.by_url("http://127.0.0.1:8999/v4/days/1"), weather);
        assert_eq!(services.by_url("http://127.0.0.1:9000/v4/days/1"), ServiceName::OTHER);
    }

    #[test]
    fn a_result_belongs_to_the_service_of_its_prefix() {
        let (services, maps) = (registry(), ServiceName::new("maps"));
        assert_eq!(services.by_result_prefix(b"tiles"), maps);
        assert_eq!(services.by_result_prefix(b"map_search"), maps);
        assert_eq!(services.by_result_prefix(b"map"), ServiceName::OTHER);
    }

    #[test]
    fn a_service_that_is_not_registered_has_the_profile_of_other() {
        let mut services = registry();
        services.get_mut(ServiceName::OTHER).ttl = Duration::from_secs(7);
        assert_eq!(services.get(ServiceName::new("unregistered")).ttl, Duration::from_secs(7));
        assert_eq!(services.get(ServiceName::new("maps")).ttl, DEFAULT_TTL);
        assert_eq!(services.iter().count(), 2);
    }

    #[test]
    fn names_are_found_again_and_sort_in_their_order() {
        let first = ServiceName::new("sorted first, in spite of its text: z");
        let second = ServiceName::new("sorted second, in spite of its text: a");
        assert!(first < second && second < ServiceName::OTHER);
        assert_eq!(ServiceName::new(first.name()), first);
        assert_eq!(ServiceName::find(second.name()), Some(second));
        assert_eq!(ServiceName::find("never made"), None);
        assert_eq!((ServiceName::new("other"), first.to_string().as_str()), (ServiceName::OTHER, first.name()));
    }
}
