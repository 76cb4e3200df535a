//! What can be typed: commands, their options, and the options that every command takes.
#![expect(clippy::struct_excessive_bools, reason = "each is a flag of its own on the command line")]

pub(crate) mod enrich;
pub(crate) mod examples;
pub mod selectors;

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use cache_core::ServiceName;
use cache_core::counters::Window;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, CommandFactory as _, FromArgMatches as _, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

use crate::cli::enrich::{EnrichArgs, WarmArgs};
use crate::cli::selectors::{Selectors, duration, service};
use crate::output::style::ColorChoice;

/// Shows, measures, checks and empties the cache of an anime enrichment pipeline.
#[derive(Debug, Parser)]
#[command(name = "animecache", version, max_term_width = 110, after_help = examples::PROGRAM)]
pub struct Cli {
    #[command(flatten)]
    pub global: Global,
    #[command(subcommand)]
    pub command: Command,
}

impl Cli {
    /// What was typed; ends the program where that is wrong, or asks for help.
    pub fn typed() -> Self {
        let arguments: Vec<OsString> = std::env::args_os().collect();
        let mut command = Self::command().color(color_of_help(&arguments));
        let mut matches = command.clone().get_matches_from(arguments);
        Self::from_arg_matches_mut(&mut matches).unwrap_or_else(|error| error.format(&mut command).exit())
    }
}

/// What `--color` says, as far as that can be told of arguments that may be wrong: what is wrong with them is told in
/// the colours that were asked for.
fn color_of_help(arguments: &[OsString]) -> clap::ColorChoice {
    let mut given = arguments.iter().enumerate().filter_map(|(at, argument)| match argument.to_str()? {
        "--color" => arguments.get(at + 1)?.to_str(),
        argument => argument.strip_prefix("--color="),
    });
    match given.next_back() {
        Some("never") => clap::ColorChoice::Never,
        Some("always") => clap::ColorChoice::Always,
        _ => clap::ColorChoice::Auto,
    }
}

/// Options that every command takes.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Global options")]
pub struct Global {
    /// Use Redis or SQLite (`HTTP_CACHE_STORAGE`)
    #[arg(long, global = true, value_name = "STORAGE", value_parser = ["redis", "sqlite"])]
    pub storage: Option<String>,
    /// Use this Redis (`REDIS_CACHE_URL`)
    #[arg(long, global = true, value_name = "URL")]
    pub redis: Option<String>,
    /// Use this SQLite file, or the `http_cache.db` in this directory (`HTTP_CACHE_DIR`)
    #[arg(long, global = true, value_name = "DIR-OR-FILE")]
    pub sqlite: Option<PathBuf>,
    /// Use a throw-away SQLite cache, filled with examples
    #[arg(long, global = true)]
    pub demo: bool,
    /// Exit with 5 instead of using SQLite when Redis cannot be reached
    #[arg(long, global = true)]
    pub no_fallback: bool,
    /// Refuse every change
    #[arg(long, global = true)]
    pub read_only: bool,
    /// Write JSON
    #[arg(long, global = true)]
    pub json: bool,
    /// Colour the output
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto", value_enum)]
    pub color: ColorChoice,
    /// Read the settings of this file instead of `animecache/config.toml` in the XDG configuration directory
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Use the settings under `[profile.NAME]` of that file
    #[arg(long, global = true, value_name = "NAME")]
    pub profile: Option<String>,
    /// Tell on stderr what is done (-vv: more, -vvv: everything)
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
    /// Write nothing to stderr but errors, and that SQLite stands in for Redis
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub quiet: bool,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// The dashboard
    Tui,
    /// Entries, bytes, TTLs and hit rates, by kind and service
    #[command(after_help = examples::STATS)]
    Stats(StatsArgs),
    /// One line an entry, streamed; with --json one object a line
    #[command(after_help = examples::LS)]
    Ls(LsArgs),
    /// One entry whole: summary, headers, body, Redis keys
    #[command(after_help = examples::SHOW)]
    Show(ShowArgs),
    /// Deletes what the selectors mean: shows the plan, asks, deletes in batches
    #[command(after_help = examples::FLUSH)]
    Flush(FlushArgs),
    /// Changes the TTL of what the selectors mean
    #[command(after_help = examples::TTL)]
    Ttl(TtlArgs),
    /// A test enrichment: one anime's data from all seven services, cold, then warm, compared
    Enrich(EnrichArgs),
    /// Fills the cache with the data of many anime, politely; what is cached already costs no time
    Warm(WarmArgs),
    /// Hits, misses, stores and ends as they happen, and their sum by service: a sample
    #[command(after_help = examples::WATCH)]
    Watch(WatchArgs),
    /// Checks every step of the troubleshooting list and says what to type next
    Doctor,
    /// Answers for all seven services on loopback, from a catalogue of its own, until Ctrl-C
    DemoUpstream(DemoUpstreamArgs),
    /// Writes the completions of a shell
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Writes the manual page
    Man,
}

