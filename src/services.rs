//! The services that enrichments use.

use cache_core::Service;

/// In the pipeline's order.
pub const SERVICES: [Service; 7] = [
    Service::Jikan,
    Service::AniList,
    Service::Kitsu,
    Service::AniDb,
    Service::AnimePlanet,
    Service::AniSearch,
    Service::AnimeSchedule,
];
