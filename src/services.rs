//! TODO

use cache_core::Service;

/// The seven, in the order in which the pipeline sends them off.
pub const SERVICES: [Service; 7] = [
    Service::Jikan,
    Service::AniList,
    Service::Kitsu,
    Service::AniDb,
    Service::AnimePlanet,
    Service::AniSearch,
    Service::AnimeSchedule,
];
