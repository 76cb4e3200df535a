//! The anime of the demo: titles and IDs are real, everything else is made up.

use std::sync::LazyLock;

use serde::Deserialize;

use crate::anime;
use crate::anime::Ids;

/// One title, with its IDs at the seven services.
#[derive(Debug, Deserialize)]
pub(crate) struct Anime {
    pub(crate) title: String,
    pub(crate) english: String,
    pub(crate) native: String,
    pub(crate) mal: u64,
    pub(crate) anilist: u64,
    pub(crate) anidb: u64,
    pub(crate) kitsu: u64,
    pub(crate) slug: String,
    pub(crate) anisearch: u64,
    #[serde(rename = "type")]
    pub(crate) kind: String,
    /// `None`: still running.
    pub(crate) episodes: Option<u64>,
    pub(crate) start: String,
    pub(crate) season: String,
    pub(crate) studio: String,
    pub(crate) genres: Vec<String>,
    pub(crate) synopsis: String,
    pub(crate) characters: Vec<String>,
}

/// Every title.
pub(crate) static CATALOGUE: LazyLock<Vec<Anime>> = LazyLock::new(|| {
    serde_json::from_str(include_str!("../../assets/demo/anime.json")).expect("the catalogue that ships is JSON")
});

/// A character.
pub(crate) struct Character {
    pub(crate) id: u64,
    pub(crate) name: String,
    pub(crate) is_main: bool,
}

impl Anime {
    pub(crate) fn to_enrich(&self) -> anime::Anime {
        anime::Anime {
            title: self.title.clone(),
            kind: Some(self.kind.to_uppercase()),
            // Of a running show, the number when the database was made.
            episodes: Some(self.displayed_titles()),
            status: Some(if self.is_airing() { "ONGOING" } else { "FINISHED" }.to_owned()),
            ids: Ids {
                mal: Some(self.mal),
                anilist: Some(self.anilist),
                kitsu: Some(self.kitsu.to_string()),
                anidb: Some(self.anidb),
                anime_planet: Some(self.slug.clone()),
                anisearch: Some(self.anisearch),
            },
        }
    }

    /// The named characters, and further ones for long shows.
    pub(crate) fn cast(&self) -> Vec<Character> {
        let crowd = match self.episodes {
            None => 40,
            Some(100..) => 60,
            Some(_) => 2,
        };
        let passers_by = (1..=crowd).map(|number| format!("Passerby {number}"));
        let names = self.characters.iter().cloned().chain(passers_by);
        names.zip(0..).map(|(name, place)| Character { id: self.mal * 100 + place, name, is_main: place < 2 }).collect()
    }

    /// Episodes that have aired.
    pub(crate) fn displayed_titles(&self) -> u64 {
        self.episodes.unwrap_or(24)
    }

    pub(crate) fn is_airing(&self) -> bool {
        self.episodes.is_none()
    }

    pub(crate) fn year(&self) -> Option<u64> {
        self.start.get(..4)?.parse().ok()
    }

    /// The last day of its first year, if it has ended.
    pub(crate) fn end(&self) -> Option<String> {
        Some(format!("{}-12-31", self.year().filter(|_| !self.is_airing())?))
    }
}
