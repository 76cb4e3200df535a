//! `warm`: fills the cache with the data of many anime. Running it again continues: cached data is not fetched again.

use std::fmt::Write as _;
use std::io::Read as _;
use std::path::Path;
use std::time::Instant;

use anyhow::Context as _;
use serde::Serialize;

use crate::anime::Anime;
use crate::cli::enrich::WarmArgs;
use crate::commands::enrich::environment::{Environment, time_limit};
use crate::commands::enrich::progress::{ProgressView, run_with_progress};
use crate::commands::enrich::select;
use crate::commands::session::Session;
use crate::commands::signals::Signals;
use crate::enrich::lookup::Catalogue;
use crate::enrich::mode::Mode;
use crate::enrich::progress::EnrichPlan;
use crate::enrich::report::EnrichReport;
use crate::enrich::run::fill;
use crate::exit::{Exit, Refused};
use crate::output;
use crate::output::human::{bytes, count, counted, duration, latency};
use crate::output::safe;

/// Runs the command.
pub(crate) async fn run(session: &Session, args: &WarmArgs) -> anyhow::Result<Exit> {
    if session.global.read_only {
        return Err(Refused("warm is not allowed with --read-only".into()).into());
    }
    let time_limit = time_limit(&args.services)?;
    let wanted = requested_titles(&select::catalogue(session, &args.services)?, args)?;
    if wanted.is_empty() {
        output::error("no titles selected");
        return Ok(Exit::NothingMatched);
    }
    let mut signals = Signals::new()?;
    let environment = tokio::select! {
        biased;
        () = signals.next() => return Ok(Exit::Partial),
        environment = Environment::new(session, &args.services, Mode::Usual) => environment?,
    };
    let started = Instant::now();
    let mut summary = Summary::default();
    for (place, one) in wanted.iter().enumerate() {
        let place = format!("{}/{}", place + 1, wanted.len());
        let plan = one.as_ref().map(|anime| {
            let services = args.services.selected();
            EnrichPlan { anime: anime.clone(), services, mode: Mode::Usual, timeout: time_limit }
        });
        let title = match &plan {
            Err(unknown) => Warmed::skipped(&unknown.title, &unknown.error),
            Ok(plan) if plan.services().next().is_none() => {
                Warmed::skipped(&plan.anime.name(), "no ID for the selected services")
            }
            Ok(plan) => {
                let progress = plan.progress();
                let done = {
                    let mut view = ProgressView::for_many(session, &format!("{place} {}", plan.anime.name()));
                    let work = fill(&environment.cache, &environment.network, &environment.services, plan, &progress);
                    run_with_progress(work, &mut signals, || view.update(&progress)).await
                };
                summary.interrupted = done.is_none();
                Warmed::new(done.unwrap_or_else(|| EnrichReport::new(plan, &progress)))
            }
        };
        session.note(&format!("{place} {}", title.line()));
        summary.add(title);
        if summary.interrupted {
            break;
        }
    }
    summary.seconds = started.elapsed().as_secs_f64();
    if session.global.json {
        output::write_json(&summary)?;
    } else {
        output::write(summary.text(wanted.len()).as_bytes())?;
    }
    environment.close().await;
    Ok(summary.exit())
}

/// The anime to warm, in order, and the titles that match none.
fn requested_titles(catalogue: &Catalogue, args: &WarmArgs) -> anyhow::Result<Vec<Result<Anime, Unknown>>> {
    match (&args.titles, args.index) {
        (Some(file), _) => {
            let text = read(file).with_context(|| Refused(format!("cannot read {}", file.display())))?;
            let titles = text.trim_start_matches('\u{feff}').lines().map(str::trim);
            let titles = titles.filter(|title| !title.is_empty() && !title.starts_with('#'));
            Ok(titles.map(|title| known(catalogue, title)).collect())
        }
        (None, Some(range)) => {
            let anime = range.within(catalogue.places()).filter_map(|index| catalogue.get(index));
            // An entry with neither title nor ID cannot be requested.
            Ok(anime.filter(|anime| !anime.name().is_empty()).cloned().map(Ok).collect())
        }
        // The command line requires one of the two.
        (None, None) => Ok(Vec::new()),
    }
}

fn known(catalogue: &Catalogue, title: &str) -> Result<Anime, Unknown> {
    let unknown = |error: String| Unknown { title: title.to_owned(), error };
    let found = select::by_title(catalogue, title).map_err(|error| unknown(error.to_string().replace('\n', " ")))?;
    found.cloned().ok_or_else(|| unknown(format!("not found in {}", catalogue.name())))
}

