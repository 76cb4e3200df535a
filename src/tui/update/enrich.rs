//! Keys on the Enrich tab, and responses of the runner for it.

use std::collections::HashSet;

use cache_core::{Error, error_chain};
use crossterm::event::KeyEvent;
use tui_textarea::TextArea;

use crate::enrich::history::Run;
use crate::enrich::mode::Mode;
use crate::enrich::progress::EnrichPlan;
use crate::enrich::report::{EnrichReport, Verdict};
use crate::output::human::counted;
use crate::output::safe;
use crate::services::SERVICES;
use crate::tui::action::Action;
use crate::tui::app::dialog::{Confirm, Dialog, PendingEffect};
use crate::tui::app::enrich::{Enrich, OutcomeView, Place, Running, ServiceTally, TitleList};
use crate::tui::app::loadable::Loadable;
use crate::tui::app::query::ResponseDigest;
use crate::tui::app::{App, run_report};
use crate::tui::effect::Effect;
use crate::tui::focus::{Focus, Pane, Screen};
use crate::tui::layout::regions::Regions;
use crate::tui::ticket::Ticket;
use crate::tui::update::movement::moved;
use crate::tui::update::weight::Weight;
use crate::tui::update::{filter, question, scan, tree};

/// Shows the tab.
pub(crate) fn open(app: &mut App) -> Vec<Effect> {
    app.screen = Screen::Enrich;
    app.filter.is_active = false;
    let mut effects = crate::tui::update::watch::end(app);
    effects.extend(load(app));
    effects
}

/// Shows the Browse tab, and lists the entries again if an enrichment stored some.
pub(crate) fn leave(app: &mut App) -> Vec<Effect> {
    app.screen = Screen::Browse;
    app.enrich.is_searching = false;
    if std::mem::take(&mut app.enrich.has_stored) { scan::begin_scan(app) } else { Vec::new() }
}

/// Requests the data of the tab that is not loaded yet.
pub(crate) fn load(app: &mut App) -> Vec<Effect> {
    let mut effects = Vec::new();
    if app.screen != Screen::Enrich {
        return effects;
    }
    if matches!(app.enrich.title_list, Loadable::Idle) {
        let ticket = app.ticket();
        app.enrich.title_list = Loadable::Loading(ticket);
        effects.push(Effect::LoadTitles(ticket));
    }
    if matches!(app.enrich.history, Loadable::Idle) && app.backend().is_some() {
        let ticket = app.ticket();
        app.enrich.history = Loadable::Loading(ticket);
        effects.push(Effect::LoadRuns(ticket));
    }
    effects
}

/// Another backend is in use, with its own history of runs.
pub(crate) fn move_to_other_store(app: &mut App) -> Vec<Effect> {
    app.enrich.runs.clear();
    app.enrich.history = Loadable::Idle;
    keep_on_screen(app);
    load(app)
}

pub(crate) fn press(app: &mut App, key: KeyEvent) -> Vec<Effect> {
    if app.enrich.search.input(key) {
        lookup(app);
    }
    Vec::new()
}

pub(crate) fn paste(app: &mut App, text: &str) -> Vec<Effect> {
    app.enrich.search.insert_str(text);
    lookup(app);
    Vec::new()
}

fn lookup(app: &mut App) {
    app.enrich.lookup();
    keep_on_screen(app);
}

/// Keys in the search line.
pub(crate) fn search(app: &mut App, action: Action) -> Vec<Effect> {
    match action {
        Action::Accept => app.enrich.is_searching = false,
        Action::Close | Action::ClearText => {
            app.enrich.is_searching = action == Action::ClearText;
            app.enrich.search = TextArea::default();
            lookup(app);
        }
        _ => step(app, action),
    }
    Vec::new()
}

