//! The rules, signal by signal.

use EventKind::{Evict, Hit, Miss, Refresh, Remove, Store};
use rstest::rstest;

use crate::model::event::RequestLine;
use crate::model::service::ServiceName;
use crate::model::service::ServiceProfile;
use crate::store::redis::events::interpreter::*;

const KEY: &[u8] = b"GET:1";

const RESULT: &[u8] = b"result_cache:maps_tile:x";

fn maps() -> ServiceName {
    ServiceName::new("maps")
}

fn services() -> ServiceRegistry {
    ServiceRegistry::new([ServiceProfile { result_prefixes: vec!["maps_".to_owned()], ..ServiceProfile::new(maps()) }])
}

fn key() -> CacheKey {
    CacheKey::new(KEY)
}

fn id(number: u128) -> Uuid {
    Uuid::from_u128(number)
}

fn facts(number: u128, is_deleted: bool) -> Context {
    let request = Arc::new(RequestLine { method: "GET".into(), url: "https://maps.example/".into() });
    let id = EntryId::Http(StorageLayout::Pipeline, id(number));
    let facts = Facts { id, service: maps(), request, cache_key: key(), is_deleted };
    Context { facts: Some(Arc::new(facts)), is_there: true }
}

/// A signal of the entry with this number, at this time.
fn of(at: f64, signal: Signal) -> (f64, Signal, Context) {
    let number = match &signal {
        Signal::HeadsRead(_, id) | Signal::HeadsWritten(_, id) | Signal::TtlSet(_, id) => id.as_u128(),
        _ => return (at, signal, Context::default()),
    };
    (at, signal, facts(number, false))
}

const A: StorageLayout = StorageLayout::Pipeline;

const B: StorageLayout = StorageLayout::Hishel1;

fn missed(at: f64) -> (f64, Signal, Context) {
    of(at, Signal::IndexMissed(A, key()))
}

fn asked(at: f64) -> (f64, Signal, Context) {
    of(at, Signal::IndexRead(A, key()))
}

fn read(at: f64, number: u128) -> (f64, Signal, Context) {
    of(at, Signal::HeadsRead(A, id(number)))
}

fn written(at: f64, number: u128) -> (f64, Signal, Context) {
    of(at, Signal::HeadsWritten(A, id(number)))
}

fn ttl(at: f64, number: u128) -> (f64, Signal, Context) {
    of(at, Signal::TtlSet(A, id(number)))
}

fn joined(at: f64) -> (f64, Signal, Context) {
    of(at, Signal::IndexJoined(key()))
}

fn left(at: f64) -> (f64, Signal, Context) {
    of(at, Signal::IndexLeft(key()))
}

fn deleted(at: f64, number: u128) -> (f64, Signal, Context) {
    (at, Signal::HeadsWritten(A, id(number)), facts(number, true))
}

/// The events of signals, up to a time when nothing is pending any more.
fn told(sees_reads: bool, signals: Vec<(f64, Signal, Context)>) -> Vec<(EventKind, Option<ServiceName>)> {
    let mut interpreter = EventInterpreter::new(sees_reads, services());
    for (at, signal, context) in signals {
        interpreter.tick(at);
        interpreter.observe(at, signal, context);
    }
    for second in 0..1_000 {
        interpreter.tick(f64::from(second));
    }
    assert!(!interpreter.is_waiting());
    std::iter::from_fn(|| interpreter.next()).map(|event| (event.kind, event.service)).collect()
}

fn kinds(message: &[(EventKind, Option<ServiceName>)]) -> Vec<EventKind> {
    message.iter().map(|(kind, _)| *kind).collect()
}

#[rstest]
#[case::a_miss_and_its_store(vec![missed(0.0), missed(2.0), written(2.01, 1), joined(2.01), ttl(2.01, 1)], &[Miss, Store])]
#[case::a_store_whose_ttl_comes_first(vec![missed(0.0), written(2.0, 1), ttl(2.0, 1), missed(2.01), joined(2.01)], &[Miss, Store])]
#[case::a_store_that_asks_for_no_ttl(vec![missed(0.0), written(0.01, 1), joined(0.01)], &[Miss, Store])]
#[case::two_misses_and_one_store(vec![missed(0.0), missed(0.5), missed(2.0), written(2.0, 1), joined(2.0)], &[Miss, Miss, Store])]
#[case::a_second_look_before_the_fetch(vec![missed(0.0), missed(0.01), missed(2.0), written(2.0, 1), joined(2.0)], &[Miss, Store])]
#[case::a_miss_that_is_never_stored(vec![missed(0.0)], &[Miss])]
#[case::a_miss_told_long_before_its_store(vec![missed(0.0), missed(9.95), written(9.96, 1), joined(9.96)], &[Miss, Store])]
#[case::hits(vec![ttl(0.0, 1), ttl(0.0, 1), ttl(5.0, 1)], &[Hit, Hit, Hit])]
#[case::a_hit_soon_after_its_store(vec![written(0.0, 1), joined(0.0), ttl(0.0, 1), ttl(0.1, 1)], &[Store, Hit])]
#[case::siblings_are_one_look_up(vec![ttl(0.0, 1), ttl(0.0, 2), ttl(0.1, 1), ttl(0.1, 2), ttl(5.0, 2)], &[Hit, Hit, Hit])]
#[case::heads_that_were_only_changed(vec![written(0.0, 1)], &[Refresh])]
#[case::marked_as_deleted(vec![deleted(0.0, 1)], &[Remove])]
#[case::stored_and_deleted_before_it_was_seen(vec![deleted(0.0, 1), joined(0.0), deleted(0.2, 1)], &[Store, Remove])]
#[case::left_its_index(vec![left(0.0), ttl(0.0, 1)], &[Remove])]
#[case::looked_after_what_was_removed(vec![left(0.0), missed(0.01)], &[])]
#[case::every_layout_was_asked(vec![missed(0.0), of(0.0, Signal::IndexMissed(B, key())), of(0.0, Signal::IndexMissed(B, key()))], &[Miss])]
fn notifications(#[case] signals: Vec<(f64, Signal, Context)>, #[case] expected: &[EventKind]) {
    assert_eq!(kinds(&told(false, signals)), expected);
}

