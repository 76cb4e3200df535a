//! Tests of frames: the screen of a state, in three sizes.

pub(crate) mod enrich;

use cache_core::{BackendId, BackendKind, Health, ServiceName};
use insta::assert_snapshot;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::layout::Size;
use ratatui::style::Modifier;
use rstest::rstest;

use crate::services;
use crate::tui::app::App;
use crate::tui::app::dialog::Dialog;
use crate::tui::app::rates::RateTable;
use crate::tui::effect::Effect;
use crate::tui::fixture::{
    NOW, blank, count, enriching, entries, http, listed, press, result, run, scan_of, tallies, tally,
};
use crate::tui::message::{EnrichProgress, Message, Outcome};
use crate::tui::options::Options;
use crate::tui::update::update;
use crate::tui::view::draw;
use crate::tui::view::theme::{THEME, Theme};

pub(crate) fn frame(app: &App, has_color: bool) -> Terminal<TestBackend> {
    let theme = Theme::parse(THEME, has_color).unwrap();
    let mut terminal = Terminal::new(TestBackend::new(app.size.width, app.size.height)).unwrap();
    terminal.draw(|frame| draw(frame, app, &theme)).unwrap();
    terminal
}

pub(crate) fn at(width: u16, height: u16) -> App {
    listed(Size::new(width, height), Options::default(), entries())
}

#[test]
fn large() {
    let mut app = at(120, 40);
    press(&mut app, "jjj<space>");
    assert_snapshot!(frame(&app, true).backend());
}

#[test]
fn medium() {
    assert_snapshot!(frame(&at(80, 24), true).backend());
}

#[test]
fn tiny() {
    assert_snapshot!(frame(&at(40, 10), true).backend());
}

#[rstest]
#[case("wide", 140, 30)]
#[case("medium", 80, 24)]
fn hit_rates(#[case] name: &str, #[case] width: u16, #[case] height: u16) {
    let mut app = at(width, height);
    count(&mut app, tally());
    press(&mut app, "<enter>");
    assert_snapshot!(format!("hit_rates_{name}"), frame(&app, true).backend());
}

#[test]
fn services_that_there_is_no_room_for_are_counted() {
    let mut app = at(80, 18);
    count(&mut app, tally());
    let screen = frame(&app, true).backend().to_string();
    assert!(screen.contains("Hit rate · 1 more") && screen.contains("jikan "), "{screen}");
}

#[test]
fn a_server_that_is_nearly_full_has_a_badge() {
    let mut app = at(120, 40);
    count(&mut app, RateTable { memory: Some((950, 1_000)), ..RateTable::default() });
    assert!(frame(&app, true).backend().to_string().contains(" 90% FULL "));
    update(&mut app, Message::Tick(NOW + 10.0));
    count(&mut app, RateTable { memory: Some((1_000, 1_000)), ..RateTable::default() });
    assert!(frame(&app, true).backend().to_string().contains(" FULL "));
}

#[test]
fn what_a_server_counts_is_no_hit_rate() {
    let mut app = at(120, 40);
    count(&mut app, RateTable { server: Some((2, 1)), ..RateTable::default() });
    let screen = frame(&app, true).backend().to_string();
    assert!(screen.contains("No hit counters (see") && screen.contains("'animecache stats')"), "{screen}");
}

#[test]
fn before_the_cache_is_open() {
    let options = Options { is_demo: true, is_read_only: true, ..Options::default() };
    assert_snapshot!(frame(&blank(Size::new(80, 24), options), true).backend());
}

#[test]
fn the_question_before_everything_is_flushed() {
    let mut app = at(80, 24);
    press(&mut app, "D12");
    assert_snapshot!(frame(&app, true).backend());
}

#[test]
fn the_question_on_a_tiny_screen_keeps_its_answer() {
    let mut app = at(40, 10);
    press(&mut app, "jd");
    let screen = frame(&app, true).backend().to_string();
    assert!(screen.contains("Flush this entry?") && screen.contains("y: flush"), "{screen}");
}

