//! Tests of updates on the Enrich tab.

use cache_core::{Error, Health, ServiceName};
use crossterm::event::{KeyModifiers, MouseButton, MouseEvent, MouseEventKind};
use ratatui::layout::{Position, Rect, Size};
use rstest::rstest;

use crate::anime::{Anime, Ids};
use crate::enrich::history::Run;
use crate::enrich::metrics::Gap;
use crate::enrich::mode::Mode;
use crate::enrich::progress::EnrichPlan;
use crate::enrich::report::{EnrichReport, PassReport};
use crate::services::SERVICES;
use crate::tui::app::App;
use crate::tui::app::dialog::{Dialog, PendingEffect};
use crate::tui::app::enrich::OutcomeView;
use crate::tui::app::loadable::Loadable;
use crate::tui::effect::Effect;
use crate::tui::fixture;
use crate::tui::fixture::{NOW, backend, blank, enriching, entries, listed, run, scan_of, tallies, title_list};
use crate::tui::focus::{Pane, Screen};
use crate::tui::message::{EnrichProgress, Message, Outcome};
use crate::tui::options::Options;
use crate::tui::ticket::Ticket;
use crate::tui::update::{start, update};

/// Presses keys, and confirms the enrichment that they ask for.
fn press(app: &mut App, keys: &str) -> Vec<Effect> {
    let mut effects = fixture::press(app, keys);
    if is_asked(app) {
        effects.extend(fixture::press(app, "y"));
    }
    effects
}

/// Whether an enrichment waits for its confirmation.
fn is_asked(app: &App) -> bool {
    let Some(Dialog::Confirm(confirm)) = &app.dialog else { return false };
    matches!(confirm.pending, PendingEffect::Enrich(_))
}

#[rstest]
#[case("<enter>", "Enrich Cowboy Bebop?")]
#[case("f", "Refetch Cowboy Bebop?")]
fn services_are_requested_after_confirmation_only(#[case] key: &str, #[case] title: &str) {
    let mut app = enriching(Size::new(120, 40), vec![]);
    assert_eq!(fixture::press(&mut app, key), []);
    let Some(Dialog::Confirm(confirm)) = &app.dialog else { panic!("{:?}", app.dialog) };
    assert_eq!(confirm.title, title);
    let hosts = confirm.facts.iter().find(|(name, _)| name == "Hosts").map(|(_, hosts)| hosts.as_str());
    assert!(hosts.is_some_and(|hosts| hosts.contains("jikan.example") && hosts.contains("anidb.example")), "{hosts:?}");
    assert_eq!(fixture::press(&mut app, "n"), []);
    assert!(app.enrich.running.is_none());
    app.options.is_demo = true;
    begun(&fixture::press(&mut app, key));
}

fn at_once() -> App {
    enriching(Size::new(120, 40), vec![run()])
}

/// The only requested enrichment.
fn begun(effects: &[Effect]) -> (Ticket, &EnrichPlan) {
    match effects {
        [Effect::Enrich { ticket, plan }] => (*ticket, plan),
        other => panic!("{other:?}"),
    }
}

#[test]
fn run_with_missing_title_is_not_shown_as_another() {
    let mut unknown = run();
    unknown.report.title = "MAL 7".to_owned();
    let mut app = enriching(Size::new(120, 40), vec![unknown]);
    assert_eq!(press(&mut app, "jlf"), []);
    assert_eq!(notice(&app), "MAL 7 is not in the anime database");
}

#[test]
fn a_run_without_ids_is_known_by_its_title() {
    let mut old = run();
    old.report.ids = Ids::default();
    let mut app = enriching(Size::new(120, 40), vec![old]);
    let effects = press(&mut app, "jlf");
    assert_eq!(begun(&effects).1.anime, app.enrich.titles()[0]);
}

