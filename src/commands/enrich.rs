//! `enrich`: one anime's data from all seven services through the cache, cold and then warm, compared.

pub(crate) mod environment;
pub(crate) mod files;
pub(crate) mod progress;
pub(crate) mod select;
pub(crate) mod terminal;
pub(crate) mod text;

use std::time::Duration;

use cache_core::clock;

use crate::cli::enrich::EnrichArgs;
use crate::commands::enrich::environment::Stage;
use crate::commands::enrich::progress::{Shown, follow};
use crate::commands::session::Session;
use crate::commands::signals::Signals;
use crate::enrich::history;
use crate::enrich::history::Run;
use crate::enrich::mode::Mode;
use crate::enrich::progress::Plan;
use crate::enrich::report::{Report, Verdict};
use crate::enrich::run::run as enrich;
use crate::exit::{Exit, Refused};
use crate::output;
use crate::output::safe;
use cache_core::chain;

/// Runs the command.
pub(crate) async fn run(session: &Session, args: &EnrichArgs) -> anyhow::Result<Exit> {
    if session.global.read_only && args.mode().stores() {
        let refused = "enrich is not allowed with --read-only, except with --offline or --verify";
        return Err(Refused(refused.into()).into());
    }
    let Some(anime) = select::anime(session, args)? else { return Ok(Exit::NothingMatched) };
    let plan =
        Plan { anime, services: args.services.asked(), mode: args.mode(), time_limit: args.services.time_limit()? };
    if plan.asked().next().is_none() {
        let told = format!("error: {} has no ID for the selected services", plan.anime.name());
        output::tell(&safe::line(&told));
        return Ok(Exit::NothingMatched);
    }
    if let Some(directory) = &args.out {
        files::prepare(directory)?;
    }
    let mut signals = Signals::listen()?;
    let stage = tokio::select! {
        biased;
        () = signals.next() => return Ok(Exit::Partial),
        stage = Stage::set(session, &args.services, args.mode()) => stage?,
    };
    let progress = plan.progress();
    let done = {
        let mut shown = Shown::new(session, plan.mode);
        let work = enrich(&stage.cache, &stage.network, &stage.services, &plan, &progress);
        follow(work, &mut signals, || shown.update(&progress)).await
    };
    let report = done.unwrap_or_else(|| Report { interrupted: true, ..Report::new(&plan, &progress) });
    // Whatever becomes of the files, there is a report.
    let written = args.out.as_ref().map_or(Ok(()), |directory| files::write(directory, &progress));
    if session.global.json {
        output::write_json(&report)?;
    } else {
        output::write(text::text(&plan, &report, session.style).as_bytes())?;
    }
    let exit = exit(&report, plan.mode);
    if session.settings.cache.enabled && matches!(plan.mode, Mode::Usual | Mode::Fresh) && !report.interrupted {
        let run = Run { at: clock::now(), report };
        if let Err(error) = history::add(&**stage.cache.store(), &run).await {
            session.note(&format!("warning: could not save the run to the history: {}", chain(&error)));
        }
    }
    stage.close().await;
    written?;
    Ok(exit)
}

/// What an outcome means.
fn exit(report: &Report, mode: Mode) -> Exit {
    let failed = report.services.iter().filter(|service| !service.ok).count();
    // That something is not cached is what was to be found out.
    let finds_gaps = matches!(mode, Mode::Offline | Mode::Uncached);
    match report {
        Report { interrupted: true, .. } => Exit::Partial,
        Report { services, .. } if failed == services.len() && !finds_gaps => Exit::Fault,
        report if report.verdict() != Verdict::Good => Exit::Partial,
        _ => Exit::Done,
    }
}

impl EnrichArgs {
    fn mode(&self) -> Mode {
        match self {
            Self { fresh: true, .. } => Mode::Fresh,
            Self { verify: true, .. } => Mode::Uncached,
            Self { offline: true, .. } => Mode::Offline,
            _ => Mode::Usual,
        }
    }
}

impl crate::cli::enrich::ServiceArgs {
    /// The longest that one service may take.
    pub(crate) fn time_limit(&self) -> anyhow::Result<Duration> {
        if self.timeout.is_zero() {
            return Err(Refused("--timeout must be greater than 0".into()).into());
        }
        Ok(self.timeout)
    }
}
