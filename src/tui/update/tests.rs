//! Tests of updates: messages to a state, and the effects that they return.

pub(crate) mod change;
pub(crate) mod enrich;

use std::io;

use cache_core::admin::plan::Plan;
use cache_core::{CacheEvent, CacheKind, Error, EventKind, Health, Observation, Page};
use crossterm::event::{KeyModifiers, MouseButton, MouseEvent, MouseEventKind};
use ratatui::layout::Size;
use rstest::rstest;

use crate::services;
use crate::tui::app::App;
use crate::tui::app::dialog::Dialog;
use crate::tui::app::rates::Rate;
use crate::tui::app::sort::Column;
use crate::tui::effect::Effect;
use crate::tui::fixture::{NOW, app, backend, blank, count, entries, http, listed, press, scan_of, tally};
use crate::tui::message::{EnrichProgress, Message, Outcome, WatchUpdate};
use crate::tui::options::Options;
use crate::tui::ticket::Ticket;
use crate::tui::update::update;
use crate::tui::view::help;

fn urls(app: &App) -> Vec<String> {
    app.rows.visible_entries().map(|entry| entry.id.text().into_owned()).collect()
}

pub(crate) fn plan_of(effects: &[Effect]) -> Option<&Plan> {
    effects.iter().find_map(|effect| if let Effect::Flush { plan, .. } = effect { Some(plan) } else { None })
}

pub(crate) fn unavailable() -> Error {
    Error::Unavailable { backend: backend(), source: io::Error::from(io::ErrorKind::ConnectionRefused).into() }
}

pub(crate) fn many(count: u128) -> Vec<cache_core::Summary> {
    (0..count)
        .map(|number| http(number, services::jikan(), &format!("https://api.jikan.moe/{number:06}"), 1e4))
        .collect()
}

#[test]
fn the_store_is_opened_then_listed_then_shown() {
    let app = app();
    assert_eq!(app.rows.len(), entries().len());
    assert!(app.scan.is_complete && app.scan.ticket.is_none());
    assert_eq!(app.selected_entry().map(|entry| entry.service), Some(services::anisearch()));
}

#[test]
fn unreachable_cache_keeps_rows_and_is_listed_again_later() {
    let mut app = app();
    let ask = |app: &mut App, now: f64, problem: Option<&str>| {
        let effects = update(app, Message::Tick(now));
        let [Effect::CheckHealth(ticket)] = effects[..] else { panic!("{effects:?}") };
        let health = Health { backend: backend(), is_fallback: false, problem: problem.map(Into::into), server: None };
        update(app, Message::Done(ticket, Outcome::Health(health)))
    };
    assert_eq!(ask(&mut app, NOW + 10.0, Some("connection refused")), []);
    assert_eq!((app.show_lost(), app.rows.len()), (Some("connection refused"), entries().len()));
    assert_eq!(press(&mut app, "d"), []);
    assert!(app.dialog.is_none(), "nothing is asked of a cache that does not answer");
    let effects = ask(&mut app, NOW + 12.0, None);
    scan_of(&effects);
    assert_eq!(app.show_lost(), None);
}

#[test]
fn another_cache_takes_the_dialog_and_the_rows_with_it() {
    let mut app = app();
    press(&mut app, "d");
    let effects = update(&mut app, Message::Tick(NOW + 10.0));
    let [Effect::CheckHealth(ticket)] = effects[..] else { panic!("{effects:?}") };
    let mut other = backend();
    other.location = "/tmp/http_cache.db".into();
    let health = Health { backend: other, is_fallback: true, problem: Some("down".into()), server: None };
    let effects = update(&mut app, Message::Done(ticket, Outcome::Health(health)));
    scan_of(&effects);
    assert!(app.dialog.is_none());
    assert_eq!((app.rows.len(), app.tree.get(0).entries), (0, 0));
    assert_eq!(plan_of(&press(&mut app, "y")), None);
}

#[test]
fn statistics_are_read_periodically_while_cache_is_reachable() {
    let mut app = app();
    let asked = |effects: &[Effect]| effects.iter().any(|effect| matches!(effect, Effect::Count(_)));
    assert!(!asked(&update(&mut app, Message::Tick(NOW + 60.0))), "it was asked at the start");
    count(&mut app, tally());
    assert!(!asked(&update(&mut app, Message::Tick(NOW + 61.0))));
    assert!(asked(&update(&mut app, Message::Tick(NOW + 65.0))));
    count(&mut app, tally());
    assert!(asked(&press(&mut app, "r")), "who refreshes wants to see all of it");
    count(&mut app, tally());

    let lost = Health { backend: backend(), is_fallback: false, problem: Some("down".into()), server: None };
    update(&mut app, Message::Health(lost));
    assert!(!asked(&update(&mut app, Message::Tick(NOW + 600.0))));
    let jikan = &app.rates.lines(2)[1];
    assert!(matches!(jikan, Rate::Counted("jikan", [_, day, _]) if day.hits == 1_240), "{jikan:?}");
}

