//! Tests of changes: questions, required input, and notices.

use std::time::Duration;

use cache_core::admin::apply::Report;
use cache_core::{Applied, BackendId, ExpiryChange, Health};
use ratatui::layout::Size;
use rstest::rstest;

use crate::services;
use crate::tui::app::App;
use crate::tui::app::dialog::Dialog;
use crate::tui::effect::Effect;
use crate::tui::fixture::{NOW, app, backend, entries, listed, press, scan_of, type_ahead};
use crate::tui::focus::Focus;
use crate::tui::message::{EnrichProgress, Message, Outcome};
use crate::tui::options::Options;
use crate::tui::update::tests::{many, plan_of, unavailable};
use crate::tui::update::update;

#[rstest]
#[case("d", 1)]
#[case("<space><space>d", 2)]
#[case("VjjVd", 3)]
#[case("!d", 9)]
#[case("*!d", 1)]
fn a_flush_waits_for_yes_and_takes_what_was_meant(#[case] keys: &str, #[case] count: usize) {
    let mut app = app();
    assert_eq!(press(&mut app, keys), [], "nothing happens before the answer");
    assert!(matches!(app.dialog, Some(Dialog::Confirm(_))));
    let effects = press(&mut app, &answer(count));
    let plan = plan_of(&effects).expect("a flush");
    assert_eq!(plan.targets.len(), count);
    assert_eq!(plan.store.backend, backend());
}

/// The answer that confirms a change of so many entries.
fn answer(count: usize) -> String {
    if count == 1 { "y".to_owned() } else { format!("{count}<enter>") }
}

/// Opens the question about the two entries of Jikan and confirms it.
fn flush_jikan(app: &mut App) -> Vec<Effect> {
    press(app, "/jikan<enter>D");
    press(app, "2<enter>")
}

#[rstest]
#[case("D")]
#[case("*d")]
#[case("hd")]
#[case("Vjjjjjjjj<space>d")]
fn all_entries_are_confirmed_alike_by_any_key(#[case] keys: &str) {
    let mut app = app();
    press(&mut app, keys);
    let Some(Dialog::Confirm(confirm)) = &app.dialog else { panic!("{:?}", app.dialog) };
    assert_eq!(confirm.word.as_deref(), Some("9"));
    assert!(confirm.title.contains("ALL 9 entries"), "{}", confirm.title);
    assert_eq!(press(&mut app, "y<enter>"), []);
    assert!(app.job.is_none());
}

#[rstest]
#[case("*body")]
#[case("body")]
#[case("dy")]
#[case("D9<enter>")]
#[case("*d9<enter>9<enter>")]
#[case("t1ms<enter>")]
#[case("t1s<enter>y")]
#[case("*t1s<enter>9<enter>")]
#[case("wy")]
fn keys_typed_before_the_question_is_read_answer_nothing(#[case] keys: &str) {
    let mut app = app();
    let is_answer = |effect: &Effect| matches!(effect, Effect::Flush { .. } | Effect::ChangeTtl { .. });
    let effects = type_ahead(&mut app, keys);
    assert!(!effects.iter().any(is_answer) && app.job.is_none(), "{effects:?}");
}

#[test]
fn typed_ahead_number_is_no_answer_later() {
    let mut app = app();
    press(&mut app, "D9");
    assert_eq!(press(&mut app, "<enter>"), []);
    assert!(app.job.is_none());
}

#[rstest]
#[case("jd", "y", 6)]
#[case("D", "9<enter>", 8)]
#[case("jt", "12h<enter>", 9)]
fn a_question_that_does_not_fit_takes_no_answer(#[case] keys: &str, #[case] answer: &str, #[case] height: u16) {
    let mut app = listed(Size::new(40, height), Options::default(), entries());
    press(&mut app, keys);
    assert!(app.dialog.is_none());
    assert!(app.notice.take().is_some_and(|notice| notice.text.contains("too small")));
    update(&mut app, Message::Resized(Size::new(40, 10)));
    press(&mut app, keys);
    assert!(app.dialog.is_some(), "it fits 40 columns and 10 lines");
    update(&mut app, Message::Resized(Size::new(40, height)));
    assert_eq!(press(&mut app, answer), []);
    assert!(app.job.is_none() && app.dialog.is_some());
}

