//! Parses the command line, runs the command, prints errors and sets the exit code.

use std::io::stderr;
use std::process::ExitCode;

use animecache::cli::{Cli, Global};
use animecache::exit::{self, Exit};
use animecache::output::{self, safe, style};
use animecache::settings;
use tracing_subscriber::EnvFilter;

/// The commands wait for one server most of the time; the second thread keeps Ctrl-C and progress alive.
const THREADS: usize = 2;

fn main() -> ExitCode {
    settings::config_file::extend_services(&std::env::args_os().collect::<Vec<_>>());
    let cli = Cli::typed();
    log_to_stderr(&cli.global);
    let outcome = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(THREADS)
        .enable_all()
        .build()
        .map_err(anyhow::Error::from)
        .and_then(|runtime| {
            let outcome = runtime.block_on(animecache::commands::run(cli));
            // A blocked driver call must not keep the program from exiting.
            runtime.shutdown_background();
            outcome
        });
    outcome.unwrap_or_else(|error| report(&error)).into()
}

fn log_to_stderr(global: &Global) {
    let level = match global.verbose {
        0 => return,
        1 => "info",
        2 => "debug",
        _ => "trace",
    };
    // Drivers may log what they send, passwords included.
    let ours = EnvFilter::new(format!("animecache={level},cache_core={level}"));
    let is_coloured = style::is_wanted(global.color, &stderr());
    tracing_subscriber::fmt().with_env_filter(ours).with_ansi(is_coloured).with_writer(stderr).init();
}

fn report(error: &anyhow::Error) -> Exit {
    if !exit::is_closed_pipe(error) {
        let message = cache_core::error_chain(error.as_ref());
        output::error(&safe::lines(&message).collect::<Vec<_>>().join("\n"));
        if let Some(advice) = exit::advice(error) {
            output::hint(advice);
        }
    }
    exit::exit_code(error)
}