#[test]
fn what_another_cache_counted_is_not_taken_for_this_ones() {
    let mut app = app();
    let late = app.rates.ticket.expect("it was asked");
    let mut other = backend();
    other.location = "/tmp/http_cache.db".into();
    let health = Health { backend: other, is_fallback: true, problem: Some("down".into()), server: None };
    let effects = update(&mut app, Message::Health(health));
    assert!(effects.iter().any(|effect| matches!(effect, Effect::Count(_))), "{effects:?}");
    update(&mut app, Message::Done(late, Outcome::Counted(Ok(tally()))));
    assert_eq!(app.rates.height(), 0);
}

#[test]
fn rates_that_fit_are_those_with_most_requests() {
    let mut app = app();
    count(&mut app, tally());
    let names = |room| {
        let lines = app.rates.lines(room).into_iter();
        lines.map(|line| if let Rate::Counted(name, _) = line { name } else { "uncounted" }).collect::<Vec<_>>()
    };
    assert_eq!(names(9), ["Total", "jikan", "kitsu", "anisearch"]);
    assert_eq!(names(3), ["Total", "jikan", "kitsu"]);
    assert_eq!((names(1), names(0)), (vec!["Total"], vec![]));
    let Rate::Counted(_, [hour, day, week]) = app.rates.lines(1)[0] else { panic!("no counters") };
    assert_eq!([hour, day, week].map(|counts| counts.hits + counts.misses), [10, 1_553, 1_603]);
}

/// Whether a scan begins at this time.
fn is_listed_at(app: &mut App, now: f64) -> bool {
    update(app, Message::Tick(now)).iter().any(|effect| matches!(effect, Effect::Scan(_)))
}

#[test]
fn an_old_listing_is_made_anew_when_idle() {
    let mut app = app();
    assert!(!is_listed_at(&mut app, NOW + 59.0));
    press(&mut app, "d");
    assert!(!is_listed_at(&mut app, NOW + 61.0), "not below an open question");
    press(&mut app, "n");
    assert!(is_listed_at(&mut app, NOW + 62.0));
    assert!(!is_listed_at(&mut app, NOW + 200.0), "one at a time");
    let scan = app.scan.ticket.unwrap();
    update(&mut app, Message::Done(scan, Outcome::Scanned(Ok(()))));
    // That took more than two minutes: the next one has to wait for much longer.
    assert!(!is_listed_at(&mut app, NOW + 1_000.0));
    assert!(is_listed_at(&mut app, NOW + 4_000.0));
}

#[test]
fn a_watched_change_is_listed_soon() {
    let mut app = app();
    let effects = press(&mut app, "w");
    let [Effect::Watch { ticket, .. }] = effects[..] else { panic!("{effects:?}") };
    let event = |kind| {
        let event = CacheEvent {
            at: NOW,
            kind,
            cache: CacheKind::Result,
            service: None,
            id: None,
            cache_key: None,
            request: None,
        };
        WatchUpdate::Observed(vec![Observation::Event(event)])
    };
    update(&mut app, Message::Progress(ticket, EnrichProgress::Watch(event(EventKind::Hit))));
    assert!(!is_listed_at(&mut app, NOW + 6.0));
    update(&mut app, Message::Progress(ticket, EnrichProgress::Watch(event(EventKind::Store))));
    assert!(is_listed_at(&mut app, NOW + 7.0));
}

#[test]
fn responses_to_outdated_requests_are_ignored() {
    let mut app = app();
    let page = Page { entries: many(3), ..Page::default() };
    update(&mut app, Message::Progress(Ticket(999), EnrichProgress::Page(page)));
    update(&mut app, Message::Done(Ticket(999), Outcome::Loaded(Err(unavailable()))));
    update(&mut app, Message::Done(Ticket(999), Outcome::Scanned(Err(unavailable()))));
    assert_eq!((app.rows.len(), app.show_lost()), (entries().len(), None));
}

#[test]
fn rescan_drops_deleted_rows_and_keeps_marks_and_selection() {
    let mut app = app();
    press(&mut app, "jj<space>");
    let selected = app.selected_entry().map(|entry| entry.id.clone());
    let effects = press(&mut app, "r");
    let scan = scan_of(&effects);
    let mut rest = entries();
    rest.remove(0);
    update(&mut app, Message::Progress(scan, EnrichProgress::Page(Page { entries: rest, ..Page::default() })));
    update(&mut app, Message::Done(scan, Outcome::Scanned(Ok(()))));
    assert_eq!(app.rows.len(), entries().len() - 1);
    assert_eq!(app.rows.marked(), 1);
    assert_eq!(app.selected_entry().map(|entry| entry.id.clone()), selected);
}

