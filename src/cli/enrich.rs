//! Options of `enrich` and `warm`, which select anime and services.

use std::ops::Range;
use std::path::PathBuf;
use std::time::Duration;

use cache_core::ServiceName;
use clap::builder::NonEmptyStringValueParser;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{ArgGroup, Args};

use crate::cli::selectors::duration;
use crate::services::SERVICES;

/// Options of `enrich`.
#[derive(Args, Debug)]
pub struct EnrichArgs {
    /// Title of the anime, or a part that only one title contains; with ID options, the title to search for
    #[arg(long, value_name = "TITLE")]
    pub title: Option<String>,
    /// Index of the anime in the database, starting at 0
    #[arg(long, value_name = "N", conflicts_with_all = ["title", "IdArgs"])]
    pub index: Option<usize>,
    /// Ignore cached entries: fetch everything and store it
    #[arg(long)]
    pub fresh: bool,
    /// Compare cached entries with the current responses without storing anything (exits with 4 if they differ)
    #[arg(long, conflicts_with = "fresh")]
    pub verify: bool,
    /// Use only cached entries and report what is missing
    #[arg(long, conflicts_with_all = ["fresh", "verify", "demo_upstream"])]
    pub offline: bool,
    /// Write the data of each service to DIR/SERVICE.json
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    #[command(flatten)]
    pub services: ServiceArgs,
    #[command(flatten)]
    pub ids: IdArgs,
}

/// Options of `warm`.
#[derive(Args, Debug)]
#[command(group(ArgGroup::new("list").args(["titles", "index"]).required(true)))]
pub struct WarmArgs {
    /// File with one title per line (# starts a comment); - reads standard input
    #[arg(long, value_name = "FILE")]
    pub titles: Option<PathBuf>,
    /// Range of indexes in the database: 0..10 for the first ten, 10.. for the rest
    #[arg(long, value_name = "RANGE")]
    pub index: Option<IndexRange>,
    #[command(flatten)]
    pub services: ServiceArgs,
}

/// IDs in place of those in the database; services without one are not used.
#[derive(Args, Clone, Debug, PartialEq, Default)]
#[command(next_help_heading = "IDs (override those in the database)")]
pub struct IdArgs {
    /// MyAnimeList ID, used for Jikan
    #[arg(long, value_name = "ID")]
    pub mal_id: Option<u64>,
    /// AniList ID
    #[arg(long, value_name = "ID")]
    pub anilist_id: Option<u64>,
    /// Kitsu ID or slug
    #[arg(long, value_name = "ID", value_parser = NonEmptyStringValueParser::new())]
    pub kitsu_id: Option<String>,
    /// AniDB ID
    #[arg(long, value_name = "ID")]
    pub anidb_id: Option<u64>,
    /// Anime-Planet slug
    #[arg(long, value_name = "SLUG", value_parser = NonEmptyStringValueParser::new())]
    pub anime_planet_slug: Option<String>,
    /// AniSearch ID
    #[arg(long, value_name = "ID")]
    pub anisearch_id: Option<u64>,
}

/// The anime database and the services to request.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Services")]
pub struct ServiceArgs {
    #[arg(long, value_name = "FILE")]
    #[arg(help = "Anime database (anime-offline-database JSON) [default: \
        data/qdrant_storage/anime-offline-database.json if it exists, else 12 built-in titles]")]
    pub file: Option<PathBuf>,
    /// Use only these services (comma-separated)
    #[arg(long, value_name = "SERVICE", num_args = 1.., value_delimiter = ',', value_parser = parse_service(), conflicts_with = "skip")]
    pub only: Vec<ServiceName>,
    /// Skip these services (comma-separated)
    #[arg(long, value_name = "SERVICE", num_args = 1.., value_delimiter = ',', value_parser = parse_service())]
    pub skip: Vec<ServiceName>,
    /// Time limit for one service and one anime
    #[arg(long, value_name = "DURATION", default_value = "200s", value_parser = duration)]
    pub timeout: Duration,
    #[expect(clippy::option_option, reason = "clap: no flag, the flag alone, the flag with a path")]
    #[arg(long, value_name = "PATH", num_args = 0..=1)]
    #[arg(
        help = "Render all Anime-Planet and AniSearch pages in headless Chromium, not only those behind a challenge \
        page [default: $CHROME, or Chromium on the PATH]"
    )]
    pub browser: Option<Option<PathBuf>>,
    /// Use simulated services on localhost (implied by --demo)
    #[arg(long)]
    pub demo_upstream: bool,
}

/// A range of indices in a database; without an end, up to the end of the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IndexRange {
    start: usize,
    end: Option<usize>,
}

impl IndexRange {
    /// The indices that a database of this length has.
    pub fn within(self, length: usize) -> Range<usize> {
        let end = self.end.unwrap_or(length).min(length);
        self.start.min(end)..end
    }
}

impl std::str::FromStr for IndexRange {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = |text: &str| text.parse().map_err(|_| "expected a range such as 0..10 (10 excluded)");
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
    /// The services to request.
    pub fn selected(&self) -> Vec<ServiceName> {
        let is_asked = |service: &ServiceName| {
            if self.only.is_empty() { !self.skip.contains(service) } else { self.only.contains(service) }
        };
        SERVICES.iter().copied().filter(is_asked).collect()
    }
}

/// One of the services of an enrichment.
fn parse_service() -> impl TypedValueParser<Value = ServiceName> {
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
