//! The Enrich tab: titles and services to enrich, the running enrichment, and reports of recent runs.

use std::sync::Arc;
use std::time::Duration;

use cache_core::ServiceName;
use tui_textarea::TextArea;

use crate::anime::{Anime, Ids};
use crate::enrich::history::Run;
use crate::enrich::metrics::PassMetrics;
use crate::enrich::mode::Mode;
use crate::enrich::progress::{EnrichPlan, EnrichProgress, Pass, SERVICE_TIMEOUT};
use crate::services::SERVICES;
use crate::tui::app::loadable::Loadable;
use crate::tui::focus::Pane;
use crate::tui::ticket::Ticket;

/// The titles that can be enriched, and the hosts of the services.
#[derive(Debug, PartialEq)]
pub struct TitleList {
    /// The titles.
    pub titles: Vec<Anime>,
    /// The host of each service.
    pub hosts: Vec<(ServiceName, String)>,
}

/// A cursor in a list that may be longer than its pane.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// The selected line.
    pub cursor: usize,
    /// The first line on the screen.
    pub offset: usize,
}

/// A running enrichment.
#[derive(Debug)]
pub struct Running {
    /// The request.
    pub ticket: Ticket,
    /// The title.
    pub title: String,
    /// The start, in Unix seconds.
    pub since: f64,
    /// The progress of each service.
    pub services: Vec<ServiceTally>,
}

/// The progress of a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceTally {
    /// The service.
    pub service: ServiceName,
    /// The cold pass.
    pub cold: PassTally,
    /// The warm pass.
    pub warm: PassTally,
}

impl ServiceTally {
    /// Whether the warm pass has started.
    pub fn is_warm(&self) -> bool {
        self.warm.time.is_some()
    }

    /// The current or last pass.
    pub fn latest(&self) -> &PassTally {
        if self.is_warm() { &self.warm } else { &self.cold }
    }
}

/// The progress of one pass over a service.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PassTally {
    /// The metrics so far.
    pub tally: PassMetrics,
    /// The duration so far; `None`: it has not started.
    pub time: Option<Duration>,
    /// Whether it succeeded; `None`: it has not ended.
    pub is_ok: Option<bool>,
}

