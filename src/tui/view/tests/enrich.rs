//! Tests of texts on the Enrich tab.

use ratatui::layout::Size;
use rstest::rstest;

use crate::enrich::metrics::Gap;
use crate::tui::app::App;
use crate::tui::effect::Effect;
use crate::tui::fixture::{enriching, press, run};
use crate::tui::message::{Message, Outcome};
use crate::tui::update::update;
use crate::tui::view::tests::{at, frame};

#[test]
fn a_first_pass_that_came_from_the_cache_is_not_taken_for_a_cold_one() {
    let mut cached = run();
    cached.report.services.retain(|service| service.ok && service.identical == Some(true));
    for service in &mut cached.report.services {
        service.cold.hits = service.cold.requests;
        service.speedup = Some(0.9);
    }
    (cached.report.speedup, cached.report.identical) = (Some(0.9), Some(true));
    let screen = frame(&enriching(Size::new(120, 40), vec![cached]), true).backend().to_string();
    assert!(!screen.contains("0.9x"), "{screen}");
    assert_eq!(screen.lines().filter(|line| line.contains(" cached ")).count(), 7, "{screen}");
}

#[test]
fn titles_are_whole_where_there_is_room_for_them() {
    let screen = frame(&enriching(Size::new(200, 50), vec![run()]), true).backend().to_string();
    assert!(screen.contains("Cowboy Bebop: Tengoku no Tobira "), "{screen}");
    assert!(screen.contains("  TV    – "), "an unknown number of episodes is no cut: {screen}");
}

#[test]
fn what_cannot_be_had_for_enriching_is_said() {
    let mut app = at(80, 24);
    let effects = press(&mut app, "e");
    let screen = frame(&app, true).backend().to_string();
    assert!(screen.contains("Loading titles…") && screen.contains("Loading runs…"), "{screen}");
    let [Effect::LoadTitles(titles), Effect::LoadRuns(history)] = effects[..] else { panic!("{effects:?}") };
    let problem = "no \u{1b}such file".to_owned();
    update(&mut app, Message::Done(titles, Outcome::TitlesLoaded(Err(problem))));
    let error = cache_core::Error::Config("cannot be reached".to_owned());
    update(&mut app, Message::Done(history, Outcome::Runs(Err(error))));
    let screen = frame(&app, true).backend().to_string();
    assert!(screen.contains("no ␛such file") && screen.contains("cannot be reached"), "{screen}");
}

#[test]
fn every_problem_of_a_run_is_there_in_full() {
    let mut app = enriching(Size::new(80, 24), vec![run()]);
    press(&mut app, "lz");
    let words = |app: &App| {
        let screen = frame(app, true).backend().to_string();
        screen.split(['"', '│', ' ', '\n']).filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
    };
    let all = words(&app);
    for part in [
        "banned: ␛[2J leave AniDB alone for a day, it says, and whoever does not is banned for longer",
        "$.episodes[3].title:",
    ] {
        assert!(all.contains(part), "{part}: {all}");
    }
    press(&mut app, "G");
    assert!(words(&app).contains("200.0 ms") || words(&app).contains("220.0 ms"), "{}", words(&app));
}

#[test]
fn what_a_run_touched_is_named_while_it_is_browsed() {
    let mut app = enriching(Size::new(120, 40), vec![run()]);
    press(&mut app, "o");
    let screen = frame(&app, true).backend().to_string();
    assert!(screen.contains(" run: Cowboy Bebop ") && screen.contains("2 of 9 entries"), "{screen}");
}

#[test]
fn who_was_waited_for_is_not_taken_for_a_cache() {
    let mut shared = run();
    shared.report.identical = Some(true);
    for service in &mut shared.report.services {
        (service.ok, service.error, service.cold.hits) = (true, None, service.cold.requests);
    }
    let screen = frame(&enriching(Size::new(120, 40), vec![shared]), true).backend().to_string();
    assert!(screen.contains(" 4,550x") && !screen.contains("was served from the cache"), "{screen}");
    let jikan = screen.lines().find(|line| line.contains(" 26/26 ")).unwrap();
    assert!(jikan.contains(" 9.1 s ") && !jikan.contains("cached"), "{jikan}");
}

#[rstest]
#[case(true, "incomplete")]
#[case(false, "not cached")]
fn a_run_with_gaps_is_listed_as_such(#[case] has_gap: bool, #[case] word: &str) {
    let mut run = run();
    run.report.services.retain(|service| service.ok && service.identical == Some(true));
    run.report.identical = Some(true);
    if has_gap {
        run.report.services[0].incomplete = vec![Gap { part: "episode 6".into(), problem: "status 500".into() }];
    } else if let Some(warm) = &mut run.report.services[0].warm {
        warm.hits -= 1;
    }
    let screen = frame(&enriching(Size::new(120, 40), vec![run]), true).backend().to_string();
    assert!(screen.contains(word), "{screen}");
}

#[test]
fn the_services_that_know_a_title_are_those_of_the_run_that_is_looked_at() {
    let mut app = enriching(Size::new(120, 40), vec![run()]);
    // A title with an ID of MyAnimeList only.
    press(&mut app, "jjj");
    assert!(frame(&app, true).backend().to_string().contains("no ID"));
    press(&mut app, "<tab><tab>");
    let screen = frame(&app, true).backend().to_string();
    assert!(!screen.contains("no ID"), "{screen}");
}