#[test]
fn pages_merged_are_the_list_sorted_whole() {
    let mut all = many(500);
    // In an order unrelated to the order on the screen.
    all.sort_by_key(|entry| entry.size * 7_919 % 1_000_003);
    let mut app = listed(Size::new(120, 40), Options::default(), Vec::new());
    let scan = scan_of(&press(&mut app, "r"));
    for chunk in all.chunks(37) {
        let page = Page { entries: chunk.to_vec(), ..Page::default() };
        update(&mut app, Message::Progress(scan, EnrichProgress::Page(page)));
    }
    let merged = urls(&app);
    press(&mut app, "SS");
    assert_eq!(urls(&app), merged);
    let mut whole: Vec<_> = many(500);
    whole.sort_by_key(|entry| entry.size);
    assert_eq!(merged, whole.iter().map(|entry| entry.id.text().into_owned()).collect::<Vec<_>>());
}

#[rstest]
#[case("service:kitsu", 1)]
#[case("--kind result", 3)]
#[case("cowboy", 1)]
#[case("ワンピ", 1)]
#[case("anisearch_anime 18878", 2)]
#[case("--dead-schemas", 1)]
#[case("state:incomplete", 1)]
#[case("ttl-under:1h", 2)]
#[case("hishel_cache:entry:0000", 5)]
#[case("no such thing", 0)]
fn the_filter_line_chooses_as_it_is_typed(#[case] text: &str, #[case] count: usize) {
    let mut app = app();
    press(&mut app, "/");
    press(&mut app, text);
    assert_eq!(app.filter.problem, None);
    assert_eq!(app.rows.visible().len(), count);
    press(&mut app, "<esc>");
    assert_eq!(app.rows.visible().len(), entries().len());
}

#[test]
fn incomplete_selector_shows_error_and_keeps_other_words() {
    let mut app = app();
    press(&mut app, "/cowboy status:4");
    assert!(app.filter.problem.is_some());
    assert_eq!(app.rows.visible().len(), 1);
}

#[test]
fn sorting_goes_round_the_columns_that_are_shown() {
    let mut app = app();
    press(&mut app, "s");
    assert_eq!(app.rows.sort().by, Column::Status);
    press(&mut app, "s");
    assert_eq!(app.rows.sort().by, Column::Size);
    press(&mut app, "S");
    let sizes: Vec<_> = app.rows.visible_entries().map(|entry| entry.size).collect();
    assert!(sizes.is_sorted_by(|a, b| a >= b), "{sizes:?}");
}

#[test]
fn clicks_select_sort_and_turn_pages() {
    let mut app = app();
    let click = |app: &mut App, column, row| {
        let kind = MouseEventKind::Down(MouseButton::Left);
        update(app, Message::Mouse(MouseEvent { kind, column, row, modifiers: KeyModifiers::NONE }));
    };
    let rows = app.regions().table_rows();
    click(&mut app, rows.x + 5, rows.y + 2);
    assert_eq!(app.table.cursor, 2);
    let head = app.regions().table_head();
    click(&mut app, head.right() - 3, head.y);
    assert_eq!(app.rows.sort().by, Column::State);
    let tree = app.regions().tree;
    click(&mut app, tree.x + 4, tree.y + 3);
    assert_eq!(app.tree.path(app.tree.chosen), "HTTP › jikan");
    assert_eq!(app.rows.visible().len(), 2);
}

#[rstest]
fn no_key_does_harm_at_any_size(#[values(0, 1, 3, 10, 40, 130)] width: u16, #[values(0, 1, 2, 3, 10, 40)] height: u16) {
    let mut app = app();
    update(&mut app, Message::Resized(Size::new(width, height)));
    for keys in
        ["jkGgll", "<tab>jjllhh", "<tab>]]]]jjG", "iz<esc>", "/x<esc>", "?jjGq", "ssS", "VjV*!u", "d<esc>t9<esc>"]
    {
        press(&mut app, keys);
    }
}

#[test]
fn the_help_ends_where_its_last_line_is_seen() {
    let mut app = listed(Size::new(80, 24), Options::default(), entries());
    press(&mut app, &format!("?{}", "j".repeat(200)));
    let Some(Dialog::Help { mode, offset }) = app.dialog else { panic!("{:?}", app.dialog) };
    assert_eq!(offset, help::lines(&app, mode).len() - 22);
}

#[test]
fn notices_are_safe_to_show() {
    let mut app = app();
    app.show_notice("\u{1b}[2Jdone");
    assert_eq!(app.notice.as_ref().map(|notice| &*notice.text), Some("␛[2Jdone"));
    app.show_error("\u{202e}failed");
    assert_eq!(app.notice.as_ref().map(|notice| &*notice.text), Some("\u{fffd}failed"));
}

#[test]
fn keys_do_no_harm_before_the_cache_is_open() {
    let mut app = blank(Size::new(80, 24), Options::default());
    for keys in ["jkGg", "dDt", "<tab>jj", "<tab>]]", "r", "/x<enter>", "yY", "<space>V"] {
        assert_eq!(press(&mut app, keys), [], "{keys}");
    }
}