#[test]
fn a_question_names_the_whole_address() {
    let mut app = at(40, 10);
    app.health.as_mut().unwrap().backend.location = "redis://cache.internal.example.org:6379/1".into();
    press(&mut app, "jd");
    let screen = frame(&app, true).backend().to_string();
    assert!(screen.contains("Redis at redis://cach") && screen.contains("g:6379/1"), "{screen}");
}

#[test]
fn an_empty_cache_that_stands_in_is_not_taken_for_the_one_that_was_asked_for() {
    let mut app = at(80, 24);
    let sqlite = BackendId { kind: BackendKind::Sqlite, location: "/tmp/http_cache.db".into() };
    let problem = Some("Redis at redis://localhost:6379/0 cannot be reached: connection refused".into());
    let effects =
        update(&mut app, Message::Health(Health { backend: sqlite, is_fallback: true, problem, server: None }));
    update(&mut app, Message::Done(scan_of(&effects), Outcome::Scanned(Ok(()))));
    let screen = frame(&app, true).backend().to_string();
    for part in
        ["Redis at redis://localhost:6379/0 cannot be", "Using SQLite at /tmp/http_cache.db as a", "Reconnecting"]
    {
        assert!(screen.contains(part), "{part}: {screen}");
    }
}

#[rstest]
#[case(80, 24)]
#[case(100, 30)]
#[case(120, 40)]
fn rows_that_begin_alike_can_be_told_apart(#[case] width: u16, #[case] height: u16) {
    let url = |id: u32| {
        format!("http://api.anidb.net:9001/httpapi?request=anime&client=enrich&clientver=1&protover=1&aid={id}")
    };
    let entries = vec![
        http(1, services::anidb(), &url(23), 60.0),
        http(2, services::anidb(), &url(24), 60.0),
        http(3, services::jikan(), "https://api.jikan.moe/v4/anime/11061/episodes/3", 60.0),
        result("animeplanet_characters:82fce6a05e45281a:death-note", 60.0),
    ];
    let screen = frame(&listed(Size::new(width, height), Options::default(), entries), true).backend().to_string();
    for part in ["&aid=23 ", "&aid=24 ", "1061/episodes/3 ", "racters death-note "] {
        assert!(screen.contains(part), "{part}: {screen}");
    }
}

#[test]
fn the_column_that_the_table_is_sorted_by_has_its_arrow() {
    let mut app = at(160, 24);
    for column in ["URL or arguments↑", "Status↑", "Size↑", "Age↑", "TTL↑", "State↑", "Method↑"] {
        let screen = frame(&app, true).backend().to_string();
        assert!(screen.contains(column), "{column}: {screen}");
        press(&mut app, "s");
    }
}

#[test]
fn a_word_in_place_of_a_selector_is_hinted_at_where_nothing_matches() {
    let mut app = at(80, 24);
    press(&mut app, "/no-ttl");
    let screen = frame(&app, true).backend().to_string();
    assert!(screen.contains("Did you mean --no-ttl?"), "{screen}");
}

#[test]
fn what_has_no_name_is_shown_by_its_key() {
    let entries = vec![http(1, ServiceName::OTHER, "", 60.0), result("", 60.0)];
    let screen = frame(&listed(Size::new(120, 40), Options::default(), entries), true).backend().to_string();
    for part in ["00000001 ", "  result_cache: ", "(empty)"] {
        assert!(screen.contains(part), "{part}: {screen}");
    }
}

#[rstest]
#[case(40, "  Browse  SQLite…  FALLBACK   READ-ONLY ")]
#[case(60, " animecache  Browse  SQLite at /tmp/…  FALLBACK   READ-ONLY ")]
#[case(80, "Browse  Enrich  SQLite at /tmp/a/long…  FALLBACK   READ-ONLY   now ")]
fn badges_and_the_backend_are_in_the_header_of_every_screen(#[case] width: u16, #[case] expected: &str) {
    let options = Options { is_read_only: true, ..Options::default() };
    let mut app = listed(Size::new(width, 10), options, entries());
    let health = app.health.as_mut().unwrap();
    health.backend = BackendId { kind: BackendKind::Sqlite, location: "/tmp/a/long/path/http_cache.db".into() };
    health.is_fallback = true;
    let screen = frame(&app, true).backend().to_string();
    assert!(screen.lines().next().unwrap().contains(expected), "{screen}");
}

