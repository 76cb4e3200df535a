//! The commands, one file each.

pub(crate) mod confirm;
pub(crate) mod demo_upstream;
pub(crate) mod doctor;
pub(crate) mod enrich;
pub(crate) mod entry_label;
pub(crate) mod flush;
pub mod log;
pub(crate) mod ls;
pub(crate) mod outcome;
pub(crate) mod packaging;
pub(crate) mod plan_and_confirm;
pub mod session;
pub(crate) mod short_id;
pub(crate) mod show;
pub(crate) mod signals;
pub(crate) mod state_directory;
pub(crate) mod stats;
pub(crate) mod ttl;
pub(crate) mod tui;
pub(crate) mod undo;
pub(crate) mod warm;
pub(crate) mod watch;

use crate::cli::{Cli, Command};
use crate::commands::session::Session;
use crate::commands::signals::Signals;
use crate::exit::Exit;
use crate::output::style::Style;
use crate::settings::Settings;
use crate::settings::config_file::ConfigFile;

/// Runs the command.
pub async fn run(cli: Cli, file: ConfigFile) -> anyhow::Result<Exit> {
    match &cli.command {
        Command::Completions { shell } => return packaging::completions(*shell),
        Command::Man => return packaging::manual(),
        _ => {}
    }
    let session = Session {
        settings: Settings::load(&cli.global, file)?,
        style: Style::new(cli.global.color),
        global: cli.global,
    };
    if !matches!(cli.command, Command::Doctor) {
        session.warn_of_settings();
    }
    let takes_signals = matches!(
        cli.command,
        Command::Tui
            | Command::Flush(_)
            | Command::Ttl(_)
            | Command::Enrich(_)
            | Command::Warm(_)
            | Command::DemoUpstream(_)
    );
    let is_interruptible = session.global.demo && !takes_signals;
    let work = dispatch(&session, cli.command);
    if !is_interruptible {
        return work.await;
    }
    // A signal that ended the program at once would leave the temporary cache behind.
    let mut signals = Signals::new()?;
    tokio::select! {
        biased;
        outcome = work => outcome,
        () = signals.next() => Ok(Exit::Partial),
    }
}

async fn dispatch(session: &Session, command: Command) -> anyhow::Result<Exit> {
    match command {
        Command::Tui => tui::run(session).await,
        Command::Stats(args) => stats::run(session, &args).await,
        Command::Ls(args) => ls::run(session, &args).await,
        Command::Show(args) => show::run(session, &args).await,
        Command::Flush(args) => flush::run(session, &args).await,
        Command::Ttl(args) => ttl::run(session, &args).await,
        Command::Undo(args) => undo::run(session, &args).await,
        Command::Enrich(args) => enrich::run(session, &args).await,
        Command::Warm(args) => warm::run(session, &args).await,
        Command::Watch(args) => watch::run(session, &args).await,
        Command::Doctor => doctor::run(session).await,
        Command::DemoUpstream(args) => demo_upstream::run(session, &args).await,
        Command::Completions { .. } | Command::Man => Ok(Exit::Done),
    }
}