#[rstest]
#[case("t1ms<enter>", "at least 1s")]
#[case("t0s<enter>", "at least 1s")]
fn a_ttl_below_a_second_is_refused(#[case] keys: &str, #[case] reason: &str) {
    let mut app = app();
    press(&mut app, "t");
    assert_eq!(press(&mut app, &keys[1..]), []);
    let Some(Dialog::Ttl(ttl)) = &app.dialog else { panic!("{:?}", app.dialog) };
    assert!(ttl.problem.as_ref().is_some_and(|problem| problem.contains(reason)), "{ttl:?}");
}

#[test]
fn a_ttl_below_a_minute_is_confirmed_as_a_flush() {
    let mut app = app();
    press(&mut app, "jt");
    assert_eq!(press(&mut app, "30s<enter>"), []);
    let Some(Dialog::Confirm(confirm)) = &app.dialog else { panic!("{:?}", app.dialog) };
    assert_eq!(confirm.title, "Expire this entry in 30s?");
    let effects = press(&mut app, "y");
    assert!(matches!(&effects[..], [Effect::ChangeTtl { plan, .. }] if plan.targets.len() == 1), "{effects:?}");
}

#[test]
fn the_ttl_input_shows_old_and_new_ttl_and_its_end() {
    let mut app = app();
    press(&mut app, "/anime/1/full<enter>t");
    press(&mut app, "12h");
    let Some(Dialog::Ttl(ttl)) = &app.dialog else { panic!("{:?}", app.dialog) };
    assert_eq!(ttl.facts[1], ("TTL now".to_owned(), "23h 53m, until 2026-11-23 12:13:20".to_owned()));
    assert_eq!(ttl.preview.as_deref(), Some("12h 00m, until 2026-11-23 00:20:00"));
    press(&mut app, "<esc>*t+2h");
    let Some(Dialog::Ttl(ttl)) = &app.dialog else { panic!("{:?}", app.dialog) };
    assert_eq!(ttl.preview.as_deref(), Some("1d 01h, until 2026-11-23 14:13:20"));
}

#[rstest]
#[case("n")]
#[case("<enter>")]
#[case("<esc>")]
#[case("q")]
#[case("x")]
fn every_other_answer_keeps_everything(#[case] answer: &str) {
    let mut app = app();
    assert_eq!(press(&mut app, "d"), []);
    assert_eq!(press(&mut app, answer), []);
    assert!(app.dialog.is_none() && app.job.is_none());
    assert_eq!(plan_of(&press(&mut app, "y")), None, "the question is gone");
}

#[test]
fn everything_needs_the_number_typed() {
    let mut app = app();
    press(&mut app, "D");
    assert_eq!(press(&mut app, "y<enter>"), []);
    assert!(app.dialog.is_none(), "a wrong word is a no");
    press(&mut app, "D");
    assert_eq!(press(&mut app, "<esc>"), []);
    press(&mut app, "D");
    let effects = press(&mut app, "9<enter>");
    assert_eq!(plan_of(&effects).map(|plan| plan.targets.len()), Some(9));
}

#[test]
fn many_entries_need_the_number_typed_also_when_filtered() {
    let mut app = listed(Size::new(120, 40), Options::default(), many(1_500));
    press(&mut app, "/jikan<enter>D");
    assert_eq!(press(&mut app, "y<enter>"), []);
    press(&mut app, "D");
    assert!(plan_of(&press(&mut app, "1500<enter>")).is_some());
}

#[test]
fn the_filtered_set_is_what_is_flushed() {
    let mut app = app();
    press(&mut app, "/service:jikan FULL<enter>D");
    let effects = press(&mut app, "2<enter>");
    let plan = plan_of(&effects).expect("a flush");
    assert_eq!(plan.by_service.keys().collect::<Vec<_>>(), [&services::jikan()]);
    assert_eq!(plan.targets.len(), 2);
}

#[test]
fn a_node_of_the_tree_is_flushed_whole() {
    let mut app = app();
    press(&mut app, "h");
    assert_eq!(app.focus, Focus::Tree);
    press(&mut app, "jjd");
    let path = app.tree.path(app.tree.chosen);
    let effects = press(&mut app, "2<enter>");
    assert_eq!((path.as_str(), plan_of(&effects).map(|plan| plan.targets.len())), ("HTTP › jikan", Some(2)));
}