#[test]
fn the_help() {
    let options = Options { is_read_only: true, ..Options::default() };
    let mut app = listed(Size::new(80, 60), options, entries());
    press(&mut app, "?");
    assert_snapshot!(frame(&app, true).backend());
}

#[rstest]
#[case("?", "Table")]
#[case("h?", "Tree")]
#[case("w?", "Watch")]
#[case("e?", "Enrich tab")]
fn the_help_begins_where_the_keys_go(#[case] keys: &str, #[case] heading: &str) {
    let mut app = at(80, 24);
    press(&mut app, keys);
    let screen = frame(&app, true).backend().to_string();
    assert!(screen.lines().nth(1).unwrap().contains(heading), "{screen}");
    assert!(screen.contains("Keyboard shortcuts · 1-"), "it is seen that there is more: {screen}");
}

#[test]
fn secrets_and_escape_sequences_are_on_no_screen() {
    let mut app = at(200, 50);
    for keys in ["", "j", "jjjjj", "2", "5"] {
        press(&mut app, keys);
        let screen = frame(&app, true).backend().to_string();
        assert!(!screen.contains("token=secret") && !screen.contains('\u{1b}'), "{screen}");
    }
}

#[test]
fn emoji_that_are_written_in_several_characters_fit_at_every_size() {
    let sequences = "❤️1️⃣👨‍👩‍👧🇯🇵👍🏽".repeat(9);
    let mut entries = vec![
        http(1, services::jikan(), &format!("https://api.jikan.moe/{sequences}"), 60.0),
        http(2, services::anilist(), "https://graphql.anilist.co/", 60.0),
        result(&format!("❤️{sequences}:{sequences}"), 60.0),
    ];
    if let Some(http) = &mut entries[1].http {
        http.title = Some(sequences.into());
    }
    for width in 0..130 {
        for keys in ["", "j", "jj", "2", "5"] {
            let mut app = listed(Size::new(width, 30), Options::default(), entries.clone());
            press(&mut app, keys);
            frame(&app, true);
        }
    }
}

#[test]
fn what_is_wrong_with_a_filter_can_be_read() {
    let mut app = at(80, 24);
    press(&mut app, "/service:animeschedule status:abc<enter>");
    let screen = frame(&app, true).backend().to_string();
    assert!(screen.contains("Invalid --status 'abc': expected a status such as 404, 4xx or 200-299"), "{screen}");
}

#[test]
fn a_notice_makes_room_for_the_keys_and_a_failure_waits_for_one() {
    let mut app = at(80, 24);
    press(&mut app, "y");
    update(&mut app, Message::Tick(NOW + 5.0));
    assert!(frame(&app, true).backend().to_string().contains("Copied ID"));
    update(&mut app, Message::Tick(NOW + 6.0));
    assert!(frame(&app, true).backend().to_string().contains("? help"));
    app.show_error("something failed");
    update(&mut app, Message::Tick(NOW + 600.0));
    assert!(frame(&app, true).backend().to_string().contains("something failed"));
    press(&mut app, "<enter>");
    assert!(frame(&app, true).backend().to_string().contains("esc back"));
}

#[rstest]
fn why_a_change_failed_and_how_to_go_on_are_on_the_lowest_screen(#[values(7, 10, 24)] height: u16) {
    let mut app = at(80, height);
    let fact = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let mut facts = vec![fact("Error", "connection refused")];
    facts.extend(["Done", "Failed", "Requested", "Backend"].map(|name| fact(name, "something")));
    app.dialog = Some(Dialog::Failure { title: "Flush failed", facts });
    let screen = frame(&app, true).backend().to_string();
    assert!(screen.contains("connection refused") && screen.contains("Enter: close"), "{screen}");
}

#[test]
fn ttls_count_down() {
    let mut app = at(120, 40);
    press(&mut app, "/kitsu<enter>");
    assert!(frame(&app, true).backend().to_string().contains("42s"));
    update(&mut app, Message::Tick(NOW + 2.0));
    assert!(frame(&app, true).backend().to_string().contains("40s"));
}