#[rstest]
#[case::a_hit(vec![asked(0.0), read(0.01, 1), ttl(0.01, 1)], &[Hit])]
#[case::siblings_are_one_look_up(vec![asked(0.0), read(0.01, 1), ttl(0.01, 1), read(0.02, 2), ttl(0.02, 2)], &[Hit])]
#[case::a_miss(vec![asked(0.0)], &[Miss])]
#[case::a_miss_and_its_store(vec![asked(0.0), written(0.5, 1), joined(0.5), ttl(0.5, 1)], &[Miss, Store])]
#[case::an_administrator_looks(vec![read(0.0, 1)], &[])]
#[case::an_administrator_changes_the_ttl(vec![ttl(0.0, 1)], &[Refresh])]
#[case::every_layout_is_asked(vec![asked(0.0), of(0.0, Signal::IndexRead(B, key())), of(0.0, Signal::IndexRead(B, key())), read(0.01, 1)], &[Hit])]
fn commands(#[case] signals: Vec<(f64, Signal, Context)>, #[case] expected: &[EventKind]) {
    assert_eq!(kinds(&told(true, signals)), expected);
}

#[test]
fn a_miss_is_its_services_once_something_is_stored_for_it() {
    let signals = vec![missed(0.0), written(3.0, 1), joined(3.0), missed(60.0)];
    let maps = Some(maps());
    assert_eq!(told(false, signals), [(Miss, maps), (Store, maps), (Miss, maps)]);
    assert_eq!(told(false, vec![missed(0.0)]), [(Miss, None)]);
}

#[rstest]
#[case::there(vec![(0.0, true, false)], &[Hit])]
#[case::not_there(vec![(0.0, false, false)], &[Miss])]
#[case::written_after_it_was_read(vec![(0.0, true, false), (0.01, true, true)], &[Miss, Store])]
#[case::read_after_it_was_written(vec![(0.0, true, true), (0.01, true, false)], &[Store, Hit])]
fn results(#[case] signals: Vec<(f64, bool, bool)>, #[case] expected: &[EventKind]) {
    let signal = |(at, is_there, is_write): (f64, bool, bool)| {
        let signal = if is_write { Signal::ResultWritten(RESULT.into()) } else { Signal::ResultRead(RESULT.into()) };
        (at, signal, Context { facts: None, is_there })
    };
    let message = told(true, signals.into_iter().map(signal).collect());
    assert_eq!(kinds(&message), expected);
    assert!(message.iter().all(|(_, service)| *service == Some(maps())));
}

#[test]
fn the_end_of_a_deleted_entry_is_reported_once() {
    let gone = |facts| (0.0, Signal::EntryGone(A, id(1), Evict), facts);
    assert_eq!(told(false, vec![gone(facts(1, true))]), []);
    assert_eq!(told(false, vec![gone(facts(1, false))]), [(Evict, Some(maps()))]);
    assert_eq!(told(false, vec![gone(Context::default())]), [(Evict, None)]);
}

#[test]
fn a_flood_of_signals_is_bounded_in_memory() {
    let mut interpreter = EventInterpreter::new(false, services());
    for number in 0..3 * MAX_PENDING as u128 {
        let key = CacheKey::new(number.to_be_bytes());
        interpreter.observe(0.0, Signal::IndexMissed(A, key), Context::default());
        interpreter.observe(0.0, Signal::HeadsWritten(A, id(number)), facts(number, false));
        interpreter.observe(0.0, Signal::ResultWritten(number.to_be_bytes().into()), Context::default());
        while interpreter.next().is_some() {}
    }
    assert_eq!((interpreter.pending.lookups.len(), interpreter.pending.writes.len()), (MAX_PENDING, MAX_PENDING));
    assert_eq!(interpreter.pending.result_writes.len(), MAX_PENDING);
}