#[rstest]
#[case("d")]
#[case("D")]
#[case("t")]
fn read_only_refuses_changes_and_says_so(#[case] key: &str) {
    let options = Options { is_read_only: true, ..Options::default() };
    let mut app = listed(Size::new(80, 24), options, entries());
    assert_eq!(press(&mut app, key), []);
    assert!(app.dialog.is_none());
    assert!(app.notice.is_some_and(|notice| notice.text.contains("Read-only")));
}

#[test]
fn what_was_flushed_is_gone_from_the_table_and_the_tree() {
    let mut app = app();
    let effects = flush_jikan(&mut app);
    let Some(Effect::Flush { ticket, .. }) = effects.first() else { panic!("{effects:?}") };
    let report = Report { done: Applied { entries: 2, keys: 6, ..Applied::default() }, ..Report::default() };
    update(&mut app, Message::Done(*ticket, Outcome::Flushed(report, Duration::from_millis(10))));
    assert_eq!(app.rows.len(), entries().len() - 2);
    assert_eq!(app.tree.get(0).entries, entries().len() as u64 - 2);
    assert!(app.notice.is_some_and(|notice| notice.text.contains("Deleted 2 entries (6 keys)")));
}

#[test]
fn a_flush_that_failed_in_part_is_looked_up_again() {
    let mut app = app();
    press(&mut app, "d");
    let effects = press(&mut app, "y");
    let Some(Effect::Flush { ticket, .. }) = effects.first() else { panic!("{effects:?}") };
    let report = Report { failed: 1, error: Some(unavailable()), ..Report::default() };
    let effects = update(&mut app, Message::Done(*ticket, Outcome::Flushed(report, Duration::ZERO)));
    scan_of(&effects);
    assert!(app.show_lost().is_some());
}

#[test]
fn failed_flush_report_stays_visible_on_fallback() {
    let mut app = app();
    let effects = flush_jikan(&mut app);
    let Some(Effect::Flush { ticket, .. }) = effects.first() else { panic!("{effects:?}") };
    let done = Applied { entries: 1, keys: 3, ..Applied::default() };
    let report = Report { done, failed: 1, error: Some(unavailable()), ..Report::default() };
    update(&mut app, Message::Done(*ticket, Outcome::Flushed(report, Duration::ZERO)));
    let other = BackendId { location: "/tmp/http_cache.db".into(), ..backend() };
    update(
        &mut app,
        Message::Health(Health { backend: other, is_fallback: true, problem: Some("down".into()), server: None }),
    );
    let Some(Dialog::Failure { facts, .. }) = &app.dialog else { panic!("{:?}", app.dialog) };
    let of = |name: &str| facts.iter().find(|(of, _)| of == name).map_or("", |(_, value)| value);
    assert_eq!((of("Backend"), of("Requested"), of("Failed")), (&*backend().to_string(), "2 entries", "1 entry"));
    assert!(of("Done").starts_with("Deleted 1 entry (3 keys)") && of("Error").contains("refused"), "{facts:?}");
    press(&mut app, "jd");
    assert!(app.dialog.is_some(), "it is not typed away");
    press(&mut app, "<enter>");
    assert!(app.dialog.is_none());
}

#[test]
fn esc_stops_a_flush_and_leaving_waits_for_its_batch() {
    let mut app = app();
    press(&mut app, "d");
    let effects = press(&mut app, "y");
    let Some(Effect::Flush { ticket, .. }) = effects.first() else { panic!("{effects:?}") };
    assert_eq!(press(&mut app, "<esc>"), [Effect::Stop(*ticket)]);
    assert_eq!(press(&mut app, "q"), [Effect::Stop(*ticket)]);
    let report = Report { is_interrupted: true, ..Report::default() };
    let effects = update(&mut app, Message::Done(*ticket, Outcome::Flushed(report, Duration::ZERO)));
    assert_eq!(effects.last(), Some(&Effect::Quit));
    let exit_summary = app.take_exit_summary().expect("it is said what was done");
    assert!(!exit_summary.is_complete && exit_summary.text.contains("Deleted 0 entries (0 keys)"), "{exit_summary:?}");
}