/// Options of `stats`.
#[derive(Args, Debug)]
pub struct StatsArgs {
    /// Again every so often, until Ctrl-C
    #[arg(long, value_name = "INTERVAL", value_parser = duration)]
    pub watch: Option<Duration>,
    /// How far back hits and misses are told
    #[arg(long, value_name = "WINDOW", default_value = "24h", value_parser = window())]
    pub window: Window,
    /// Write Prometheus' text format
    #[arg(long, conflicts_with = "json")]
    pub prometheus: bool,
}

/// `1h`, `24h` or `7d`.
fn window() -> impl TypedValueParser<Value = Window> {
    PossibleValuesParser::new(Window::ALL.map(Window::name)).map(|name| Window::from_name(&name).unwrap_or(Window::Day))
}

/// Options of `ls`.
#[derive(Args, Debug)]
pub struct LsArgs {
    /// Sort, smallest first; the whole list is read before the first line is written
    #[arg(long, value_enum)]
    pub sort: Option<SortBy>,
    /// Largest first
    #[arg(long, requires = "sort")]
    pub reverse: bool,
    /// At most so many
    #[arg(long, value_name = "N")]
    pub limit: Option<usize>,
    /// Show tokens and passwords in URLs and keys too
    #[arg(long)]
    pub reveal: bool,
    #[command(flatten)]
    pub selectors: Selectors,
}

/// What a list is sorted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum SortBy {
    Key,
    Url,
    Service,
    Size,
    Age,
    Ttl,
    Status,
}

/// Options of `show`.
#[derive(Args, Debug)]
pub struct ShowArgs {
    /// An id as `ls` prints it, short or whole, a Redis key, a URL, or a part of a URL that no other has
    #[arg(value_name = "ID|KEY|URL")]
    pub entry: OsString,
    /// The headers alone
    #[arg(long, conflicts_with_all = ["body", "raw"])]
    pub headers: bool,
    /// The body alone, with its content coding undone and nothing hidden
    #[arg(long, conflicts_with_all = ["raw", "json"])]
    pub body: bool,
    /// The body alone, byte by byte as stored; not to a terminal
    #[arg(long, conflicts_with = "json")]
    pub raw: bool,
    /// Show authorisations, cookies, tokens and passwords too
    #[arg(long)]
    pub reveal: bool,
}

/// How far a command that changes entries goes without asking.
#[derive(Args, Debug)]
pub struct ConsentArgs {
    /// Only show what would be changed
    #[arg(long)]
    pub dry_run: bool,
    /// Do not ask
    #[arg(long, short)]
    pub yes: bool,
    /// At most so many entries
    #[arg(long, value_name = "N")]
    pub limit: Option<usize>,
}

/// Options of `flush`.
#[derive(Args, Debug)]
pub struct FlushArgs {
    #[command(flatten)]
    pub consent: ConsentArgs,
    /// Write no undo file
    #[arg(long)]
    pub no_undo: bool,
    #[command(flatten)]
    pub selectors: Selectors,
}

/// Options of `ttl`.
#[derive(Args, Debug)]
pub struct TtlArgs {
    #[command(flatten)]
    pub change: TtlChange,
    #[command(flatten)]
    pub consent: ConsentArgs,
    #[command(flatten)]
    pub selectors: Selectors,
}

/// Options of `watch`.
#[derive(Args, Debug)]
pub struct WatchArgs {
    /// Of this service only (repeatable)
    #[arg(long, value_name = "S", value_parser = service())]
    pub service: Vec<ServiceName>,
    /// End after this time (default: at Ctrl-C, with --monitor after 10s)
    #[arg(long = "for", value_name = "DURATION", value_parser = duration)]
    pub window: Option<Duration>,
    /// Turn on the notifications that it needs at the server, and put the setting back at the end
    #[arg(long)]
    pub enable_notifications: bool,
    /// Read every command that the server is given, which slows it down, instead of its notifications
    #[arg(long, conflicts_with = "enable_notifications")]
    pub monitor: bool,
}

/// The new TTL; exactly one.
#[derive(Args, Clone, Copy, Debug)]
#[group(required = true, multiple = false)]
pub struct TtlChange {
    /// Expire so long from now (12h)
    #[arg(long, value_name = "DURATION", value_parser = lifetime)]
    pub set: Option<Duration>,
    /// Expire so much later than now planned (2h)
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub extend: Option<Duration>,
    /// Never expire
    #[arg(long)]
    pub persist: bool,
}

/// A TTL that leaves an entry there: Redis deletes what gets none.
fn lifetime(text: &str) -> Result<Duration, String> {
    let lifetime = duration(text)?;
    if lifetime < Duration::from_secs(1) {
        return Err("the shortest TTL is 1s; `animecache flush` deletes".to_owned());
    }
    Ok(lifetime)
}

/// Options of `demo-upstream`.
#[derive(Args, Debug)]
pub struct DemoUpstreamArgs {
    /// The first of seven ports, one a service; free ones by default
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..=65_529))]
    pub port: Option<u16>,
    /// Multiplies the time that an answer takes; 0: none
    #[arg(long, value_name = "FACTOR", default_value_t = 1.0, value_parser = pace)]
    pub pace: f64,
}

fn pace(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(pace) if (0.0..=100.0).contains(&pace) => Ok(pace),
        _ => Err("a number from 0 to 100".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
