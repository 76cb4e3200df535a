//! The command line: commands, their options, and global options.
#![expect(clippy::struct_excessive_bools, reason = "each is a flag of its own on the command line")]
#![expect(clippy::doc_markdown, reason = "comments on options are printed as they are by --help")]

pub(crate) mod enrich;
pub(crate) mod examples;
pub mod selectors;
pub mod tls;
pub mod ttl;

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use cache_core::ServiceName;
use cache_core::StatsWindow;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, CommandFactory as _, FromArgMatches as _, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

use crate::cli::enrich::{EnrichArgs, WarmArgs};
use crate::cli::selectors::{Selectors, duration, service, size};
use crate::cli::tls::TlsArgs;
use crate::cli::ttl::lifetime;
use crate::output::style::ColorChoice;

/// Inspect and manage the HTTP and result caches of an anime enrichment pipeline
#[derive(Debug, Parser)]
#[command(name = "animecache", version, max_term_width = 100, after_help = examples::PROGRAM)]
pub struct Cli {
    #[command(flatten)]
    pub global: Global,
    #[command(subcommand)]
    pub command: Command,
}

impl Cli {
    /// Parses the command line; exits after a usage error, and after printing help.
    pub fn typed() -> Self {
        let arguments: Vec<OsString> = std::env::args_os().collect();
        let mut command = compact(Self::command()).color(color_of_help(&arguments));
        let mut matches = command.clone().get_matches_from(arguments);
        Self::from_arg_matches_mut(&mut matches).unwrap_or_else(|error| error.format(&mut command).exit())
    }
}

/// The page of `--help` of a command with a long description.
const DESCRIBED: &str = "{before-help}{usage-heading} {usage}\n\n{all-args}{after-help}";

/// Lays `--help` out like `-h`, with the long descriptions of commands: Clap's own layout for long texts puts blank
/// lines between all options. Long texts of options are left to the man pages.
fn compact(command: clap::Command) -> clap::Command {
    let mut command = command.mut_args(|arg| arg.long_help(None)).mut_subcommands(compact);
    if let Some(description) = command.get_long_about().cloned() {
        command = command.long_about(None).before_help(description).help_template(DESCRIBED);
    }
    command
}

