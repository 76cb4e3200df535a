//! The demo's anime: real titles and ids, everything else written for this purpose.

use std::sync::LazyLock;

use serde::Deserialize;

use crate::enrich::anime::{self, Ids};

/// One title, with its ids in the seven services.
#[derive(Debug, Deserialize)]
pub(super) struct Anime {
    pub(super) title: String,
    pub(super) english: String,
    pub(super) native: String,
    pub(super) mal: u64,
    pub(super) anilist: u64,
    pub(super) anidb: u64,
    pub(super) kitsu: u64,
    pub(super) slug: String,
    pub(super) anisearch: u64,
    #[serde(rename = "type")]
    pub(super) kind: String,
    /// `None`: still running.
    pub(super) episodes: Option<u64>,
    pub(super) start: String,
    pub(super) season: String,
    pub(super) studio: String,
    pub(super) genres: Vec<String>,
    pub(super) synopsis: String,
    pub(super) characters: Vec<String>,
}

/// Every title.
pub(super) static CATALOGUE: LazyLock<Vec<Anime>> = LazyLock::new(|| {
    serde_json::from_str(include_str!("../../assets/demo/anime.json")).expect("the catalogue that ships is JSON")
});

/// A character as the services tell of it.
pub(super) struct Character {
    pub(super) id: u64,
    pub(super) name: String,
    pub(super) is_main: bool,
}

impl Anime {
    /// As a catalogue of enrichments has it.
    pub(super) fn to_enrich(&self) -> anime::Anime {
        anime::Anime {
            title: self.title.clone(),
            kind: Some(self.kind.to_uppercase()),
            // Of what still runs, the database knows how many there were when it was made.
            episodes: Some(self.shown()),
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

    /// The characters that have names, and behind them those of long shows that only pass by.
    pub(super) fn cast(&self) -> Vec<Character> {
        let crowd = match self.episodes {
            None => 40,
            Some(100..) => 60,
            Some(_) => 2,
        };
        let passers_by = (1..=crowd).map(|number| format!("Passerby {number}"));
        let names = self.characters.iter().cloned().chain(passers_by);
        names.zip(0..).map(|(name, place)| Character { id: self.mal * 100 + place, name, is_main: place < 2 }).collect()
    }

    /// Episodes that have been shown.
    pub(super) fn shown(&self) -> u64 {
        self.episodes.unwrap_or(24)
    }

    pub(super) fn is_airing(&self) -> bool {
        self.episodes.is_none()
    }

    pub(super) fn year(&self) -> Option<u64> {
        self.start.get(..4)?.parse().ok()
    }

    /// The last day of the year that it began in, where it has ended.
    pub(super) fn end(&self) -> Option<String> {
        Some(format!("{}-12-31", self.year().filter(|_| !self.is_airing())?))
    }
}
