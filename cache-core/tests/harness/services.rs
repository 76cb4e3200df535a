//! The services that the fixtures are of.

use cache_core::{ServiceName, ServiceProfile, ServiceRegistry};

/// Services by their hosts, and one by the prefix of its results too.
pub fn services() -> ServiceRegistry {
    let profile = |name, host: &str, prefix: Option<&str>| ServiceProfile {
        hosts: vec![host.to_owned()],
        result_prefixes: prefix.map(str::to_owned).into_iter().collect(),
        ..ServiceProfile::new(ServiceName::new(name))
    };
    ServiceRegistry::new([
        profile("jikan", "api.jikan.moe", None),
        profile("anilist", "graphql.anilist.co", None),
        profile("anidb", "api.anidb.net", None),
        profile("kitsu", "kitsu.io", None),
        profile("animeschedule", "animeschedule.net", None),
        profile("anisearch", "anisearch.com", Some("anisearch")),
    ])
}
