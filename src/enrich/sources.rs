//! The sources, one file a service.

pub(crate) mod anidb;
pub(crate) mod anilist;
pub(crate) mod anime_planet;
pub(crate) mod animeschedule;
pub(crate) mod anisearch;
pub(crate) mod jikan;
pub(crate) mod kitsu;

use cache_core::ServiceName;

use crate::enrich::source::Source;

/// The source of a service.
pub fn source(service: ServiceName) -> Option<&'static dyn Source> {
    Some(match service.name() {
        "jikan" => &jikan::Jikan,
        "anilist" => &anilist::AniList,
        "anidb" => &anidb::AniDb,
        "kitsu" => &kitsu::Kitsu,
        "animeschedule" => &animeschedule::AnimeSchedule,
        "anime_planet" => &anime_planet::AnimePlanet,
        "anisearch" => &anisearch::AniSearch,
        _ => return None,
    })
}
