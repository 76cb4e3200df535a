//! The sources, one file a service.

pub(crate) mod anidb;
pub(crate) mod anilist;
pub(crate) mod anime_planet;
pub(crate) mod animeschedule;
pub(crate) mod anisearch;
pub(crate) mod jikan;
pub(crate) mod kitsu;

use cache_core::Service;

use crate::enrich::source::Source;

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
