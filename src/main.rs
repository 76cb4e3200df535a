//! Parses the command line, runs the command, prints errors and sets the exit code.

use std::process::ExitCode;

use animecache::cli::Cli;
use animecache::commands::log;
use animecache::exit::{self, Exit};
use animecache::output::{self, safe};
use animecache::settings::config_file::ConfigFile;

/// The commands wait for one server most of the time; the second thread keeps Ctrl-C and progress alive.
const THREADS: usize = 2;

fn main() -> ExitCode {
    let file = ConfigFile::of_command_line(&std::env::args_os().collect::<Vec<_>>());
    file.extend_services();
    let cli = Cli::typed();
    if let Err(error) = log::start(&cli) {
        return report(&error).into();
    }
    let outcome = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(THREADS)
        .enable_all()
        .build()
        .map_err(anyhow::Error::from)
        .and_then(|runtime| {
            let outcome = runtime.block_on(animecache::commands::run(cli, file));
            // A blocked driver call must not keep the program from exiting.
            runtime.shutdown_background();
            outcome
        });
    outcome.unwrap_or_else(|error| report(&error)).into()
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