#[test]
fn leaving_during_flush_prints_its_progress() {
    let mut app = app();
    let effects = flush_jikan(&mut app);
    let Some(Effect::Flush { ticket, .. }) = effects.first() else { panic!("{effects:?}") };
    let work = EnrichProgress::Work { done: 1, total: 2, elapsed: Duration::ZERO };
    update(&mut app, Message::Progress(*ticket, work));
    press(&mut app, "q");
    assert_eq!(press(&mut app, "q"), [Effect::Quit]);
    let exit_summary = app.take_exit_summary().expect("it is said what was done");
    assert!(
        !exit_summary.is_complete && exit_summary.text.contains("1 or more of 2 entries deleted"),
        "{exit_summary:?}"
    );
}

#[rstest]
#[case("12h", ExpiryChange::Set(Duration::from_secs(43_200)))]
#[case("+2h", ExpiryChange::Extend(Duration::from_secs(7_200)))]
#[case("never", ExpiryChange::Persist)]
fn a_new_ttl_is_set(#[case] text: &str, #[case] expected: ExpiryChange) {
    let mut app = app();
    press(&mut app, "/jikan<enter>*t");
    assert_eq!(press(&mut app, &format!("{text}<enter>")), []);
    let effects = press(&mut app, "2<enter>");
    let Some(Effect::ChangeTtl { plan, change, .. }) = effects.first() else { panic!("{effects:?}") };
    assert_eq!((&plan.store.backend, plan.targets.len(), *change), (&backend(), 2, expected));
}

#[test]
fn a_ttl_of_many_entries_needs_the_number_typed_as_a_flush_does() {
    let mut app = listed(Size::new(120, 40), Options::default(), many(1_500));
    press(&mut app, "*t");
    press(&mut app, "12h<enter>");
    assert_eq!(press(&mut app, "1499<enter>"), []);
    assert!(app.dialog.is_none() && app.job.is_none());
    press(&mut app, "t");
    press(&mut app, "12h<enter>");
    let effects = press(&mut app, "1,500<enter>");
    let Some(Effect::ChangeTtl { plan, .. }) = effects.first() else { panic!("{effects:?}") };
    assert_eq!(plan.targets.len(), 1_500);
}

#[rstest]
#[case("t")]
#[case("d")]
fn question_counts_marked_entries_hidden_by_filter(#[case] key: &str) {
    let mut app = app();
    press(&mut app, "/jikan<enter>*<esc>/kitsu<enter>");
    press(&mut app, key);
    let facts = match &app.dialog {
        Some(Dialog::Confirm(confirm)) => &confirm.facts,
        Some(Dialog::Ttl(ttl)) => &ttl.facts,
        other => panic!("{other:?}"),
    };
    let of = |name: &str| facts.iter().find(|(of, _)| of == name).map(|(_, value)| value.trim());
    assert_eq!(of("Backend"), Some(&*backend().to_string()));
    assert_eq!(of("Selection"), Some("2 marked, all hidden by the filter"));
    assert!(of("jikan").is_some_and(|entries| entries.starts_with('2')), "{facts:?}");
}

#[test]
fn an_extension_adds_to_what_each_entry_has_left() {
    let mut app = app();
    press(&mut app, "/jikan<enter>*t");
    press(&mut app, "+2h<enter>");
    let effects = press(&mut app, "2<enter>");
    let Some(Effect::ChangeTtl { ticket, .. }) = effects.first() else { panic!("{effects:?}") };
    let report = Report { done: Applied { entries: 2, ..Applied::default() }, ..Report::default() };
    update(&mut app, Message::Done(*ticket, Outcome::TtlChanged(report)));
    let mut ttls: Vec<_> = app.rows.visible_entries().filter_map(|entry| entry.ttl(NOW)).collect();
    ttls.sort_unstable_by(f64::total_cmp);
    assert_eq!(ttls, [10_200.0, 93_200.0]);
}

/// The fact with this name in the question.
fn describe<'a>(app: &'a App, name: &str) -> Option<&'a str> {
    let Some(Dialog::Confirm(confirm)) = &app.dialog else { panic!("{:?}", app.dialog) };
    confirm.facts.iter().find(|(of, _)| of == name).map(|(_, value)| value.trim())
}