/// The value of `--color` in arguments that may be invalid: usage errors use the requested colors.
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
    #[arg(long, global = true, value_name = "STORAGE", value_parser = ["redis", "sqlite"])]
    #[arg(help = "Backend to use [env: HTTP_CACHE_STORAGE] [default: redis]")]
    pub storage: Option<String>,
    #[arg(long, global = true, value_name = "URL")]
    #[arg(help = "Redis server to use [env: REDIS_CACHE_URL] [default: redis://localhost:6379/0]")]
    pub redis: Option<String>,
    #[arg(long, global = true, value_name = "PATH")]
    #[arg(help = "SQLite file, or directory that contains http_cache.db [env: HTTP_CACHE_DIR]")]
    pub sqlite: Option<PathBuf>,
    /// Use a temporary SQLite cache filled with sample data
    #[arg(long, global = true)]
    pub demo: bool,
    /// Fail instead of falling back to SQLite if Redis is unreachable
    #[arg(long, global = true)]
    pub no_fallback: bool,
    /// Reject every operation that modifies the cache
    #[arg(long, global = true)]
    pub read_only: bool,
    /// Print output as JSON (no effect on tui, completions and man)
    #[arg(long, global = true)]
    pub json: bool,
    /// When to use color
    ///
    /// auto: on a terminal, unless NO_COLOR is set or TERM is dumb.
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto", value_enum)]
    pub color: ColorChoice,
    #[arg(long, global = true, value_name = "FILE")]
    #[arg(help = "Configuration file [default: $XDG_CONFIG_HOME/animecache/config.toml]")]
    pub config: Option<PathBuf>,
    #[arg(long, global = true, value_name = "NAME")]
    #[arg(help = "Use the settings in [profile.NAME] of the configuration file")]
    pub profile: Option<String>,
    #[command(flatten)]
    pub tls: TlsArgs,
    /// Log to stderr, or to a file with tui (-vv for debug, -vvv for trace)
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
    #[arg(long, global = true, value_name = "FILE")]
    #[arg(help = "Write the log to FILE instead of stderr [default for tui: $XDG_STATE_HOME/animecache/log]")]
    pub log_file: Option<PathBuf>,
    /// Print only errors and fallback warnings to stderr
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub quiet: bool,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Open the dashboard
    #[command(after_help = examples::TUI)]
    Tui,
    /// List cache entries
    ///
    /// Prints one line per entry, or one JSON object per line with --json. Without --sort, entries are printed as they
    /// are read.
    #[command(override_usage = "animecache ls [OPTIONS] [SELECTORS]", after_help = examples::LS)]
    Ls(LsArgs),
    /// Show one entry: summary, headers, Redis keys and body
    #[command(after_help = examples::SHOW)]
    Show(ShowArgs),
    /// Show entry counts, sizes, TTLs and hit rates by service
    #[command(after_help = examples::STATS)]
    Stats(StatsArgs),
    /// Watch hits, misses and changes as they happen
    ///
    /// Prints one line per event and totals by service at the end. Requires Redis. Keyspace notifications do not show
    /// hits of results; MONITOR does not show expirations and evictions.
    #[command(after_help = examples::WATCH)]
    Watch(WatchArgs),
    /// Delete entries
    ///
    /// Shows the plan, asks for confirmation, then deletes the selected entries in batches. A response is deleted
    /// together with its body and its index record. Never falls back to SQLite. Requires --yes or --dry-run if there is
    /// no terminal.
    #[command(override_usage = "animecache flush [OPTIONS] <SELECTORS>", after_help = examples::FLUSH)]
    #[command(mut_arg("dry_run", |arg| arg.help("Show the plan without deleting anything")))]
    #[command(mut_arg("limit", |arg| arg.help("Delete at most N entries")))]
    Flush(FlushArgs),
    /// Change the TTL of entries
    ///
    /// Shows the plan, asks for confirmation, then changes the selected entries in batches. Never falls back to SQLite.
    /// Requires --yes or --dry-run if there is no terminal.
    #[command(override_usage = examples::TTL_USAGE, after_help = examples::TTL)]
    Ttl(TtlArgs),
    /// Restore what the last flush or TTL change took
    ///
    /// flush and ttl save entries to a private file before they change them. undo shows what it can restore, asks for
    /// confirmation, and restores the entries with the TTL that would be left. Entries that were stored since are
    /// kept. It can be repeated, also after flush or undo was interrupted. Never falls back to SQLite.
    #[command(after_help = examples::UNDO)]
    Undo(UndoArgs),
    /// Fetch one anime through the cache twice and compare the two passes
    ///
    /// The cold pass fetches what is not cached, within the rate limits of the services. The warm pass must be served
    /// from the cache alone and return identical data. Exits with 4 if data is missing or the passes differ.
    #[command(override_usage = examples::ENRICH_USAGE, after_help = examples::ENRICH)]
    Enrich(EnrichArgs),
    /// Fill the cache for a list of anime
    ///
    /// Fetches what is not cached, within the rate limits of the services. Run it again to continue after an
    /// interruption.
    #[command(after_help = examples::WARM)]
    Warm(WarmArgs),
    /// Check the settings, the backend and the cache, and suggest fixes
    ///
    /// Checks whether caching is enabled, whether the backend is reachable, its version and memory limit, and whether
    /// entries are complete and expire. Prints every setting with its source. Does not fall back to SQLite and does not
    /// modify the cache. Exits with 4 if there are problems, 5 if the backend is unreachable.
    #[command(after_help = examples::DOCTOR)]
    Doctor,
    /// Serve simulated responses of all seven services on localhost
    #[command(after_help = examples::DEMO_UPSTREAM)]
    DemoUpstream(DemoUpstreamArgs),
    /// Generate shell completions
    Completions {
        /// Shell to generate completions for
        shell: Shell,
    },
    /// Generate the man pages
    Man,
}

/// Options of `stats`.
#[derive(Args, Debug)]
pub struct StatsArgs {
    /// Repeat every INTERVAL until interrupted
    #[arg(long, value_name = "INTERVAL", value_parser = duration)]
    pub watch: Option<Duration>,
    /// Time span for hits and misses
    #[arg(long, value_name = "WINDOW", default_value = "24h", value_parser = window())]
    pub window: StatsWindow,
    /// Print metrics in the Prometheus text format
    #[arg(long, conflicts_with = "json")]
    pub prometheus: bool,
}

/// `1h`, `24h` or `7d`.
fn window() -> impl TypedValueParser<Value = StatsWindow> {
    PossibleValuesParser::new(StatsWindow::ALL.map(StatsWindow::name))
        .map(|name| StatsWindow::from_name(&name).unwrap_or(StatsWindow::Day))
}