#[test]
fn of_two_titles_that_are_called_the_same_the_runs_own_is_meant() {
    let mut again = run();
    again.report.ids.mal = Some(7);
    let mut app = enriching(Size::new(120, 40), vec![again.clone()]);
    assert_eq!(press(&mut app, "jlf"), [], "the one of this title is another anime");
    let Loadable::Ready(list) = &mut app.enrich.title_list else { panic!("there are titles") };
    let other = Anime { ids: again.report.ids, ..list.titles[0].clone() };
    list.titles.push(other.clone());
    let effects = press(&mut app, "f");
    assert_eq!(begun(&effects).1.anime, other);
}

#[rstest]
#[case(|report: &mut EnrichReport| report.services[0].ok = false, "1 of 7 services failed")]
#[case(|report: &mut EnrichReport| report.identical = Some(false), "returned different data")]
#[case(
    |report: &mut EnrichReport| report.services[0].incomplete.push(Gap { part: "episode 6".into(), problem: "status 500".into() }),
    "1 service returned incomplete data"
)]
#[case(
    |report: &mut EnrichReport| report.services[0].missing.push("https://api.jikan.moe/v4/anime/1".into()),
    "1 service returned incomplete data"
)]
#[case(|report: &mut EnrichReport| report.services[0].warm = Some(PassReport { requests: 5, hits: 2, ..PassReport::default() }), "3 requests of")]
fn what_is_wrong_with_a_run_is_no_success(#[case] spoil: fn(&mut EnrichReport), #[case] message: &str) {
    let mut good = run();
    good.report.identical = Some(true);
    for service in &mut good.report.services {
        (service.ok, service.error, service.identical, service.difference) = (true, None, Some(true), None);
    }
    let end = |run: Run| {
        let mut app = at_once();
        let (ticket, _) = begun(&press(&mut app, "<enter>"));
        update(&mut app, Message::Done(ticket, Outcome::Enriched(Box::new(run), None)));
        app.notice.unwrap()
    };
    let notice = end(good.clone());
    assert!(!notice.is_error && notice.text.contains("Enriched "), "{notice:?}");
    spoil(&mut good.report);
    let notice = end(good);
    assert!(notice.is_error && notice.text.contains(message), "{notice:?}");
}

fn notice(app: &App) -> &str {
    app.notice.as_ref().map_or("", |notice| &notice.text)
}

fn click(app: &mut App, at: Rect, line: u16) -> Vec<Effect> {
    let kind = MouseEventKind::Down(MouseButton::Left);
    let Position { x, y } = at.as_position();
    update(app, Message::Mouse(MouseEvent { kind, column: x + 2, row: y + line, modifiers: KeyModifiers::NONE }))
}

#[rstest]
#[case("<enter>", "Cowboy Bebop", Mode::Usual, &SERVICES)]
#[case("jf", "Sousou no Frieren", Mode::Fresh, &SERVICES)]
#[case("/tengoku<enter><enter>", "Cowboy Bebop: Tengoku no Tobira", Mode::Usual, &SERVICES)]
#[case("/BEBOP no<enter><enter>", "Cowboy Bebop: Tengoku no Tobira", Mode::Usual, &SERVICES)]
#[case("/zzz<esc><enter>", "Cowboy Bebop", Mode::Usual, &SERVICES)]
#[case("<tab><space>j<space><enter>", "Cowboy Bebop", Mode::Usual, &SERVICES[2..])]
#[case("<tab>u<space><enter>", "Cowboy Bebop", Mode::Usual, &SERVICES[..1])]
#[case("<tab>u*<enter>", "Cowboy Bebop", Mode::Usual, &SERVICES)]
#[case("j<tab><tab>f", "Cowboy Bebop", Mode::Fresh, &SERVICES)]
#[case("jlf", "Cowboy Bebop", Mode::Fresh, &SERVICES)]
#[case("jl<enter>", "Cowboy Bebop", Mode::Usual, &SERVICES)]
fn what_is_chosen_is_enriched(
    #[case] keys: &str,
    #[case] title: &str,
    #[case] mode: Mode,
    #[case] services: &[ServiceName],
) {
    let mut app = at_once();
    let effects = press(&mut app, keys);
    let (_, plan) = begun(&effects);
    assert_eq!((plan.anime.title.as_str(), plan.mode), (title, mode));
    assert_eq!(plan.services().collect::<Vec<_>>(), services);
    assert!(matches!(app.enrich.outcome_view(), OutcomeView::Running(_)));
}

