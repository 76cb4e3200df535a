//! Options of `enrich` and `warm`: which anime, from which services.

use std::ops::Range;
use std::path::PathBuf;
use std::time::Duration;

use cache_core::ServiceName;
use clap::Args;
use clap::builder::NonEmptyStringValueParser;
use clap::builder::{PossibleValuesParser, TypedValueParser};

use crate::cli::selectors::duration;
use crate::services::SERVICES;

/// Options of `enrich`.
#[derive(Args, Debug)]
pub struct EnrichArgs {
    /// The anime of this title, or the only one that has this in its title; with ids: the title to search by
    #[arg(long, value_name = "T")]
    pub title: Option<String>,
    /// The anime at this place of the database, from 0
    #[arg(long, value_name = "N", conflicts_with_all = ["title", "IdArgs"])]
    pub index: Option<usize>,
    /// Fetch everything anew, whatever is cached, and store it
    #[arg(long)]
    pub fresh: bool,
    /// Compare what is cached with what the services say now; nothing is stored (exit 4: they differ)
    #[arg(long, conflicts_with = "fresh")]
    pub verify: bool,
    /// Fetch nothing: take what is cached, and say what is not
    #[arg(long, conflicts_with_all = ["fresh", "verify", "demo_upstream"])]
    pub offline: bool,
    /// Write what each service brought to `<service>.json` in this directory
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    #[command(flatten)]
    pub services: ServiceArgs,
    #[command(flatten)]
    pub ids: IdArgs,
}

/// Options of `warm`.
#[derive(Args, Debug)]
pub struct WarmArgs {
    /// The titles in this file, one a line (lines that begin with `#` are comments); `-`: standard input
    #[arg(long, value_name = "FILE", required_unless_present = "index", conflicts_with = "index")]
    pub titles: Option<PathBuf>,
    /// The anime at these places of the database: 0..10 are the first ten, 10.. all others
    #[arg(long, value_name = "A..B")]
    pub index: Option<IndexRange>,
    #[command(flatten)]
    pub services: ServiceArgs,
}

/// Ids by hand: services without one are not asked.
#[derive(Args, Clone, Debug, PartialEq, Default)]
#[command(next_help_heading = "Ids by hand, instead of those of the database")]
pub struct IdArgs {
    /// MyAnimeList, for Jikan
    #[arg(long, value_name = "ID")]
    pub mal_id: Option<u64>,
    /// AniList
    #[arg(long, value_name = "ID")]
    pub anilist_id: Option<u64>,
    /// Kitsu: a number or a slug
    #[arg(long, value_name = "ID", value_parser = NonEmptyStringValueParser::new())]
    pub kitsu_id: Option<String>,
    /// AniDB
    #[arg(long, value_name = "ID")]
    pub anidb_id: Option<u64>,
    /// Anime-Planet
    #[arg(long, value_name = "SLUG", value_parser = NonEmptyStringValueParser::new())]
    pub anime_planet_slug: Option<String>,
    /// AniSearch
    #[arg(long, value_name = "ID")]
    pub anisearch_id: Option<u64>,
}

/// Where the anime are told of, and who is asked for them.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Database and services")]
pub struct ServiceArgs {
    /// An anime-offline-database; by default the pipeline's, where there is one in
    /// `data/qdrant_storage/anime-offline-database.json`, else a small one that is built in
    #[arg(long, value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// Only these services (one or more)
    #[arg(long, value_name = "S", num_args = 1.., value_delimiter = ',', value_parser = asked_service(), conflicts_with = "skip")]
    pub only: Vec<ServiceName>,
    /// Not these services (one or more)
    #[arg(long, value_name = "S", num_args = 1.., value_delimiter = ',', value_parser = asked_service())]
    pub skip: Vec<ServiceName>,
    /// The longest that one service may take with one anime
    #[arg(long, value_name = "DURATION", default_value = "200s", value_parser = duration)]
    pub timeout: Duration,
    /// Render all pages of Anime-Planet and AniSearch with a headless Chromium: this one, or what CHROME names, or the
    /// one on the PATH (else only where a site answers with a challenge page)
    #[arg(long, value_name = "PATH", num_args = 0..=1)]
    pub browser: Option<Option<PathBuf>>,
    /// Ask no real service, but the demo's, started inside on loopback (with --demo always)
    #[arg(long)]
    pub demo_upstream: bool,
}

/// Places in a database; an end that was left out is the database's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IndexRange {
    start: usize,
    end: Option<usize>,
}

impl IndexRange {
    /// As far as a database of this length has them.
    pub fn within(self, length: usize) -> Range<usize> {
        let end = self.end.unwrap_or(length).min(length);
        self.start.min(end)..end
    }
}

impl std::str::FromStr for IndexRange {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = |text: &str| text.parse().map_err(|_| "write a range such as 0..10, which has 0 but not 10");
        let Some((start, end)) = text.split_once("..") else {
            let only: usize = number(text)?;
            return Ok(Self { start: only, end: Some(only.saturating_add(1)) });
        };
        let start = if start.is_empty() { 0 } else { number(start)? };
        let end = if end.is_empty() { None } else { Some(number(end)?) };
        Ok(Self { start, end })
    }
}

impl ServiceArgs {
    /// Those that are asked.
    pub fn asked(&self) -> Vec<ServiceName> {
        let is_asked = |service: &ServiceName| {
            if self.only.is_empty() { !self.skip.contains(service) } else { self.only.contains(service) }
        };
        SERVICES.iter().copied().filter(is_asked).collect()
    }
}

/// One of the services of an enrichment.
fn asked_service() -> impl TypedValueParser<Value = ServiceName> {
    PossibleValuesParser::new(SERVICES.iter().map(|service| service.name())).map(|name| ServiceName::new(&name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_one_of_the_database() {
        let range = |text: &str| text.parse::<IndexRange>().unwrap().within(12);
        assert_eq!([range("0..10"), range("10.."), range("..2"), range("3")], [0..10, 10..12, 0..2, 3..4]);
        assert_eq!([range("5..99"), range("50..99"), range("9..3")], [5..12, 12..12, 3..3]);
        for wrong in ["a", "1..b", "", "-1..2", "1...2"] {
            assert!(wrong.parse::<IndexRange>().is_err(), "{wrong}");
        }
    }
}