#[test]
fn what_never_expires_is_not_counted_among_what_lives_longer() {
    let mut entries = many(1_500);
    for entry in &mut entries[..300] {
        entry.expires_at = None;
    }
    let mut app = listed(Size::new(120, 40), Options::default(), entries);
    press(&mut app, "*t");
    press(&mut app, "+2h<enter>");
    assert!(describe(&app, "Entries").unwrap().starts_with("1,200 ("), "{:?}", describe(&app, "Entries"));
    assert!(describe(&app, "jikan").unwrap().starts_with("1,200 "), "{:?}", describe(&app, "jikan"));
    let effects = press(&mut app, "1200<enter>");
    let Some(Effect::ChangeTtl { plan, .. }) = effects.first() else { panic!("{effects:?}") };
    assert_eq!(plan.targets.len(), 1_200);
}

#[test]
fn extension_of_few_entries_with_ttl_needs_no_number() {
    let mut entries = many(1_500);
    for entry in &mut entries[1..] {
        entry.expires_at = None;
    }
    let mut app = listed(Size::new(120, 40), Options::default(), entries);
    press(&mut app, "*t");
    let effects = press(&mut app, "+2h<enter>");
    let Some(Effect::ChangeTtl { plan, .. }) = effects.first() else { panic!("{:?}", app.dialog) };
    assert_eq!(plan.targets.len(), 1);
}

#[test]
fn ttl_counts_from_change_not_from_question() {
    let mut app = listed(Size::new(120, 40), Options::default(), many(1_500));
    press(&mut app, "*t");
    press(&mut app, "12h<enter>");
    update(&mut app, Message::Tick(NOW + 600.0));
    let effects = press(&mut app, "1500<enter>");
    let Some(Effect::ChangeTtl { ticket, .. }) = effects.first() else { panic!("{effects:?}") };
    let report = Report { done: Applied { entries: 1_500, ..Applied::default() }, ..Report::default() };
    update(&mut app, Message::Done(*ticket, Outcome::TtlChanged(report)));
    assert!(app.rows.entries().all(|entry| entry.ttl(app.now) == Some(43_200.0)));
}

#[test]
fn question_during_body_search_mentions_the_search() {
    let mut app = app();
    let effects = press(&mut app, "/body-match:bebop<enter>");
    let Some(Effect::Search { ticket, ids, .. }) = effects.last() else { panic!("{effects:?}") };
    update(&mut app, Message::Progress(*ticket, EnrichProgress::Found(ids[..1].to_vec())));
    press(&mut app, "D");
    assert!(describe(&app, "Note").is_some_and(|message| message.contains("body search in progress")));
    press(&mut app, "n");
    update(&mut app, Message::Done(*ticket, Outcome::Searched(Ok(0))));
    press(&mut app, "D");
    assert_eq!(describe(&app, "Note"), None);
}

#[test]
fn invalid_ttl_keeps_input_open_with_error() {
    let mut app = app();
    press(&mut app, "t");
    assert_eq!(press(&mut app, "-5m<enter>"), []);
    let Some(Dialog::Ttl(ttl)) = &app.dialog else { panic!("{:?}", app.dialog) };
    assert!(ttl.problem.is_some());
}

#[rstest]
#[case("D")]
#[case("*")]
#[case("!")]
#[case("t")]
#[case("hd")]
fn changes_with_invalid_filter_are_refused(#[case] keys: &str) {
    let mut app = app();
    press(&mut app, "/service:jikan status:abc<enter>");
    assert_eq!(press(&mut app, keys), []);
    assert!(app.dialog.is_none() && app.rows.marked() == 0);
    assert!(app.notice.is_some_and(|notice| notice.is_error));
}

#[test]
fn a_flush_names_the_filter_that_is_in_force() {
    let mut app = app();
    press(&mut app, "/service:jikan  <enter>D");
    let Some(Dialog::Confirm(confirm)) = &app.dialog else { panic!("{:?}", app.dialog) };
    assert_eq!(confirm.facts[3].1, "entries matching 'service:jikan'");
}
