//! `enrich`: one anime's data from all seven services through the cache, cold and then warm, compared.

pub(crate) mod environment;
pub(crate) mod files;
pub(crate) mod progress;
pub(crate) mod select;
pub(crate) mod terminal;
pub(crate) mod text;

use cache_core::clock;

use crate::cli::enrich::EnrichArgs;
use crate::commands::enrich::environment::{Environment, time_limit};
use crate::commands::enrich::progress::{ProgressView, run_with_progress};
use crate::commands::session::Session;
use crate::commands::signals::Signals;
use crate::enrich::history;
use crate::enrich::history::Run;
use crate::enrich::mode::Mode;
use crate::enrich::progress::EnrichPlan;
use crate::enrich::report::{EnrichReport, Verdict};
use crate::enrich::run::run as enrich;
use crate::exit::{Exit, Refused};
use crate::output;
use crate::output::safe;
use cache_core::error_chain;

/// Runs the command.
pub(crate) async fn run(session: &Session, args: &EnrichArgs) -> anyhow::Result<Exit> {
    if session.global.read_only && mode(args).stores() {
        let refused = "enrich is not allowed with --read-only, except with --offline or --verify";
        return Err(Refused(refused.into()).into());
    }
    let Some(anime) = select::anime(session, args)? else { return Ok(Exit::NothingMatched) };
    let plan = EnrichPlan {
        anime,
        services: args.services.selected(),
        mode: mode(args),
        timeout: time_limit(&args.services)?,
    };
    if plan.services().next().is_none() {
        let message = format!("{} has no ID for the selected services", plan.anime.name());
        output::error(&safe::line(&message));
        return Ok(Exit::NothingMatched);
    }
    if let Some(directory) = &args.out {
        files::prepare(directory)?;
    }
    let mut signals = Signals::new()?;
    let environment = tokio::select! {
        biased;
        () = signals.next() => return Ok(Exit::Partial),
        environment = Environment::new(session, &args.services, mode(args)) => environment?,
    };
    let progress = plan.progress();
    let done = {
        let mut view = ProgressView::new(session, plan.mode);
        let work = enrich(&environment.cache, &environment.network, &environment.services, &plan, &progress);
        run_with_progress(work, &mut signals, || view.update(&progress)).await
    };
    let report = done.unwrap_or_else(|| EnrichReport { interrupted: true, ..EnrichReport::new(&plan, &progress) });
    // The report is printed even if the files could not be written.
    let written = args.out.as_ref().map_or(Ok(()), |directory| files::write(directory, &progress));
    if session.global.json {
        output::write_json(&report)?;
    } else {
        output::write(text::text(&plan, &report, session.style).as_bytes())?;
    }
    let exit = exit(&report, plan.mode);
    if session.settings.cache.enabled && matches!(plan.mode, Mode::Usual | Mode::Fresh) && !report.interrupted {
        let run = Run { at: clock::now(), report };
        if let Err(error) = history::add(&**environment.cache.store(), &run).await {
            session.warn(&format!("could not save the run to the history: {}", error_chain(&error)));
        }
    }
    environment.close().await;
    written?;
    Ok(exit)
}

/// The exit code.
fn exit(report: &EnrichReport, mode: Mode) -> Exit {
    let failed = report.services.iter().filter(|service| !service.ok).count();
    // In these modes, missing data is a finding.
    let finds_gaps = matches!(mode, Mode::Offline | Mode::Uncached);
    match report {
        EnrichReport { interrupted: true, .. } => Exit::Partial,
        EnrichReport { services, .. } if failed == services.len() && !finds_gaps => Exit::Fault,
        report if report.verdict() != Verdict::Good => Exit::Partial,
        _ => Exit::Done,
    }
}

fn mode(args: &EnrichArgs) -> Mode {
    match args {
        EnrichArgs { fresh: true, .. } => Mode::Fresh,
        EnrichArgs { verify: true, .. } => Mode::Uncached,
        EnrichArgs { offline: true, .. } => Mode::Offline,
        _ => Mode::Usual,
    }
}