#[rstest]
#[case("/zzz<enter><enter>", "No title")]
#[case("jjj<tab>uj<space><enter>", "no ID for the selected services")]
fn what_cannot_be_enriched_is_said(#[case] keys: &str, #[case] reason: &str) {
    let mut app = at_once();
    assert_eq!(press(&mut app, keys), []);
    assert!(notice(&app).contains(reason) && app.enrich.running.is_none(), "{}", notice(&app));
}

#[rstest]
#[case("<enter>")]
#[case("f")]
fn read_only_enriches_nothing(#[case] key: &str) {
    let options = Options { is_read_only: true, ..Options::default() };
    let mut app = listed(Size::new(120, 40), options, entries());
    let effects = press(&mut app, "e");
    let [Effect::LoadTitles(titles), _] = effects[..] else { panic!("{effects:?}") };
    update(&mut app, Message::Done(titles, Outcome::TitlesLoaded(Ok(title_list()))));
    assert_eq!(press(&mut app, key), []);
    assert!(notice(&app).contains("Read-only"));
}

#[test]
fn it_is_shown_before_the_cache_is_open_and_reads_the_runs_then() {
    let mut app = blank(Size::new(120, 40), Options::default());
    let opening = start(&mut app);
    let [Effect::Open(opening)] = opening[..] else { panic!("{opening:?}") };
    let effects = press(&mut app, "e");
    assert!(matches!(effects[..], [Effect::LoadTitles(_)]), "{effects:?}");
    assert_eq!(press(&mut app, "<enter>"), []);
    let health = Health { backend: backend(), is_fallback: false, problem: None, server: None };
    let effects = update(&mut app, Message::Done(opening, Outcome::Opened(Ok(health))));
    assert!(effects.iter().any(|effect| matches!(effect, Effect::LoadRuns(_))), "{effects:?}");
}

#[test]
fn a_run_is_followed_to_its_end_and_kept_in_view() {
    let mut app = at_once();
    let effects = press(&mut app, "<enter>");
    let (ticket, _) = begun(&effects);
    assert_eq!(press(&mut app, "<enter>"), [], "one at a time");
    let news = tallies(&app);
    update(&mut app, Message::Progress(Ticket(9_999), EnrichProgress::Enriching(Vec::new())));
    update(&mut app, Message::Progress(ticket, EnrichProgress::Enriching(news.clone())));
    assert_eq!(app.enrich.running.as_ref().map(|running| &running.services), Some(&news));

    // Selecting an older run and leaving the tab do not cancel the run.
    press(&mut app, "<tab><tab>je");
    assert_eq!(app.screen, Screen::Browse);
    let mut over = run();
    over.at = NOW;
    let effects = update(&mut app, Message::Done(ticket, Outcome::Enriched(Box::new(over), None)));
    scan_of(&effects);
    press(&mut app, "e");
    assert!(app.enrich.running.is_none() && app.enrich.runs.len() == 2);
    assert!(
        matches!(app.enrich.outcome_view(), OutcomeView::Run(run) if run.at < NOW),
        "the older one is still selected"
    );
    assert!(notice(&app).is_empty());
}

#[test]
fn esc_cancels_a_run_and_its_answers_are_not_waited_for() {
    let mut app = at_once();
    let effects = press(&mut app, "<enter>");
    let (ticket, _) = begun(&effects);
    let esc = crossterm::event::KeyCode::Esc;
    let effects = update(&mut app, Message::Key(crossterm::event::KeyEvent::new(esc, KeyModifiers::NONE)));
    assert_eq!(effects, [Effect::Cancel(ticket)]);
    assert!(notice(&app).contains("Canceled"));
    update(&mut app, Message::Done(ticket, Outcome::Enriched(Box::new(run()), None)));
    assert_eq!((app.enrich.running.is_none(), app.enrich.runs.len()), (true, 1));
    begun(&press(&mut app, "<enter>"));
}