fn read(file: &Path) -> std::io::Result<String> {
    if file != Path::new("-") {
        return std::fs::read_to_string(file);
    }
    let mut text = String::new();
    std::io::stdin().lock().read_to_string(&mut text)?;
    Ok(text)
}

/// A title that matches no anime.
struct Unknown {
    title: String,
    error: String,
}

/// The outcome of one title.
#[derive(Serialize)]
struct Warmed {
    title: String,
    ok: bool,
    /// Everything was cached already.
    already_warm: bool,
    requests: u64,
    hits: u64,
    /// Requests that went to the services.
    upstream: u64,
    bytes: u64,
    seconds: f64,
    failed: Vec<Failed>,
    /// Services that returned data.
    #[serde(skip)]
    succeeded: usize,
}

/// A failure of one title.
#[derive(Serialize)]
struct Failed {
    /// `None`: no service was requested.
    service: Option<&'static str>,
    error: String,
}

/// The outcome of all titles.
#[derive(Default, Serialize)]
struct Summary {
    titles: Vec<Warmed>,
    done: u64,
    already_warm: u64,
    /// Titles with failures.
    failed: u64,
    interrupted: bool,
    requests: u64,
    hits: u64,
    upstream: u64,
    bytes: u64,
    seconds: f64,
}

impl Warmed {
    fn new(report: EnrichReport) -> Self {
        let sum = |of: fn(&crate::enrich::report::PassReport) -> u64| report.services.iter().map(|s| of(&s.cold)).sum();
        let failed = report.services.iter().filter_map(|service| {
            let error = service.error.clone().or_else(|| service.gaps())?;
            Some(Failed { service: Some(service.service.name()), error })
        });
        let failed: Vec<_> = failed.collect();
        Self {
            ok: failed.is_empty(),
            already_warm: failed.is_empty() && report.services.iter().all(|service| service.cold.is_warm()),
            requests: sum(|pass| pass.requests),
            hits: sum(|pass| pass.hits),
            upstream: sum(|pass| pass.upstream),
            bytes: sum(|pass| pass.bytes),
            seconds: report.cold_seconds,
            succeeded: report.services.iter().filter(|service| service.ok).count(),
            failed,
            title: report.title,
        }
    }

    /// A title for which no service could be requested, and why.
    fn skipped(title: &str, why: &str) -> Self {
        Self {
            title: title.to_owned(),
            ok: false,
            already_warm: false,
            requests: 0,
            hits: 0,
            upstream: 0,
            bytes: 0,
            seconds: 0.0,
            failed: vec![Failed { service: None, error: why.to_owned() }],
            succeeded: 0,
        }
    }

    fn line(&self) -> String {
        let time = latency(Some(self.seconds));
        let (requests, hits) = (counted(self.requests, "request"), counted(self.hits, "hit"));
        let mut line = format!("{}: {requests}, {hits}, {time}", self.title);
        if self.already_warm {
            line.push_str(" (already cached)");
        }
        for failed in &self.failed {
            // Writing to a String cannot fail.
            let _ = write!(line, "; {}: {}", failed.service.unwrap_or("skipped"), failed.error);
        }
        safe::line(&line).into_owned()
    }
}

impl Summary {
    fn add(&mut self, title: Warmed) {
        self.done += u64::from(title.ok);
        self.already_warm += u64::from(title.already_warm);
        self.failed += u64::from(!title.ok);
        self.requests += title.requests;
        self.hits += title.hits;
        self.upstream += title.upstream;
        self.bytes += title.bytes;
        self.titles.push(title);
    }

    fn text(&self, wanted: usize) -> String {
        let left = wanted - self.titles.len();
        let interrupted = if self.interrupted {
            format!("Interrupted: {} not started\n", counted(left as u64, "title"))
        } else {
            String::new()
        };
        format!(
            "{interrupted}Cached {} ({} already cached), {} with errors\n{}, {}, {} in {}\n",
            counted(self.done, "title"),
            count(self.already_warm),
            count(self.failed),
            counted(self.requests, "request"),
            counted(self.hits, "hit"),
            bytes(self.bytes),
            duration(self.seconds),
        )
    }

    fn exit(&self) -> Exit {
        let is_skipped = |title: &Warmed| title.failed.iter().any(|failed| failed.service.is_none());
        match self {
            Self { interrupted: true, .. } => Exit::Partial,
            Self { failed: 0, .. } => Exit::Done,
            Self { titles, .. } if titles.iter().all(is_skipped) => Exit::NothingMatched,
            Self { titles, .. } if titles.iter().all(|title| title.succeeded == 0) => Exit::Fault,
            _ => Exit::Partial,
        }
    }
}
