//! Log messages: to stderr, or to a file while the dashboard has the terminal.

use std::fs::{File, OpenOptions};
use std::io::stderr;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use anyhow::Context as _;
use tracing_subscriber::EnvFilter;

use crate::cli::{Cli, Command};
use crate::commands::state_directory::state_directory;
use crate::output::{RedactedLog, style};

/// A log file that is larger, in bytes, is truncated at the next start.
const MAX_FILE: u64 = 16 << 20;

/// Starts logging as `-v` and `--log-file` request.
///
/// # Errors
/// The log file cannot be opened.
pub fn start(cli: &Cli) -> anyhow::Result<()> {
    let global = &cli.global;
    let level = match (global.verbose, &global.log_file) {
        (0, None) => return Ok(()),
        (0 | 1, _) => "info",
        (2, _) => "debug",
        _ => "trace",
    };
    // Drivers may log what they send, passwords included.
    let ours = EnvFilter::new(format!("animecache={level},cache_core={level}"));
    let file = match (&global.log_file, &cli.command) {
        (Some(path), _) => Some(path.clone()),
        (None, Command::Tui) => Some(default_file()?),
        (None, _) => None,
    };
    let log = tracing_subscriber::fmt().with_env_filter(ours);
    match file {
        Some(path) => log.with_ansi(false).with_writer(Mutex::new(RedactedLog(open(&path)?))).init(),
        None => log.with_ansi(style::is_wanted(global.color, &stderr())).with_writer(|| RedactedLog(stderr())).init(),
    }
    Ok(())
}

/// `$XDG_STATE_HOME/animecache/log`, in an existing folder.
fn default_file() -> anyhow::Result<PathBuf> {
    let folder = state_directory().context("cannot find the home directory; pass --log-file FILE")?;
    std::fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    Ok(folder.join("log"))
}

/// Readable by its owner only, since URLs are private.
fn open(path: &Path) -> anyhow::Result<File> {
    let is_full = path.metadata().is_ok_and(|file| file.is_file() && file.len() > MAX_FILE);
    let mut options = OpenOptions::new();
    options.create(true).mode(0o600);
    if is_full {
        options.write(true).truncate(true)
    } else {
        options.append(true)
    };
    options.open(path).with_context(|| format!("cannot open log file {}", path.display()))
}