pub(crate) fn act(app: &mut App, action: Action) -> Vec<Effect> {
    match action {
        Action::Help => app.dialog = Some(Dialog::Help { mode: app.mode(), offset: 0 }),
        Action::Browse => return leave(app),
        Action::Search => {
            app.enrich.is_searching = true;
            app.enrich.is_zoomed = false;
            app.enrich.pane = Pane::Titles;
        }
        Action::Run if app.enrich.pane == Pane::Runs => app.enrich.pane = Pane::Outcome,
        Action::Run => return run(app, Mode::Usual),
        Action::RunFresh => return run(app, Mode::Fresh),
        Action::OpenTouched => return open_digest(app),
        Action::Close => return close(app),
        Action::Refresh => {
            app.enrich.history = Loadable::Idle;
            if matches!(app.enrich.title_list, Loadable::Failed(_)) {
                app.enrich.title_list = Loadable::Idle;
            }
            return load(app);
        }
        Action::NextPane => step_pane(app, 1),
        Action::PreviousPane => step_pane(app, Pane::ALL.len() - 1),
        Action::Left => app.enrich.pane = Pane::Titles,
        Action::Right => app.enrich.pane = Pane::Outcome,
        Action::Mark if app.enrich.pane == Pane::Services => tick(app, app.enrich.service.cursor),
        Action::MarkShown => app.enrich.unticked.clear(),
        Action::ClearMarks => app.enrich.unticked = SERVICES.to_vec(),
        Action::Zoom => app.enrich.is_zoomed = !app.enrich.is_zoomed,
        _ => step(app, action),
    }
    keep_on_screen(app);
    Vec::new()
}

/// Adds the selected service to the requested ones, or skips it.
pub(crate) fn tick(app: &mut App, line: usize) {
    if let Some(service) = SERVICES.get(line) {
        app.enrich.tick(*service);
    }
}

/// Moves in the pane with the focus.
pub(crate) fn step(app: &mut App, action: Action) {
    let pane = app.enrich.pane;
    let page = app.regions().inside(app.enrich_panes().get(pane)).height.into();
    let count = count(app, pane);
    let at = match pane {
        Pane::Outcome => app.enrich.outcome_offset,
        _ => place(&mut app.enrich, pane).map_or(0, |place| place.cursor),
    };
    if let Some(to) = moved(action, at, count, page) {
        move_to(app, pane, to);
    }
}

/// Moves the cursor of a pane to a line, or to the nearest one.
pub(crate) fn move_to(app: &mut App, pane: Pane, line: usize) {
    match place(&mut app.enrich, pane) {
        Some(place) => place.cursor = line,
        None => app.enrich.outcome_offset = line,
    }
    if pane == Pane::Runs {
        app.enrich.outcome_offset = 0;
    }
    keep_on_screen(app);
}

fn place(enrich: &mut Enrich, pane: Pane) -> Option<&mut Place> {
    match pane {
        Pane::Titles => Some(&mut enrich.title),
        Pane::Services => Some(&mut enrich.service),
        Pane::Runs => Some(&mut enrich.run),
        Pane::Outcome => None,
    }
}

/// The number of lines of a pane.
fn count(app: &App, pane: Pane) -> usize {
    match pane {
        Pane::Titles => app.enrich.found.len(),
        Pane::Services => SERVICES.len(),
        Pane::Runs => app.enrich.run_count(),
        Pane::Outcome => match app.enrich.outcome_view() {
            OutcomeView::Run(run) => {
                let inside = app.regions().inside(app.enrich_panes().outcome);
                run_report::lines(run, run_report::width(inside.width)).len()
            }
            OutcomeView::Running(_) | OutcomeView::Nothing => 0,
        },
    }
}

/// Scrolls until every cursor is on the screen.
pub(crate) fn keep_on_screen(app: &mut App) {
    let (regions, panes): (Regions, _) = (app.regions(), app.enrich_panes());
    for pane in Pane::ALL {
        let (count, height) = (count(app, pane), usize::from(regions.inside(panes.get(pane)).height));
        match place(&mut app.enrich, pane) {
            Some(place) => place.settle(count, height),
            None => app.enrich.outcome_offset = app.enrich.outcome_offset.min(count.saturating_sub(height)),
        }
    }
}

