//! The rules, sign by sign.

use EventKind::{Evict, Hit, Miss, Refresh, Remove, Store};
use rstest::rstest;

use crate::model::event::Asked;
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
    let request = Arc::new(Asked { method: "GET".into(), url: "https://maps.example/".into() });
    let id = EntryId::Http(Layout::Pipeline, id(number));
    let facts = Facts { id, service: maps(), request, cache_key: key(), is_deleted };
    Context { facts: Some(Arc::new(facts)), is_there: true }
}

/// A sign of the entry of this number, at this time.
fn of(at: f64, sign: Sign) -> (f64, Sign, Context) {
    let number = match &sign {
        Sign::HeadsRead(_, id) | Sign::HeadsWritten(_, id) | Sign::TtlSet(_, id) => id.as_u128(),
        _ => return (at, sign, Context::default()),
    };
    (at, sign, facts(number, false))
}

const A: Layout = Layout::Pipeline;

const B: Layout = Layout::Hishel1;

fn missed(at: f64) -> (f64, Sign, Context) {
    of(at, Sign::IndexMissed(A, key()))
}

fn asked(at: f64) -> (f64, Sign, Context) {
    of(at, Sign::IndexRead(A, key()))
}

fn read(at: f64, number: u128) -> (f64, Sign, Context) {
    of(at, Sign::HeadsRead(A, id(number)))
}

fn written(at: f64, number: u128) -> (f64, Sign, Context) {
    of(at, Sign::HeadsWritten(A, id(number)))
}

fn ttl(at: f64, number: u128) -> (f64, Sign, Context) {
    of(at, Sign::TtlSet(A, id(number)))
}

fn joined(at: f64) -> (f64, Sign, Context) {
    of(at, Sign::IndexJoined(key()))
}

fn left(at: f64) -> (f64, Sign, Context) {
    of(at, Sign::IndexLeft(key()))
}

fn deleted(at: f64, number: u128) -> (f64, Sign, Context) {
    (at, Sign::HeadsWritten(A, id(number)), facts(number, true))
}

/// The events of signals, up to a time when nothing is pending any more.
fn told(sees_reads: bool, signs: Vec<(f64, Sign, Context)>) -> Vec<(EventKind, Option<ServiceName>)> {
    let mut recogniser = Recogniser::new(sees_reads, services());
    for (at, sign, context) in signs {
        recogniser.tick(at);
        recogniser.observe(at, sign, context);
    }
    for second in 0..1_000 {
        recogniser.tick(f64::from(second));
    }
    assert!(!recogniser.is_waiting());
    std::iter::from_fn(|| recogniser.next()).map(|event| (event.kind, event.service)).collect()
}

fn kinds(told: &[(EventKind, Option<ServiceName>)]) -> Vec<EventKind> {
    told.iter().map(|(kind, _)| *kind).collect()
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
#[case::every_layout_was_asked(vec![missed(0.0), of(0.0, Sign::IndexMissed(B, key())), of(0.0, Sign::IndexMissed(B, key()))], &[Miss])]
fn notifications(#[case] signs: Vec<(f64, Sign, Context)>, #[case] expected: &[EventKind]) {
    assert_eq!(kinds(&told(false, signs)), expected);
}

#[rstest]
#[case::a_hit(vec![asked(0.0), read(0.01, 1), ttl(0.01, 1)], &[Hit])]
#[case::siblings_are_one_look_up(vec![asked(0.0), read(0.01, 1), ttl(0.01, 1), read(0.02, 2), ttl(0.02, 2)], &[Hit])]
#[case::a_miss(vec![asked(0.0)], &[Miss])]
#[case::a_miss_and_its_store(vec![asked(0.0), written(0.5, 1), joined(0.5), ttl(0.5, 1)], &[Miss, Store])]
#[case::an_administrator_looks(vec![read(0.0, 1)], &[])]
#[case::an_administrator_changes_the_ttl(vec![ttl(0.0, 1)], &[Refresh])]
#[case::every_layout_is_asked(vec![asked(0.0), of(0.0, Sign::IndexRead(B, key())), of(0.0, Sign::IndexRead(B, key())), read(0.01, 1)], &[Hit])]
fn commands(#[case] signs: Vec<(f64, Sign, Context)>, #[case] expected: &[EventKind]) {
    assert_eq!(kinds(&told(true, signs)), expected);
}

#[test]
fn a_miss_is_its_services_once_something_is_stored_for_it() {
    let signs = vec![missed(0.0), written(3.0, 1), joined(3.0), missed(60.0)];
    let maps = Some(maps());
    assert_eq!(told(false, signs), [(Miss, maps), (Store, maps), (Miss, maps)]);
    assert_eq!(told(false, vec![missed(0.0)]), [(Miss, None)]);
}

#[rstest]
#[case::there(vec![(0.0, true, false)], &[Hit])]
#[case::not_there(vec![(0.0, false, false)], &[Miss])]
#[case::written_after_it_was_read(vec![(0.0, true, false), (0.01, true, true)], &[Miss, Store])]
#[case::read_after_it_was_written(vec![(0.0, true, true), (0.01, true, false)], &[Store, Hit])]
fn results(#[case] signs: Vec<(f64, bool, bool)>, #[case] expected: &[EventKind]) {
    let sign = |(at, is_there, is_write): (f64, bool, bool)| {
        let sign = if is_write { Sign::ResultWritten(RESULT.into()) } else { Sign::ResultRead(RESULT.into()) };
        (at, sign, Context { facts: None, is_there })
    };
    let told = told(true, signs.into_iter().map(sign).collect());
    assert_eq!(kinds(&told), expected);
    assert!(told.iter().all(|(_, service)| *service == Some(maps())));
}

#[test]
fn the_end_of_a_deleted_entry_is_reported_once() {
    let gone = |facts| (0.0, Sign::EntryGone(A, id(1), Evict), facts);
    assert_eq!(told(false, vec![gone(facts(1, true))]), []);
    assert_eq!(told(false, vec![gone(facts(1, false))]), [(Evict, Some(maps()))]);
    assert_eq!(told(false, vec![gone(Context::default())]), [(Evict, None)]);
}

#[test]
fn a_flood_of_signals_is_bounded_in_memory() {
    let mut recogniser = Recogniser::new(false, services());
    for number in 0..3 * MAX_PENDING as u128 {
        let key = CacheKey::new(number.to_be_bytes());
        recogniser.observe(0.0, Sign::IndexMissed(A, key), Context::default());
        recogniser.observe(0.0, Sign::HeadsWritten(A, id(number)), facts(number, false));
        recogniser.observe(0.0, Sign::ResultWritten(number.to_be_bytes().into()), Context::default());
        while recogniser.next().is_some() {}
    }
    assert_eq!((recogniser.pending.lookups.len(), recogniser.pending.writes.len()), (MAX_PENDING, MAX_PENDING));
    assert_eq!(recogniser.pending.result_writes.len(), MAX_PENDING);
}
