//! An anime: its title, its dates and its ID at each service.

use cache_core::ServiceName;
use serde::{Deserialize, Serialize};

/// An anime to enrich.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Anime {
    pub title: String,
    /// `TV`, `MOVIE`, …
    #[serde(rename = "type")]
    pub kind: Option<String>,
    /// `None`: unknown, as of a running show.
    pub episodes: Option<u64>,
    /// `FINISHED`, `ONGOING`, …
    pub status: Option<String>,
    pub ids: Ids,
}

/// The IDs of an anime at the services; services without an ID are skipped. AnimeSchedule is searched by title.
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

impl Ids {
    /// Reads them from the URLs of an anime-offline-database entry, by the pipeline's patterns: for each service the
    /// first URL that matches.
    pub fn from_sources<T: AsRef<str>>(sources: &[T]) -> Self {
        let first = |markers: &[&str], is_part: fn(char) -> bool| {
            sources
                .iter()
                .find_map(|source| markers.iter().find_map(|marker| id_after(source.as_ref(), marker, is_part)))
        };
        let number = |markers: &[&str]| first(markers, |c| c.is_ascii_digit())?.parse().ok();
        let slug = |markers: &[&str]| Some(first(markers, |c| !matches!(c, '/' | '?'))?.trim().to_owned());
        Self {
            mal: number(&["myanimelist.net/anime/"]),
            anilist: number(&["anilist.co/anime/"]),
            kitsu: slug(&["kitsu.io/anime/", "kitsu.app/anime/"]),
            anidb: number(&["anidb.net/anime/", "anidb.info/a"]),
            anime_planet: slug(&["anime-planet.com/anime/"]),
            anisearch: number(&["anisearch.com/anime/index/", "anisearch.com/anime/"]),
        }
    }
}

/// The ID after a marker in a URL, ignoring case; `None` if it is blank.
fn id_after<'a>(url: &'a str, marker: &str, is_part: fn(char) -> bool) -> Option<&'a str> {
    // ASCII case folding keeps the length.
    let start = url.to_ascii_lowercase().find(marker)? + marker.len();
    let id = url[start..].split(|c| !is_part(c)).next()?;
    (!id.trim().is_empty()).then_some(id)
}

impl Anime {
    /// The title, or an ID if no title is known: IDs on the command line need no title.
    pub fn name(&self) -> String {
        let ids = &self.ids;
        let numbers = [("MAL", ids.mal), ("AniList", ids.anilist), ("AniDB", ids.anidb), ("AniSearch", ids.anisearch)];
        let number = numbers.into_iter().find_map(|(name, id)| Some(format!("{name} {}", id?)));
        let slug = || ids.anime_planet.clone().or_else(|| Some(format!("Kitsu {}", ids.kitsu.as_ref()?)));
        match self.title.trim() {
            "" => number.or_else(slug).unwrap_or_default(),
            title => title.to_owned(),
        }
    }

    /// Whether the service can be requested: there is an ID, or a title.
    pub fn is_at(&self, service: ServiceName) -> bool {
        match service.name() {
            "jikan" => self.ids.mal.is_some(),
            "anilist" => self.ids.anilist.is_some(),
            "kitsu" => self.ids.kitsu.is_some(),
            "anidb" => self.ids.anidb.is_some(),
            "anime_planet" => self.ids.anime_planet.is_some(),
            "anisearch" => self.ids.anisearch.is_some(),
            "animeschedule" => !self.title.trim().is_empty(),
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_read_from_urls_by_the_pipelines_patterns() {
        let ids = Ids::from_sources(&[
            "https://myanimelist.net/anime/x",
            "https://MyAnimeList.net/anime/1?from=2",
            "https://myanimelist.net/anime/2",
            "https://anilist.co/anime/1535/DEATH-NOTE",
            "https://kitsu.app/anime/death-note?a=1",
            "https://anidb.info/a4563",
            "https://www.anime-planet.com/anime/death-note/",
            "https://anisearch.com/anime/index/3633,death-note",
            "https://notify.moe/anime/0-A-5Fimg",
        ]);
        let expected = Ids {
            mal: Some(1),
            anilist: Some(1535),
            kitsu: Some("death-note".into()),
            anidb: Some(4563),
            anime_planet: Some("death-note".into()),
            anisearch: Some(3633),
        };
        assert_eq!(ids, expected);
        let odd = ["", "https://kitsu.io/anime/", "anidb.net/anime/99999999999999999999", "é anilist.co/anime/é7"];
        assert_eq!(Ids::from_sources(&odd), Ids::default());
    }

    #[test]
    fn an_anime_without_a_title_is_called_by_an_id() {
        let of = |title: &str, ids| Anime { title: title.into(), ids, ..Anime::default() }.name();
        assert_eq!(of("Mushishi", Ids { mal: Some(457), ..Ids::default() }), "Mushishi");
        assert_eq!(of(" ", Ids { anidb: Some(23), ..Ids::default() }), "AniDB 23");
        assert_eq!(of("", Ids { kitsu: Some("x".into()), ..Ids::default() }), "Kitsu x");
    }
}