/// Options of `ls`.
#[derive(Args, Debug)]
pub struct LsArgs {
    /// Sort entries; reads the whole cache before printing
    #[arg(long, value_name = "FIELD", value_enum)]
    pub sort: Option<SortBy>,
    /// Reverse the sort order
    #[arg(long, requires = "sort")]
    pub reverse: bool,
    /// List at most N entries
    #[arg(long, value_name = "N")]
    pub limit: Option<usize>,
    /// Show credentials in URLs and keys instead of masking them
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
    /// ID (full, or its first 8 or more characters), Redis key, URL, or unique part of a URL
    #[arg(value_name = "ENTRY")]
    pub entry: OsString,
    /// Print only the headers
    #[arg(long, conflicts_with_all = ["body", "raw"])]
    pub headers: bool,
    /// Print only the decoded body, without masking credentials
    #[arg(long, conflicts_with_all = ["raw", "json"])]
    pub body: bool,
    /// Print only the stored bytes of the body (not to a terminal)
    #[arg(long, conflicts_with = "json")]
    pub raw: bool,
    /// Show credentials instead of masking them
    #[arg(long)]
    pub reveal: bool,
}

/// Options of commands that change entries.
#[derive(Args, Debug)]
pub struct ConfirmArgs {
    /// Show the plan without changing anything
    #[arg(long)]
    pub dry_run: bool,
    /// Skip the confirmation prompt
    #[arg(long, short)]
    pub yes: bool,
    /// Change at most N entries
    #[arg(long, value_name = "N")]
    pub limit: Option<usize>,
    /// Do not write an undo file
    #[arg(long)]
    pub no_undo: bool,
    /// Reject a change whose undo file would be larger than SIZE
    #[arg(long, value_name = "SIZE", default_value = "1GiB", value_parser = size, conflicts_with = "no_undo")]
    pub undo_limit: u64,
}

/// Options of `undo`.
#[derive(Args, Debug)]
pub struct UndoArgs {
    /// File to restore from [default: that of the last change of this cache]
    #[arg(value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// List undo files, the newest first
    #[arg(long, conflicts_with_all = ["file", "dry_run", "yes", "prune"])]
    pub list: bool,
    /// Show what would be restored without changing anything
    #[arg(long)]
    pub dry_run: bool,
    /// Skip the confirmation prompt
    #[arg(long, short)]
    pub yes: bool,
    /// Remove undo files that are older than 7 days, and the oldest of more than 5 GiB
    #[arg(long, conflicts_with_all = ["file", "dry_run", "yes"])]
    pub prune: bool,
}

/// Options of `flush`.
#[derive(Args, Debug)]
pub struct FlushArgs {
    #[command(flatten)]
    pub confirm: ConfirmArgs,
    #[command(flatten)]
    pub selectors: Selectors,
}

/// Options of `ttl`.
#[derive(Args, Debug)]
pub struct TtlArgs {
    #[command(flatten)]
    pub change: TtlChange,
    #[command(flatten)]
    pub confirm: ConfirmArgs,
    #[command(flatten)]
    pub selectors: Selectors,
}

/// Options of `watch`.
#[derive(Args, Debug)]
pub struct WatchArgs {
    /// Watch only this service (can be repeated)
    #[arg(long, value_name = "SERVICE", value_parser = service())]
    pub service: Vec<ServiceName>,
    #[arg(long = "for", value_name = "DURATION", value_parser = duration)]
    #[arg(help = "Stop after this time [default: until interrupted; 10s with --monitor]")]
    pub window: Option<Duration>,
    /// Enable keyspace notifications on the server while watching, then restore the setting
    #[arg(long)]
    pub enable_notifications: bool,
    /// Use MONITOR instead of keyspace notifications (slows the server down)
    #[arg(long, conflicts_with = "enable_notifications")]
    pub monitor: bool,
}

/// The new TTL; exactly one.
#[derive(Args, Clone, Copy, Debug)]
#[group(required = true, multiple = false)]
pub struct TtlChange {
    /// Set the TTL to DURATION from now (for example 12h)
    #[arg(long, value_name = "DURATION", value_parser = lifetime)]
    pub set: Option<Duration>,
    /// Extend the remaining TTL by DURATION (for example 2h)
    #[arg(long, value_name = "DURATION", value_parser = lifetime)]
    pub extend: Option<Duration>,
    /// Remove the TTL: entries never expire
    #[arg(long)]
    pub persist: bool,
}

/// Options of `demo-upstream`.
#[derive(Args, Debug)]
pub struct DemoUpstreamArgs {
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..=65_529))]
    #[arg(help = "First of seven consecutive ports, one for each service [default: any free ports]")]
    pub port: Option<u16>,
    /// Multiply response times by FACTOR (0 responds at once)
    #[arg(long, value_name = "FACTOR", default_value_t = 1.0, value_parser = positive_factor)]
    pub pace: f64,
}

fn positive_factor(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(pace) if (0.0..=100.0).contains(&pace) => Ok(pace),
        _ => Err("must be a number from 0 to 100".to_owned()),
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
