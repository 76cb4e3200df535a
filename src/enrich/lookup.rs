//! Anime by title or index, from an anime-offline-database file or from the built-in anime database.

use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::anime::{Anime, Ids};
use crate::demo;
use crate::exit::Refused;
use crate::output::human::counted;

/// The database of the pipeline, relative to its directory.
pub const PIPELINES_FILE: &str = "data/qdrant_storage/anime-offline-database.json";

const EXPECTED: &str = "expected a JSON object with an array 'data'";

/// An anime database. Indices count from 0, as in the pipeline.
#[derive(Clone, Debug)]
pub struct Catalogue {
    entries: Vec<Slot>,
    /// `None`: the built-in one.
    file: Option<PathBuf>,
}

/// An entry of the database; an invalid one stays as `None`, so that the others keep their index.
#[derive(Clone, Debug, Deserialize)]
#[serde(from = "Listed")]
struct Slot(Option<Anime>);

/// The matches of a title.
#[derive(Debug, PartialEq, Eq)]
pub enum TitleMatch {
    /// The anime at this index.
    One(usize),
    /// These titles contain it.
    Several(Vec<usize>),
    None,
}

/// An anime-offline-database file. Entries become anime one by one, because the file is large.
#[derive(Deserialize)]
struct Database {
    data: Vec<Slot>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Listed {
    Entry(Entry),
    Invalid(IgnoredAny),
}

#[derive(Deserialize)]
struct Entry {
    #[serde(default)]
    sources: Vec<String>,
    #[serde(default)]
    title: String,
    #[serde(rename = "type")]
    kind: Option<String>,
    episodes: Option<u64>,
    status: Option<String>,
}

impl From<Entry> for Anime {
    fn from(entry: Entry) -> Self {
        Self {
            ids: Ids::from_sources(&entry.sources),
            title: entry.title,
            kind: entry.kind,
            // 0 means unknown.
            episodes: entry.episodes.filter(|number| *number > 0),
            status: entry.status,
        }
    }
}

impl From<Listed> for Slot {
    fn from(listed: Listed) -> Self {
        Self(match listed {
            Listed::Entry(entry) => Some(entry.into()),
            Listed::Invalid(_) => None,
        })
    }
}

impl Catalogue {
    /// The built-in one.
    pub fn demo() -> Self {
        Self { entries: demo::anime().into_iter().map(|anime| Slot(Some(anime))).collect(), file: None }
    }

    /// Reads an anime-offline-database file.
    pub fn open(file: &Path) -> anyhow::Result<Self> {
        let name = file.display();
        let content = File::open(file).with_context(|| Refused(format!("cannot read anime database {name}")))?;
        let database: Database = serde_json::from_reader(BufReader::with_capacity(256 << 10, content))
            .with_context(|| Refused(format!("invalid anime database {name}: {EXPECTED}")))?;
        Ok(Self { entries: database.data, file: Some(file.to_owned()) })
    }

    /// The number of invalid entries.
    pub fn invalid(&self) -> usize {
        self.places() - self.anime().count()
    }

    /// The number of entries, including invalid ones: every index is below.
    pub fn places(&self) -> usize {
        self.entries.len()
    }

    /// The anime at an index.
    pub fn get(&self, index: usize) -> Option<&Anime> {
        self.entries.get(index)?.0.as_ref()
    }

    /// All anime.
    pub fn anime(&self) -> impl Iterator<Item = &Anime> {
        self.indexed().map(|(_, anime)| anime)
    }

    /// All anime, each with its index.
    fn indexed(&self) -> impl Iterator<Item = (usize, &Anime)> {
        self.entries.iter().enumerate().filter_map(|(index, entry)| Some((index, entry.0.as_ref()?)))
    }

