//! Which anime: its title, and what each service calls it.

use cache_core::Service;
use serde::{Deserialize, Serialize};

/// An anime to enrich.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Anime {
    pub title: String,
    /// `TV`, `MOVIE`, …
    #[serde(rename = "type")]
    pub kind: Option<String>,
    /// `None`: nobody knows, as of what still runs.
    pub episodes: Option<u64>,
    /// `FINISHED`, `ONGOING`, …
    pub status: Option<String>,
    pub ids: Ids,
}

/// What the services call it; `None`: that one is not asked. AnimeSchedule is asked by title.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Ids {
    pub mal: Option<u64>,
    pub anilist: Option<u64>,
    /// A number or a slug.
    pub kitsu: Option<String>,
    pub anidb: Option<u64>,
    /// A slug.
    pub anime_planet: Option<String>,
    pub anisearch: Option<u64>,
}

impl Anime {
    /// Whether there is anything to ask this service for.
    pub fn is_at(&self, service: Service) -> bool {
        match service {
            Service::Jikan => self.ids.mal.is_some(),
            Service::AniList => self.ids.anilist.is_some(),
            Service::Kitsu => self.ids.kitsu.is_some(),
            Service::AniDb => self.ids.anidb.is_some(),
            Service::AnimePlanet => self.ids.anime_planet.is_some(),
            Service::AniSearch => self.ids.anisearch.is_some(),
            Service::AnimeSchedule => !self.title.trim().is_empty(),
            Service::Other => false,
        }
    }
}
