//! Selectors: options that select entries, shared by `ls`, `flush`, `ttl` and the filter line of the dashboard.
#![expect(clippy::struct_excessive_bools, reason = "each is a flag of its own on the command line")]
#![expect(clippy::doc_markdown, reason = "comments on options are printed as they are by --help")]

use std::time::Duration;

use cache_core::{
    BodyPattern, CacheKind, EntryId, EntryState, Filter, Glob, ServiceName, StatusRange, StorageLayout, parse_duration,
};
use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};

use crate::services;

/// Options that select entries; all given ones must match.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Selectors (entries must match all of them)")]
pub struct Selectors {
    /// Key starts with PREFIX, for example result_cache:anisearch_anime
    #[arg(long, value_name = "PREFIX")]
    pub prefix: Option<String>,
    #[arg(long = "match", value_name = "GLOB", value_parser = glob)]
    #[arg(help = r"Key matches GLOB (Redis syntax: *, ?, [a-c], \ to escape)")]
    pub key: Option<Glob>,
    #[arg(long, value_name = "KIND", value_parser = kind)]
    #[arg(help = "Kind of entry: responses (http) or function results (result) [possible values: http, result]")]
    pub kind: Option<CacheKind>,
    /// Service (can be repeated)
    #[arg(long, value_name = "SERVICE", value_parser = service())]
    pub service: Vec<ServiceName>,
    /// URL matches GLOB (responses only)
    #[arg(long, value_name = "GLOB", value_parser = glob)]
    pub url: Option<Glob>,
    /// HTTP method (responses only)
    #[arg(long, value_name = "METHOD")]
    pub method: Option<String>,
    /// HTTP status: 404, 4xx or 200-299 (responses only)
    #[arg(long, value_name = "STATUS")]
    pub status: Option<StatusRange>,
    /// Stored at least DURATION ago, for example 6h or '2d 12h' (not known for results in Redis)
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub older_than: Option<Duration>,
    /// Stored less than DURATION ago (not known for results in Redis)
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub newer_than: Option<Duration>,
    /// Not used for at least DURATION, estimated from the TTL (responses only)
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub idle_for: Option<Duration>,
    /// Expires within DURATION
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub ttl_under: Option<Duration>,
    /// Expires after more than DURATION, or never
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub ttl_over: Option<Duration>,
    /// Never expires
    #[arg(long)]
    pub no_ttl: bool,
    /// Body or value is larger than SIZE, for example 1MiB or 300kB
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub larger_than: Option<u64>,
    /// Stale (RFC 9111, private cache; responses only)
    #[arg(long, conflicts_with = "fresh")]
    pub stale: bool,
    /// Fresh (RFC 9111, private cache; responses only)
    #[arg(long)]
    pub fresh: bool,
    #[arg(long, value_name = "STATE", value_parser = state)]
    #[arg(help = "State (can be repeated) [possible values: live, incomplete, deleted, corrupt, orphan]")]
    pub state: Vec<EntryState>,
    /// Result has this schema hash
    #[arg(long, value_name = "HASH")]
    pub schema: Option<String>,
    #[arg(long)]
    #[arg(help = "Result of a dead schema (an older version of its function). Guessed: every schema except the one \
        stored last; in Redis, except the one that expires last")]
    pub dead_schemas: bool,
    #[arg(long, value_name = "PREFIX=HASH", value_parser = living, requires = "dead_schemas")]
    #[arg(help = "Schema of PREFIX that is in use: its other schemas are dead, and no other prefix has one (can be \
        repeated)")]
    pub living: Vec<(String, String)>,
    /// Decoded body matches REGEX
    #[arg(long, value_name = "REGEX", value_parser = regex)]
    pub body_match: Option<BodyPattern>,
    /// ID, or its first 8 or more characters if unique (can be repeated)
    #[arg(long, value_name = "ID")]
    pub id: Vec<String>,
    /// All entries
    #[arg(long)]
    pub all: bool,
}

impl Selectors {
    /// Whether no selector was given, not even `--all`.
    pub fn is_empty(&self) -> bool {
        !self.all && self.filter().is_everything()
    }

    /// The filter of these selectors.
    pub fn filter(&self) -> Filter {
        let seconds = |duration: Option<Duration>| duration.map(|duration| duration.as_secs_f64());
        Filter {
            prefix: self.prefix.as_ref().map(|prefix| prefix.clone().into_bytes()),
            key: self.key.clone(),
            kind: self.kind,
            services: self.service.clone(),
            url: self.url.clone(),
            method: self.method.clone(),
            status: self.status,
            older_than: seconds(self.older_than),
            newer_than: seconds(self.newer_than),
            idle_for: seconds(self.idle_for),
            ttl_under: seconds(self.ttl_under),
            ttl_over: seconds(self.ttl_over),
            is_without_ttl: self.no_ttl,
            larger_than: self.larger_than,
            is_fresh: if self.stale { Some(false) } else { self.fresh.then_some(true) },
            states: self.state.clone(),
            schema: self.schema.clone(),
            dead_schemas: self.dead_schemas,
            living_schemas: self
                .living
                .iter()
                .map(|(prefix, schema)| (prefix.clone().into_bytes(), Some(schema.clone())))
                .collect(),
            body: self.body_match.clone(),
            ids: self.id.iter().flat_map(|id| ids(id)).collect(),
            ..Filter::default()
        }
    }
}