/// The subject of the report pane.
#[derive(Clone, Copy, Debug)]
pub enum OutcomeView<'a> {
    /// There are no runs.
    Nothing,
    /// The running enrichment.
    Running(&'a Running),
    /// A finished run.
    Run(&'a Run),
}

/// The tab.
#[derive(Debug)]
pub struct Enrich {
    /// The pane with the focus.
    pub pane: Pane,
    /// The report fills the screen.
    pub is_zoomed: bool,
    /// The titles that can be enriched.
    pub title_list: Loadable<TitleList, String>,
    /// The search line of the titles.
    pub search: TextArea<'static>,
    /// The search line has the focus.
    pub is_searching: bool,
    /// The matching titles, as indices into the title list.
    pub found: Vec<usize>,
    /// The cursor in the titles.
    pub title: Place,
    /// The skipped services.
    pub unticked: Vec<ServiceName>,
    /// The cursor in the services.
    pub service: Place,
    /// Whether the recent runs have been loaded.
    pub history: Loadable<(), String>,
    /// The recent runs, newest first.
    pub runs: Vec<Run>,
    /// The cursor in the runs; the running enrichment is before the first.
    pub run: Place,
    /// The running enrichment.
    pub running: Option<Running>,
    /// The first line of the report on the screen.
    pub outcome_offset: usize,
    /// The cache has changed since it was listed.
    pub has_stored: bool,
}

impl Default for Enrich {
    fn default() -> Self {
        Self {
            pane: Pane::default(),
            is_zoomed: false,
            title_list: Loadable::Idle,
            search: TextArea::default(),
            is_searching: false,
            found: Vec::new(),
            title: Place::default(),
            unticked: Vec::new(),
            service: Place::default(),
            history: Loadable::Idle,
            runs: Vec::new(),
            run: Place::default(),
            running: None,
            outcome_offset: 0,
            has_stored: false,
        }
    }
}

impl ServiceTally {
    /// Updates the progress of all services.
    pub fn all(progress: &EnrichProgress) -> Vec<Self> {
        let of = |pass: &Arc<Pass>| PassTally {
            tally: pass.snapshot(),
            time: pass.time(),
            is_ok: pass.outcome().map(Result::is_ok),
        };
        let services = progress.services.iter();
        services.map(|each| Self { service: each.service, cold: of(&each.cold), warm: of(&each.warm) }).collect()
    }
}

impl Place {
    /// Keeps the cursor in a list of `count` lines and on a screen of `height` lines.
    pub fn settle(&mut self, count: usize, height: usize) {
        let height = height.max(1);
        self.cursor = self.cursor.min(count.saturating_sub(1));
        self.offset =
            self.offset.clamp((self.cursor + 1).saturating_sub(height), self.cursor).min(count.saturating_sub(height));
    }
}

impl Enrich {
    /// The loaded titles.
    pub fn titles(&self) -> &[Anime] {
        if let Loadable::Ready(list) = &self.title_list { &list.titles } else { &[] }
    }

    /// The selected title.
    pub fn selected(&self) -> Option<&Anime> {
        self.titles().get(*self.found.get(self.title.cursor)?)
    }

    /// The host of a service, once it is loaded.
    pub fn host(&self, service: ServiceName) -> Option<&str> {
        let Loadable::Ready(list) = &self.title_list else { return None };
        list.hosts.iter().find(|(of, _)| *of == service).map(|(_, host)| host.as_str())
    }

    /// Finds the titles that contain all words of the search line, ignoring case.
    pub fn lookup(&mut self) {
        let text = self.search.lines().join(" ").to_lowercase();
        let words: Vec<&str> = text.split_whitespace().collect();
        let is_meant = |anime: &Anime| {
            let title = anime.title.to_lowercase();
            words.iter().all(|word| title.contains(word))
        };
        self.found = (0..self.titles().len()).filter(|at| is_meant(&self.titles()[*at])).collect();
        self.title = Place::default();
    }

    /// Whether a service is requested.
    pub fn is_ticked(&self, service: ServiceName) -> bool {
        !self.unticked.contains(&service)
    }

    /// Adds or skips a service.
    pub fn tick(&mut self, service: ServiceName) {
        let before = self.unticked.len();
        self.unticked.retain(|other| *other != service);
        if self.unticked.len() == before {
            self.unticked.push(service);
        }
    }

    /// The plan of a run.
    ///
    /// # Errors
    /// The reason why there is nothing to run.
    pub fn plan(&self, mode: Mode) -> Result<EnrichPlan, String> {
        let services = SERVICES.iter().copied().filter(|service| self.is_ticked(*service)).collect();
        Ok(EnrichPlan { anime: self.subject()?.clone(), services, mode, timeout: SERVICE_TIMEOUT })
    }

    /// The title that keys apply to: on a run, the title of that run.
    ///
    /// # Errors
    /// The reason why there is none.
    pub fn subject(&self) -> Result<&Anime, String> {
        match (self.pane, self.outcome_view()) {
            (Pane::Runs | Pane::Outcome, OutcomeView::Run(Run { report, .. })) => {
                let mut named = self.titles().iter().filter(|anime| anime.name() == report.title);
                let same = match named.clone().count() {
                    // Runs stored by older versions have no IDs.
                    1 if report.ids == Ids::default() => named.next(),
                    _ => named.find(|anime| anime.ids == report.ids),
                };
                same.ok_or_else(|| format!("{} is not in the anime database", report.title))
            }
            _ => self.selected().ok_or_else(|| "No title selected".to_owned()),
        }
    }

    /// The number of lines in the list of runs.
    pub fn run_count(&self) -> usize {
        self.runs.len() + usize::from(self.running.is_some())
    }

    /// The subject of a line in the list of runs.
    pub fn run_at(&self, line: usize) -> OutcomeView<'_> {
        let at = match &self.running {
            Some(running) if line == 0 => return OutcomeView::Running(running),
            Some(_) => line - 1,
            None => line,
        };
        self.runs.get(at).map_or(OutcomeView::Nothing, OutcomeView::Run)
    }

    /// The subject of the report pane.
    pub fn outcome_view(&self) -> OutcomeView<'_> {
        self.run_at(self.run.cursor)
    }
}

impl Running {
    /// Whether the warm pass has started.
    pub fn is_warm(&self) -> bool {
        self.services.iter().any(ServiceTally::is_warm)
    }

    /// The finished share of the cold pass, by the expected requests; all services have the same weight.
    pub fn share(&self) -> f64 {
        let share = |of: &ServiceTally| if of.cold.is_ok.is_some() { 1.0 } else { share_of(&of.cold.tally) };
        self.services.iter().map(share).sum::<f64>() / self.services.len().max(1) as f64
    }

    /// The time since the start.
    pub fn time(&self, now: f64) -> Duration {
        Duration::from_secs_f64((now - self.since).max(0.0))
    }
}

/// The finished share of the expected requests.
pub fn share_of(tally: &PassMetrics) -> f64 {
    if tally.expected > 0 { tally.requests as f64 / tally.expected as f64 } else { 0.0 }
}
