//! From a title or an index to an anime: in an anime-offline-database file, or in the demo's own catalogue.

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

/// Where the pipeline has its database, seen from its own directory.
pub const PIPELINES_FILE: &str = "data/qdrant_storage/anime-offline-database.json";

/// What such a file is.
const EXPECTED: &str = "expected a JSON object with an array 'data'";

/// The anime that one can choose from. Indices count from 0, as the pipeline's do.
#[derive(Clone, Debug)]
pub struct Catalogue {
    entries: Vec<Slot>,
    /// `None`: the one that ships inside.
    file: Option<PathBuf>,
}

/// The place of an entry: one that is none of an anime keeps it, so that all others have their index.
#[derive(Clone, Debug, Deserialize)]
#[serde(from = "Listed")]
struct Slot(Option<Anime>);

/// What a title means.
#[derive(Debug, PartialEq, Eq)]
pub enum Meaning {
    /// The anime at this index.
    One(usize),
    /// A part of several titles.
    Several(Vec<usize>),
    None,
}

/// An anime-offline-database file, as far as it is read. Entries become anime one by one: the file is large.
#[derive(Deserialize)]
struct Database {
    data: Vec<Slot>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Listed {
    Entry(Entry),
    Odd(IgnoredAny),
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
            // 0 stands for not known.
            episodes: entry.episodes.filter(|number| *number > 0),
            status: entry.status,
        }
    }
}

impl From<Listed> for Slot {
    fn from(listed: Listed) -> Self {
        Self(match listed {
            Listed::Entry(entry) => Some(entry.into()),
            Listed::Odd(_) => None,
        })
    }
}

impl Catalogue {
    /// The small one that ships inside.
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

    /// How many entries of its file cannot be read.
    pub fn odd(&self) -> usize {
        self.places() - self.anime().count()
    }

    /// How many entries there are, be they anime or not: every index is below.
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

    /// The anime that a title means: that of the same title, the first if there are more, or else the only one that
    /// has it as a part of its title; in any case.
    pub fn find(&self, title: &str) -> Meaning {
        let wanted = title.trim().to_lowercase();
        if let Some((index, _)) = self.indexed().find(|(_, anime)| anime.title.to_lowercase() == wanted) {
            return Meaning::One(index);
        }
        let matches: Vec<_> = self.search(&wanted).collect();
        match matches.as_slice() {
            [] => Meaning::None,
            [index] => Meaning::One(*index),
            _ => Meaning::Several(matches),
        }
    }

    /// The indices of those that have this in their title, in any case.
    pub fn search(&self, part: &str) -> impl Iterator<Item = usize> {
        let part = part.to_lowercase();
        let has_it = move |anime: &Anime| anime.title.to_lowercase().contains(&part);
        self.indexed().filter(move |(_, anime)| has_it(anime)).map(|(index, _)| index)
    }

    /// What it is, for messages.
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
    fn a_title_means_the_same_title_or_the_only_one_that_has_it() {
        let titles = ["Naruto", "Naruto: Shippuuden", "NARUTO", "Ōkami", "Mushishi"];
        let data: Vec<_> = titles.iter().map(|title| serde_json::json!({"title": title})).collect();
        let all = catalogue(&serde_json::json!({"data": data}).to_string()).unwrap();
        assert_eq!(all.find("naruto"), Meaning::One(0));
        assert_eq!(all.find("ōKAMI "), Meaning::One(3));
        assert_eq!(all.find("shish"), Meaning::One(4));
        assert_eq!(all.find("aru"), Meaning::Several(vec![0, 1, 2]));
        assert_eq!(all.find("Bleach"), Meaning::None);
    }

    #[test]
    fn a_database_is_read_as_far_as_it_matters() {
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
            let told = format!("{:#}", catalogue(broken).unwrap_err());
            assert!(told.contains("expected a JSON object with an array 'data'"), "{broken}: {told}");
        }
    }

    #[test]
    fn odd_entries_are_counted_and_change_no_index() {
        let all = catalogue(
            r#"{"data": [{"title": "A"}, {"title": 1}, {"title": "B", "episodes": 1.5}, 7, {"title": "A second"}]}"#,
        );
        let all = all.unwrap();
        assert_eq!((all.odd(), all.find("second"), all.find("B")), (3, Meaning::One(4), Meaning::None));
        let titles: Vec<_> = all.anime().map(|anime| anime.title.as_str()).collect();
        assert_eq!((titles, all.places(), all.get(1)), (vec!["A", "A second"], 5, None));
    }

    #[test]
    fn the_built_in_titles_are_at_all_seven_services() {
        let all = Catalogue::demo();
        assert_eq!(all.find("cowboy bebop"), Meaning::One(0));
        for anime in all.anime() {
            assert!(crate::services::SERVICES.iter().copied().all(|service| anime.is_at(service)), "{anime:?}");
        }
    }
}