fn step_pane(app: &mut App, by: usize) {
    let at = Pane::ALL.iter().position(|pane| *pane == app.enrich.pane).unwrap_or_default();
    app.enrich.pane = Pane::ALL[(at + by) % Pane::ALL.len()];
}

fn run(app: &mut App, mode: Mode) -> Vec<Effect> {
    if app.options.is_read_only {
        app.show_error("Read-only mode: enrichment is disabled");
        return Vec::new();
    }
    if app.backend().is_none() {
        app.show_error("The cache is still opening");
        return Vec::new();
    }
    if app.enrich.running.is_some() {
        app.show_error("An enrichment is running. Press Esc to cancel it.");
        return Vec::new();
    }
    let plan = match app.enrich.plan(mode) {
        Ok(plan) => plan,
        Err(reason) => {
            app.show_error(reason);
            return Vec::new();
        }
    };
    if plan.services().next().is_none() {
        let is_any_ticked = SERVICES.iter().copied().any(|service| app.enrich.is_ticked(service));
        let reason =
            if is_any_ticked { "The title has no ID for the selected services" } else { "No services selected" };
        app.show_error(reason);
        return Vec::new();
    }
    if app.options.is_demo {
        return begin(app, plan);
    }
    confirm(app, plan);
    Vec::new()
}

/// Asks before services other than the simulated ones receive requests.
fn confirm(app: &mut App, plan: EnrichPlan) {
    let services: Vec<_> = plan.services().collect();
    let hosts = services.iter().map(|service| app.enrich.host(*service).unwrap_or(service.name()));
    let hosts = hosts.collect::<Vec<_>>().join(", ");
    let (cold, word) = match plan.mode {
        Mode::Fresh => ("requests everything, whether it is cached or not", "Refetch"),
        _ => ("requests what is not cached, within the rate limits", "Enrich"),
    };
    let mut facts = vec![
        ("Services", counted(services.len() as u64, "service")),
        ("Cold pass", cold.to_owned()),
        ("Warm pass", "must be served from the cache alone".to_owned()),
        ("Hosts", hosts),
        ("Backend", app.backend().map(ToString::to_string).unwrap_or_default()),
    ];
    if services.contains(&crate::services::anidb()) {
        facts.push(("Note", "AniDB bans clients that send too many requests".to_owned()));
    }
    let confirm = Confirm {
        title: format!("{word} {}?", safe::line(&plan.anime.name())),
        facts: facts.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
        essential: 2,
        is_answerable: false,
        word: Weight::Passing.word(),
        typed: TextArea::default(),
        verb: "send requests",
        refusal: "Canceled",
        pending: PendingEffect::Enrich(Box::new(plan)),
    };
    question::ask(app, Dialog::Confirm(Box::new(confirm)));
}

/// Starts a run.
pub(crate) fn begin(app: &mut App, plan: EnrichPlan) -> Vec<Effect> {
    let ticket = app.ticket();
    let services = ServiceTally::all(&plan.progress());
    app.enrich.running = Some(Running { ticket, title: plan.anime.name(), since: app.now, services });
    move_to(app, Pane::Runs, 0);
    if app.enrich_panes().outcome.is_empty() {
        app.enrich.pane = Pane::Outcome;
    }
    vec![Effect::Enrich { ticket, plan: Box::new(plan) }]
}

/// The latest operation ends first.
fn close(app: &mut App) -> Vec<Effect> {
    if app.enrich.is_zoomed {
        app.enrich.is_zoomed = false;
    } else if let Some(running) = app.enrich.running.take() {
        app.show_notice(format!("Canceled the enrichment of {}", running.title));
        app.enrich.has_stored = true;
        keep_on_screen(app);
        return vec![Effect::Cancel(running.ticket)];
    } else if !app.enrich.search.is_empty() {
        app.enrich.search = TextArea::default();
        lookup(app);
    } else if app.enrich.pane != Pane::Titles {
        app.enrich.pane = Pane::Titles;
    } else {
        return leave(app);
    }
    keep_on_screen(app);
    Vec::new()
}