/// The entries that an ID printed by `ls` may identify: a UUID alone does not determine the layout.
pub fn ids(text: &str) -> Vec<EntryId> {
    let layouts: &[StorageLayout] = match text.len() {
        36 => &[StorageLayout::Pipeline, StorageLayout::Sqlite1, StorageLayout::Sqlite2],
        32 => &[StorageLayout::Hishel1, StorageLayout::Hishel2],
        _ => &[],
    };
    match uuid::Uuid::try_parse(text) {
        Ok(id) if !layouts.is_empty() => layouts.iter().map(|layout| EntryId::Http(*layout, id)).collect(),
        _ => vec![EntryId::key(text.as_bytes())],
    }
}

/// Parses a duration in the format of humantime.
pub fn duration(text: &str) -> Result<Duration, String> {
    parse_duration(text)
}

fn living(text: &str) -> Result<(String, String), String> {
    let parts = text.rsplit_once('=').filter(|(prefix, schema)| !prefix.is_empty() && !schema.is_empty());
    let (prefix, schema) = parts.ok_or("expected PREFIX=HASH, for example anisearch_anime=82fce6a05e45281a")?;
    Ok((prefix.to_owned(), schema.to_ascii_lowercase()))
}

fn glob(text: &str) -> Result<Glob, String> {
    Glob::new(text).map_err(|error| error.to_string())
}

fn kind(text: &str) -> Result<CacheKind, String> {
    [CacheKind::Http, CacheKind::Result]
        .into_iter()
        .find(|kind| kind.name() == text)
        .ok_or_else(|| "expected http or result".into())
}

/// One of the services of the table, or `other`.
pub fn service() -> impl TypedValueParser<Value = ServiceName> {
    PossibleValuesParser::new(services::all().map(ServiceName::name)).map(|name| ServiceName::new(&name))
}

fn state(text: &str) -> Result<EntryState, String> {
    EntryState::from_name(text)
        .ok_or_else(|| format!("expected one of {}", EntryState::ALL.map(EntryState::name).join(", ")))
}

pub(crate) fn size(text: &str) -> Result<u64, String> {
    text.parse::<bytesize::ByteSize>()
        .map(|size| size.as_u64())
        .map_err(|_| "expected a size such as 1MiB or 300kB".into())
}

fn regex(text: &str) -> Result<BodyPattern, String> {
    if text.is_empty() {
        return Err("the pattern is empty; to select all entries use --all".into());
    }
    BodyPattern::new(text).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::{Command, FromArgMatches as _};

    fn parse(arguments: &[&str]) -> Selectors {
        let command = Selectors::augment_args(Command::new("ls").no_binary_name(true));
        Selectors::from_arg_matches(&command.try_get_matches_from(arguments).unwrap()).unwrap()
    }

    #[test]
    fn every_selector_alone_is_a_choice_and_nothing_is_none() {
        assert!(parse(&[]).is_empty());
        assert!(parse(&["--prefix", ""]).is_empty());
        for argument in [
            "--prefix=p",
            "--match=*",
            "--kind=http",
            "--service=anime_planet",
            "--url=*",
            "--method=get",
            "--status=4xx",
            "--older-than=6h",
            "--newer-than=2d 12h",
            "--idle-for=1s",
            "--ttl-under=1m",
            "--ttl-over=1m",
            "--no-ttl",
            "--larger-than=1MiB",
            "--stale",
            "--fresh",
            "--state=corrupt",
            "--schema=82fce6a05e45281a",
            "--dead-schemas",
            "--body-match=x",
            "--id=x",
            "--all",
        ] {
            assert!(!parse(&[argument]).is_empty(), "{argument}");
            assert_eq!(parse(&[argument]).filter().is_everything(), argument == "--all", "{argument}");
        }
    }

    #[test]
    fn an_id_means_every_layout_that_writes_it_so() {
        let id = uuid::Uuid::from_u128(7);
        assert_eq!(ids(&id.hyphenated().to_string()).len(), 3);
        assert_eq!(
            ids(&id.simple().to_string()),
            [EntryId::Http(StorageLayout::Hishel1, id), EntryId::Http(StorageLayout::Hishel2, id)]
        );
        assert_eq!(ids("result_cache:p:1"), [EntryId::key(*b"result_cache:p:1")]);
        let long = format!("result_cache:{}", "p".repeat(23));
        assert_eq!(ids(&long), [EntryId::key(long.as_bytes())]);
    }

    #[test]
    fn sizes_and_durations_are_read() {
        assert_eq!(parse(&["--larger-than", "300kB"]).larger_than, Some(300_000));
        assert_eq!(parse(&["--older-than", "1h 30m"]).filter().older_than, Some(5_400.0));
        assert_eq!(parse(&["--stale"]).filter().is_fresh, Some(false));
    }
}