#[test]
fn quitting_while_one_is_under_way_waits_for_nothing() {
    let mut app = at_once();
    press(&mut app, "<enter>");
    assert_eq!(press(&mut app, "q"), [Effect::Quit]);
}

#[test]
fn esc_goes_back_step_by_step() {
    let mut app = at_once();
    press(&mut app, "/bebop<enter><tab>z");
    press(&mut app, "<esc>");
    assert!(!app.enrich.is_zoomed && !app.enrich.search.is_empty());
    press(&mut app, "<esc>");
    assert!(app.enrich.search.is_empty() && app.enrich.pane == Pane::Services);
    press(&mut app, "<esc>");
    assert_eq!((app.enrich.pane, app.screen), (Pane::Titles, Screen::Enrich));
    press(&mut app, "<esc>");
    assert_eq!(app.screen, Screen::Browse);
}

#[test]
fn what_a_run_touched_is_browsed_alone_until_esc() {
    let mut app = at_once();
    let effects = press(&mut app, "o");
    scan_of(&effects);
    let shown = |app: &App| app.rows.visible_entries().map(|entry| entry.id.text().into_owned()).collect::<Vec<_>>();
    assert_eq!((app.screen, shown(&app).len()), (Screen::Browse, 2), "{:?}", shown(&app));
    press(&mut app, "D");
    assert!(matches!(&app.dialog, Some(Dialog::Confirm(confirm)) if confirm.title == "Flush 2 entries?"));
    press(&mut app, "<esc>");
    press(&mut app, "/anisearch<enter>");
    assert_eq!(shown(&app), ["result_cache:anisearch_anime:82fce6a05e45281a:18878"]);
    press(&mut app, "<esc>");
    assert_eq!(shown(&app).len(), 2);
    press(&mut app, "<esc>");
    assert_eq!(shown(&app).len(), entries().len());
}

#[test]
fn another_store_has_other_runs() {
    let mut app = at_once();
    let other = cache_core::BackendId { location: "elsewhere".into(), ..backend() };
    let health = Health { backend: other, is_fallback: true, problem: None, server: None };
    let effects = update(&mut app, Message::Health(health));
    assert!(app.enrich.runs.is_empty());
    assert!(effects.iter().any(|effect| matches!(effect, Effect::LoadRuns(_))), "{effects:?}");
}

#[test]
fn a_run_that_is_not_kept_is_shown_all_the_same() {
    let mut app = at_once();
    let effects = press(&mut app, "<enter>");
    let (ticket, _) = begun(&effects);
    let problem = Some(Error::Config("full".to_owned()));
    update(&mut app, Message::Done(ticket, Outcome::Enriched(Box::new(run()), problem)));
    assert_eq!(app.enrich.runs.len(), 2);
    assert!(notice(&app).contains("Cannot save the run") && notice(&app).contains("full"));
}

#[test]
fn the_mouse_turns_to_tabs_selects_and_ticks() {
    let mut app = listed(Size::new(120, 40), Options::default(), entries());
    let enrich = Rect::new(21, 0, 4, 1);
    let effects = click(&mut app, enrich, 0);
    assert!(app.screen == Screen::Enrich && effects.len() == 2, "{effects:?}");
    let mut app = at_once();
    let panes = app.enrich_panes();
    click(&mut app, panes.titles, 2);
    assert_eq!(app.enrich.selected().map(|anime| anime.title.as_str()), Some("Sousou no Frieren"));
    click(&mut app, panes.services, 1);
    assert!(!app.enrich.is_ticked(SERVICES[0]) && app.enrich.pane == Pane::Services);
    let browse = Rect::new(13, 0, 4, 1);
    click(&mut app, browse, 0);
    assert_eq!(app.screen, Screen::Browse);
}