/// Browses the entries that the shown run used.
fn open_digest(app: &mut App) -> Vec<Effect> {
    let OutcomeView::Run(Run { report, .. }) = app.enrich.outcome_view() else {
        app.show_error("Select a finished run");
        return Vec::new();
    };
    let keys: HashSet<String> = report.services.iter().flat_map(|service| &service.keys).cloned().collect();
    if keys.is_empty() {
        app.show_error("This run used no cache entries");
        return Vec::new();
    }
    let touched = ResponseDigest { name: safe::line(&report.title).into_owned(), keys };
    app.enrich.has_stored = true;
    tree::choose(app, crate::tui::app::tree::ROOT);
    app.focus = Focus::Table;
    app.inspector.is_zoomed = false;
    let mut effects = filter::choose(app, touched);
    effects.extend(leave(app));
    effects
}

pub(crate) fn progress(app: &mut App, ticket: Ticket, services: Vec<ServiceTally>) {
    if let Some(running) = app.enrich.running.as_mut().filter(|running| running.ticket == ticket) {
        running.services = services;
    }
}

/// A run has ended; `problem`: the error if it could not be stored in the history.
pub(crate) fn done(app: &mut App, ticket: Ticket, run: Run, problem: Option<Error>) -> Vec<Effect> {
    if app.enrich.running.take_if(|running| running.ticket == ticket).is_none() {
        return Vec::new();
    }
    let EnrichReport { title, services, .. } = &run.report;
    match (problem, run.report.verdict()) {
        (Some(error), _) => app.show_error(format!("Cannot save the run: {}", error_chain(&error))),
        (None, Verdict::Failed(failed)) => {
            app.show_error(format!("{title}: {failed} of {} services failed", services.len()));
        }
        (None, Verdict::Different) => app.show_error(format!("{title}: the passes returned different data")),
        (None, Verdict::Incomplete(of)) => {
            app.show_error(format!("{title}: {} returned incomplete data", counted(of as u64, "service")));
        }
        (None, Verdict::Unverified(answers)) => {
            app.show_error(format!("{title}: {} of the warm pass missed the cache", counted(answers, "request")));
        }
        (None, Verdict::Good) => app.show_notice(format!("Enriched {title}")),
    }
    // The finished run has the line of the running one.
    app.enrich.runs.insert(0, run);
    app.enrich.outcome_offset = 0;
    app.enrich.has_stored = true;
    keep_on_screen(app);
    if app.screen == Screen::Browse { leave(app) } else { Vec::new() }
}

pub(crate) fn titles_loaded(app: &mut App, ticket: Ticket, list: Result<TitleList, String>) {
    if matches!(app.enrich.title_list, Loadable::Loading(awaited) if awaited == ticket) {
        app.enrich.title_list = match list {
            Ok(list) => Loadable::Ready(list),
            Err(problem) => Loadable::Failed(problem),
        };
        lookup(app);
    }
}

pub(crate) fn runs_loaded(app: &mut App, ticket: Ticket, runs: Result<Vec<Run>, Error>) {
    if !matches!(app.enrich.history, Loadable::Loading(awaited) if awaited == ticket) {
        return;
    }
    let selected = match app.enrich.outcome_view() {
        OutcomeView::Run(run) => Some(run.at),
        OutcomeView::Running(_) | OutcomeView::Nothing => None,
    };
    match runs {
        Ok(runs) => {
            app.enrich.history = Loadable::Ready(());
            app.enrich.runs = runs;
            let above = usize::from(app.enrich.running.is_some());
            let same = app.enrich.runs.iter().position(|run| Some(run.at) == selected);
            app.enrich.run.cursor = same.map_or(0, |at| at + above);
        }
        Err(error) => app.enrich.history = Loadable::Failed(safe::line(&error_chain(&error)).into_owned()),
    }
    keep_on_screen(app);
}