#[test]
fn the_age_of_the_listing_and_expired_entries_are_seen() {
    let mut app = at(120, 40);
    press(&mut app, "/kitsu<enter>");
    update(&mut app, Message::Tick(NOW + 50.0));
    let screen = frame(&app, true).backend().to_string();
    assert!(screen.contains("scanned 9 of ~9 · 50s ago"), "{screen}");
    update(&mut app, Message::Tick(NOW + 200.0));
    let screen = frame(&app, true).backend().to_string();
    assert!(screen.contains("3m ago"), "{screen}");
    press(&mut app, "<esc>/21/full<enter>");
    update(&mut app, Message::Tick(NOW + 3_001.0));
    let screen = frame(&app, true).backend().to_string();
    let row = screen.lines().find(|line| line.contains("/v4/anime/21")).unwrap();
    assert!(row.contains("expired expired"), "{screen}");
}

#[rstest]
#[case(true)]
#[case(false)]
fn the_selected_row_stands_out(#[case] has_color: bool) {
    let app = at(120, 40);
    let rows = app.regions().table_rows();
    let terminal = frame(&app, has_color);
    let cell = |row: u16| terminal.backend().buffer()[(rows.x + 3, rows.y + row)].clone();
    if has_color {
        assert_ne!(cell(0).bg, cell(1).bg);
    } else {
        assert!(cell(0).modifier.contains(Modifier::REVERSED));
    }
    assert_eq!(cell(1).bg, ratatui::style::Color::Reset);
}

#[test]
fn every_state_is_drawn_at_every_size() {
    for (width, height) in [(0, 0), (1, 1), (5, 3), (20, 5), (40, 10), (59, 13), (76, 14), (170, 30), (300, 80)] {
        for keys in ["", "/jikan", "?", "d", "D", "t", "<tab><tab>]", "z", "<tab>", "Vjj", "w", "wm", "e"] {
            let mut app = at(width, height);
            count(&mut app, tally());
            press(&mut app, keys);
            frame(&app, true);
        }
        for keys in ["", "/bebop", "<tab><tab>", "<tab><tab><tab>G", "<tab><tab><tab>z", "<enter>", "?"] {
            for runs in [vec![], vec![run()]] {
                let mut app = enriching(Size::new(width, height), runs);
                press(&mut app, keys);
                frame(&app, true);
            }
        }
    }
}

/// A running enrichment.
fn under_way(width: u16, height: u16) -> App {
    let mut app = enriching(Size::new(width, height), vec![run()]);
    press(&mut app, "<enter>");
    let effects = press(&mut app, "y");
    let [Effect::Enrich { ticket, .. }] = effects[..] else { panic!("{effects:?}") };
    let tallies = tallies(&app);
    update(&mut app, Message::Progress(ticket, EnrichProgress::Enriching(tallies)));
    update(&mut app, Message::Tick(NOW + 4.0));
    app
}

#[rstest]
#[case("large", 120, 40)]
#[case("medium", 80, 24)]
#[case("tiny", 40, 10)]
fn an_enrichment_under_way(#[case] name: &str, #[case] width: u16, #[case] height: u16) {
    assert_snapshot!(format!("enrichment_under_way_{name}"), frame(&under_way(width, height), true).backend());
}

#[rstest]
#[case("large", 120, 40, "")]
#[case("medium", 80, 24, "/bebop<enter>")]
#[case("tiny", 40, 10, "l")]
fn an_enrichment_that_is_over(#[case] name: &str, #[case] width: u16, #[case] height: u16, #[case] keys: &str) {
    let mut app = enriching(Size::new(width, height), vec![run()]);
    press(&mut app, keys);
    assert_snapshot!(format!("enrichment_over_{name}"), frame(&app, true).backend());
}

#[test]
fn before_anything_was_enriched() {
    let mut app = enriching(Size::new(80, 24), Vec::new());
    press(&mut app, "jjj");
    assert_snapshot!(frame(&app, true).backend());
}
