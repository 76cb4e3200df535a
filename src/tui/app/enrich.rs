//! The Enrich tab: what could be enriched, what is under way, and what came of earlier runs.

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

/// What can be enriched, and where.
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

/// A run under way.
#[derive(Debug)]
pub struct Running {
    /// The request.
    pub ticket: Ticket,
    /// What is enriched.
    pub title: String,
    /// When it began; Unix seconds.
    pub since: f64,
    /// How far each service is.
    pub services: Vec<ServiceTally>,
}

/// How far a service is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceTally {
    /// The service.
    pub service: ServiceName,
    /// The first pass.
    pub cold: PassTally,
    /// The second.
    pub warm: PassTally,
}

impl ServiceTally {
    /// Whether the second pass has begun.
    pub fn is_warm(&self) -> bool {
        self.warm.time.is_some()
    }

    /// The pass that is under way, or was the last.
    pub fn latest(&self) -> &PassTally {
        if self.is_warm() { &self.warm } else { &self.cold }
    }
}

/// How far one pass over a service is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PassTally {
    /// What was asked and answered by now.
    pub tally: PassMetrics,
    /// How long it took, or has taken; `None`: it has not begun.
    pub time: Option<Duration>,
    /// Whether it went well; `None`: it is not over.
    pub is_ok: Option<bool>,
}

/// What the outcome pane is about.
#[derive(Clone, Copy, Debug)]
pub enum OutcomeView<'a> {
    /// Nothing was ever enriched.
    Nothing,
    /// What is under way.
    Running(&'a Running),
    /// What is over.
    Run(&'a Run),
}

/// The tab.
#[derive(Debug)]
pub struct Enrich {
    /// Which pane keys go to.
    pub pane: Pane,
    /// It has the screen for itself.
    pub is_zoomed: bool,
    /// What can be enriched.
    pub title_list: Loadable<TitleList, String>,
    /// What is looked for among the titles.
    pub search: TextArea<'static>,
    /// Keys go to that line.
    pub is_searching: bool,
    /// The titles that were found, as indices into the title list.
    pub found: Vec<usize>,
    /// Where in them.
    pub title: Place,
    /// The services that are left out.
    pub unticked: Vec<ServiceName>,
    /// Where among the services.
    pub service: Place,
    /// Whether the runs of late were read.
    pub history: Loadable<(), String>,
    /// The runs of late, newest first.
    pub runs: Vec<Run>,
    /// Where among them, with the one under way before the first.
    pub run: Place,
    /// The run under way.
    pub running: Option<Running>,
    /// The first line of the outcome on the screen.
    pub outcome_offset: usize,
    /// The cache holds other entries since it was listed.
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
    /// How far all services are now.
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
    /// Keeps the cursor in a list of `count` lines, and on a screen with `height` of them.
    pub fn settle(&mut self, count: usize, height: usize) {
        let height = height.max(1);
        self.cursor = self.cursor.min(count.saturating_sub(1));
        self.offset =
            self.offset.clamp((self.cursor + 1).saturating_sub(height), self.cursor).min(count.saturating_sub(height));
    }
}

impl Enrich {
    /// The titles that there are.
    pub fn titles(&self) -> &[Anime] {
        if let Loadable::Ready(list) = &self.title_list { &list.titles } else { &[] }
    }

    /// The selected title.
    pub fn selected(&self) -> Option<&Anime> {
        self.titles().get(*self.found.get(self.title.cursor)?)
    }

    /// Where a service answers, once that is known.
    pub fn host(&self, service: ServiceName) -> Option<&str> {
        let Loadable::Ready(list) = &self.title_list else { return None };
        list.hosts.iter().find(|(of, _)| *of == service).map(|(_, host)| host.as_str())
    }

    /// Finds the titles with all words of the search line in them, in any case.
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

    /// Whether a service is asked.
    pub fn is_ticked(&self, service: ServiceName) -> bool {
        !self.unticked.contains(&service)
    }

    /// Asks a service, or no longer.
    pub fn tick(&mut self, service: ServiceName) {
        let before = self.unticked.len();
        self.unticked.retain(|other| *other != service);
        if self.unticked.len() == before {
            self.unticked.push(service);
        }
    }

    /// What a run would do now.
    ///
    /// # Errors
    /// Why there is nothing to run, for people.
    pub fn plan(&self, mode: Mode) -> Result<EnrichPlan, String> {
        let services = SERVICES.iter().copied().filter(|service| self.is_ticked(*service)).collect();
        Ok(EnrichPlan { anime: self.subject()?.clone(), services, mode, timeout: SERVICE_TIMEOUT })
    }

    /// The title that keys are about: in front of a run it is that run's.
    ///
    /// # Errors
    /// Why there is none, for people.
    pub fn subject(&self) -> Result<&Anime, String> {
        match (self.pane, self.outcome_view()) {
            (Pane::Runs | Pane::Outcome, OutcomeView::Run(Run { report, .. })) => {
                let mut named = self.titles().iter().filter(|anime| anime.name() == report.title);
                let same = match named.clone().count() {
                    // Runs that were kept by older programs have no ids.
                    1 if report.ids == Ids::default() => named.next(),
                    _ => named.find(|anime| anime.ids == report.ids),
                };
                same.ok_or_else(|| format!("{} is not in the anime database", report.title))
            }
            _ => self.selected().ok_or_else(|| "No title selected".to_owned()),
        }
    }

    /// How many lines the list of runs has.
    pub fn run_count(&self) -> usize {
        self.runs.len() + usize::from(self.running.is_some())
    }

    /// What a line of the list of runs is about.
    pub fn run_at(&self, line: usize) -> OutcomeView<'_> {
        let at = match &self.running {
            Some(running) if line == 0 => return OutcomeView::Running(running),
            Some(_) => line - 1,
            None => line,
        };
        self.runs.get(at).map_or(OutcomeView::Nothing, OutcomeView::Run)
    }

    /// What the outcome pane is about.
    pub fn outcome_view(&self) -> OutcomeView<'_> {
        self.run_at(self.run.cursor)
    }
}

impl Running {
    /// Whether the second pass has begun.
    pub fn is_warm(&self) -> bool {
        self.services.iter().any(ServiceTally::is_warm)
    }

    /// How much of the first pass is done, as far as is known what there is to do: all services count alike.
    pub fn share(&self) -> f64 {
        let share = |of: &ServiceTally| if of.cold.is_ok.is_some() { 1.0 } else { share_of(&of.cold.tally) };
        self.services.iter().map(share).sum::<f64>() / self.services.len().max(1) as f64
    }

    /// How long it has been under way.
    pub fn time(&self, now: f64) -> Duration {
        Duration::from_secs_f64((now - self.since).max(0.0))
    }
}

/// How much is done of what is known that there is to do.
pub fn share_of(tally: &PassMetrics) -> f64 {
    if tally.expected > 0 { tally.requests as f64 / tally.expected as f64 } else { 0.0 }
}
