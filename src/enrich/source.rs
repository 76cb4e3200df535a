//! What every service's source is: a way from an anime to everything that the service has of it.

use async_trait::async_trait;
use cache_core::Service;
use serde_json::Value;

use super::anime::Anime;
use super::problem::Problem;
use super::way::Way;
use super::{anidb, anilist, anime_planet, animeschedule, anisearch, jikan, kitsu};

/// One service.
#[async_trait]
pub trait Source: Send + Sync {
    /// Everything that the service has of an anime, as the pipeline has it.
    async fn fetch(&self, anime: &Anime, way: &Way) -> Result<Value, Problem>;
}

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

/// The source of a service.
pub fn source(service: Service) -> Option<&'static dyn Source> {
    Some(match service {
        Service::Jikan => &jikan::Jikan,
        Service::AniList => &anilist::AniList,
        Service::AniDb => &anidb::AniDb,
        Service::Kitsu => &kitsu::Kitsu,
        Service::AnimeSchedule => &animeschedule::AnimeSchedule,
        Service::AnimePlanet => &anime_planet::AnimePlanet,
        Service::AniSearch => &anisearch::AniSearch,
        Service::Other => return None,
    })
}