    /// The first anime with this title, else the only one with this text in its title; case is ignored.
    pub fn find(&self, title: &str) -> TitleMatch {
        let wanted = title.trim().to_lowercase();
        if let Some((index, _)) = self.indexed().find(|(_, anime)| anime.title.to_lowercase() == wanted) {
            return TitleMatch::One(index);
        }
        let matches: Vec<_> = self.search(&wanted).collect();
        match matches.as_slice() {
            [] => TitleMatch::None,
            [index] => TitleMatch::One(*index),
            _ => TitleMatch::Several(matches),
        }
    }

    /// Indices of the anime with this text in their title; case is ignored.
    pub fn search(&self, part: &str) -> impl Iterator<Item = usize> {
        let part = part.to_lowercase();
        let has_it = move |anime: &Anime| anime.title.to_lowercase().contains(&part);
        self.indexed().filter(move |(_, anime)| has_it(anime)).map(|(index, _)| index)
    }

    /// Its name in messages.
    pub fn name(&self) -> String {
        let titles = counted(self.anime().count() as u64, "title");
        match &self.file {
            Some(file) => format!("{} ({titles})", file.display()),
            None => format!("the built-in database ({titles})"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn catalogue(text: &str) -> anyhow::Result<Catalogue> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        Catalogue::open(file.path())
    }

    #[test]
    fn title_matches_same_title_or_only_title_containing_it() {
        let titles = ["Naruto", "Naruto: Shippuuden", "NARUTO", "Ōkami", "Mushishi"];
        let data: Vec<_> = titles.iter().map(|title| serde_json::json!({"title": title})).collect();
        let all = catalogue(&serde_json::json!({"data": data}).to_string()).unwrap();
        assert_eq!(all.find("naruto"), TitleMatch::One(0));
        assert_eq!(all.find("ōKAMI "), TitleMatch::One(3));
        assert_eq!(all.find("shish"), TitleMatch::One(4));
        assert_eq!(all.find("aru"), TitleMatch::Several(vec![0, 1, 2]));
        assert_eq!(all.find("Bleach"), TitleMatch::None);
    }

    #[test]
    fn database_is_read_and_broken_ones_are_refused() {
        let all = catalogue(
            r#"{"license": {"name": "x"}, "data": [
                {"title": "A", "type": "TV", "episodes": 26, "status": "FINISHED", "synonyms": ["B"],
                 "sources": ["https://anidb.net/anime/23"], "animeSeason": {"year": null}},
                {"title": "C", "episodes": 0}]}"#,
        )
        .unwrap();
        let [first, second] = all.anime().collect::<Vec<_>>()[..] else { panic!("{all:?}") };
        assert_eq!((first.kind.as_deref(), first.episodes, first.ids.anidb), (Some("TV"), Some(26), Some(23)));
        assert_eq!((second.episodes, second.ids.clone()), (None, Ids::default()));
        for broken in ["", "[]", "{\"data\": 1}", "{\"data\": ["] {
            let message = format!("{:#}", catalogue(broken).unwrap_err());
            assert!(message.contains("expected a JSON object with an array 'data'"), "{broken}: {message}");
        }
    }

    #[test]
    fn invalid_entries_are_counted_and_keep_indices() {
        let all = catalogue(
            r#"{"data": [{"title": "A"}, {"title": 1}, {"title": "B", "episodes": 1.5}, 7, {"title": "A second"}]}"#,
        );
        let all = all.unwrap();
        assert_eq!((all.invalid(), all.find("second"), all.find("B")), (3, TitleMatch::One(4), TitleMatch::None));
        let titles: Vec<_> = all.anime().map(|anime| anime.title.as_str()).collect();
        assert_eq!((titles, all.places(), all.get(1)), (vec!["A", "A second"], 5, None));
    }

    #[test]
    fn built_in_titles_have_ids_for_all_services() {
        let all = Catalogue::demo();
        assert_eq!(all.find("cowboy bebop"), TitleMatch::One(0));
        for anime in all.anime() {
            assert!(crate::services::SERVICES.iter().copied().all(|service| anime.is_at(service)), "{anime:?}");
        }
    }
}
