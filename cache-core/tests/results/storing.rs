//! What is stored, in what form, and how it is used.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use cache_core::{Config, EntryId, ResultCache, clock};
use cache_core::{Counters, Scope};
use rstest::rstest;

use crate::{Anime, Function, On, Subject, anime, call};

#[rstest]
#[tokio::test]
async fn result_is_computed_once(#[values(On::Memory, On::Redis, On::Sqlite)] on: On) {
    let subject = on.open().await;
    let function = Function::default();
    for _ in 0..3 {
        assert_eq!(subject.results.get_or_compute(&call(), || function.returns(anime())).await, anime());
    }
    assert_eq!(function.runs(), 1);
    subject.results.get_or_compute(&call().argument(1), || function.returns(anime())).await;
    assert_eq!(function.runs(), 2, "another argument is another call");
}

#[rstest]
#[tokio::test]
async fn result_is_stored_as_python_writes_it(#[values(On::Memory, On::Redis, On::Sqlite)] on: On) {
    let subject = on.open().await;
    let call = call().ttl(Duration::from_secs(600));
    subject.results.get_or_compute(&call, || async { anime() }).await;
    let key = call.key().unwrap();
    assert_eq!(key, "result_cache:anisearch_anime:82fce6a05e45281a:18878,dan-da-dan");
    assert_eq!(
        subject.store.get(&key).await.unwrap().unwrap().value,
        r#"{"title": "ダンダダン \"Dan Da Dan\"\n", "score": 8.0, "tags": ["science-fiction", "café"], "episodes": {"9": "Merge! Serpo Dover Demon Nessie!", "10": "Have You Ever Seen a Cattle Mutilation?"}}"#
    );
    let id = EntryId::Key(key.into_bytes().into());
    let ttl = subject.store.details(&id).await.unwrap().unwrap().summary.ttl(clock::now()).unwrap();
    assert!((500.0..=600.0).contains(&ttl), "{ttl}");
}

#[rstest]
#[tokio::test]
async fn none_is_not_stored(#[values(On::Memory, On::Redis, On::Sqlite)] on: On) {
    let subject = on.open().await;
    let function = Function::default();
    for _ in 0..2 {
        assert_eq!(subject.results.get_or_compute(&call(), || function.returns(None::<Anime>)).await, None);
    }
    assert_eq!(function.runs(), 2);
    for _ in 0..2 {
        assert_eq!(subject.results.get_or_compute(&call(), || function.returns(Some(anime()))).await, Some(anime()));
    }
    assert_eq!(function.runs(), 3);
}

#[rstest]
#[tokio::test]
async fn result_that_cannot_be_deserialized_is_not_stored(#[values(On::Memory, On::Redis, On::Sqlite)] on: On) {
    let subject = on.open().await;
    let key = call().key().unwrap();
    let too_large = subject.results.get_or_compute(&call(), || async { u128::MAX }).await;
    assert_eq!(too_large, u128::MAX);
    assert_eq!(subject.store.get(&key).await.unwrap(), None);
    let nameless = BTreeMap::from([((1, 2), 3)]);
    assert_eq!(subject.results.get_or_compute(&call(), || async { nameless.clone() }).await, nameless);
    assert_eq!(subject.store.get(&key).await.unwrap(), None);
}

#[rstest]
#[tokio::test]
async fn result_over_the_limit_is_not_stored(#[values(On::Memory, On::Redis, On::Sqlite)] on: On) {
    let subject = on.open_with(Config { largest_entry: 10, ..Config::default() }).await;
    for (text, is_stored) in [("123456789", false), ("12345678", true)] {
        subject.results.get_or_compute(&call(), || async { text.to_owned() }).await;
        assert_eq!(subject.store.get(&call().key().unwrap()).await.unwrap().is_some(), is_stored, "{text}");
    }
}

#[rstest]
#[tokio::test]
async fn disabled_cache_always_computes(#[values(On::Memory, On::Redis, On::Sqlite)] on: On) {
    let subject = on.open_with(Config { enabled: false, ..Config::default() }).await;
    let key = call().key().unwrap();
    let function = Function::default();
    subject.results.get_or_compute(&call(), || function.returns(1)).await;
    assert_eq!(subject.store.get(&key).await.unwrap(), None);
    subject.store.set(&key, "2".into(), Duration::from_secs(60)).await.unwrap();
    assert_eq!(subject.results.get_or_compute(&call(), || function.returns(1)).await, 1);
    assert_eq!(function.runs(), 2);
}

#[rstest]
#[tokio::test]
async fn reload_replaces_the_stored_result(#[values(On::Memory, On::Redis, On::Sqlite)] on: On) {
    let subject = on.open().await;
    let compute = async |results: &ResultCache, value: u32| results.get_or_compute(&call(), || async { value }).await;
    assert_eq!(compute(&subject.results, 1).await, 1);
    assert_eq!(compute(&subject.results.reload(), 2).await, 2);
    assert_eq!(compute(&subject.results, 3).await, 2);
    assert_eq!(compute(&subject.results.bypassed(), 4).await, 4);
    assert_eq!(compute(&subject.results, 5).await, 2);
}

#[rstest]
#[tokio::test]
async fn observer_is_called_for_every_call(#[values(On::Memory, On::Redis, On::Sqlite)] on: On) {
    type Seen = (Option<String>, bool, Option<Vec<u8>>);
    let subject = on.open().await;
    let message = Arc::new(Mutex::new(Vec::<Seen>::new()));
    let observed = subject.results.observed({
        let message = Arc::clone(&message);
        move |call| {
            let told_now = (call.key.map(str::to_owned), call.is_hit, call.value.map(<[u8]>::to_owned));
            message.lock().unwrap().push(told_now);
        }
    });
    let key = call().key();
    observed.get_or_try_compute(&call(), || async { Err::<u32, _>("gone") }).await.unwrap_err();
    observed.get_or_compute(&call(), || async { None::<u32> }).await;
    for results in [&observed, &observed, &observed.reload(), &observed.bypassed(), &subject.results] {
        results.get_or_compute(&call(), || async { Some(18_878) }).await;
    }
    let value = Some(b"18878".to_vec());
    let expected = [
        (key.clone(), false, None),
        (key.clone(), false, None),
        (key.clone(), false, value.clone()),
        (key.clone(), true, value.clone()),
        (key.clone(), false, value.clone()),
        (key.clone(), false, value.clone()),
    ];
    assert_eq!(*message.lock().unwrap(), expected);
}

#[rstest]
#[tokio::test]
async fn calls_are_counted_by_prefix(#[values(On::Memory, On::Redis, On::Sqlite)] on: On) {
    let Subject { results, cache, store, _directory } = on.open().await;
    for n in [1, 1, 1, 2] {
        results.get_or_compute(&call().argument(n), || async { "four".to_owned() }).await;
    }
    results.get_or_compute(&call(), || async { None::<u8> }).await;
    cache.close().await;
    let counted = store.stats(0.0).await.unwrap().hours;
    assert_eq!(counted.len(), 1, "{counted:?}");
    assert_eq!(counted[0].scope, Scope::Result("anisearch_anime".into()));
    let Counters { lookup_micros, .. } = counted[0].counts;
    let expected = Counters {
        hits: 2,
        misses: 3,
        stores: 2,
        bytes: 2 * "\"four\"".len() as u64,
        lookup_micros,
        ..Counters::default()
    };
    assert_eq!(counted[0].counts, expected);
}
