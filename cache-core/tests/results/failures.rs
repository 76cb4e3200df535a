//! Errors, unreadable results and unavailable stores.

use std::sync::Arc;
use std::time::Duration;

use cache_core::{Cache, Call, Config, RedisUrl};
use rstest::rstest;

use crate::redis_server::RedisServer;
use crate::{Function, On, anime, call, redis};

#[rstest]
#[tokio::test]
async fn unreadable_result_is_computed_again_and_replaced(
    #[values(On::Memory, On::Redis, On::Sqlite)] on: On,
    #[values(&b""[..], b"null", b" null\n", b"{", b"nan", b"\xff\xfe", b"{\"title\": \"x\"} tail")]
    damaged: &'static [u8],
) {
    let subject = on.open().await;
    let function = Function::default();
    let key = call().key().unwrap();
    subject.store.set(&key, damaged.into(), Duration::from_secs(60)).await.unwrap();
    for _ in 0..2 {
        let result = subject.results.get_or_compute(&call(), || function.returns(Some(anime()))).await;
        assert_eq!(result, Some(anime()));
    }
    assert_eq!(function.runs(), 1);
}

/// Another type may be an error of this side: the pipeline still uses the value.
#[rstest]
#[tokio::test]
async fn value_of_another_type_is_kept_if_it_is_shared(
    #[values(On::Memory, On::Redis, On::Sqlite)] on: On,
    #[values(&b"{}"[..], b"[1]", b"NaN", b"123456789012345678901234567890")] other: &'static [u8],
) {
    let subject = on.open().await;
    let own = Call::distinct("anisearch_anime", "82fce6a05e45281a").argument("18878,dan-da-dan");
    for (call, runs) in [(call(), 2), (own, 1)] {
        let key = call.key().unwrap();
        subject.store.set(&key, other.into(), Duration::from_secs(60)).await.unwrap();
        let function = Function::default();
        for _ in 0..2 {
            let result = subject.results.get_or_compute(&call, || function.returns(Some(anime()))).await;
            assert_eq!(result, Some(anime()));
        }
        assert_eq!(function.runs(), runs);
        let is_kept = subject.store.get(&key).await.unwrap().unwrap().value == other;
        assert_eq!(is_kept, runs == 2);
    }
}

#[rstest]
#[tokio::test]
async fn numbers_that_python_writes_as_words_are_read(#[values(On::Memory, On::Redis, On::Sqlite)] on: On) {
    let subject = on.open().await;
    let key = call().key().unwrap();
    subject.store.set(&key, "[NaN, -Infinity, 7.5]".into(), Duration::from_secs(60)).await.unwrap();
    let scores: Vec<f64> = subject.results.get_or_compute(&call(), || async { panic!("stored") }).await;
    assert!(scores[0].is_nan() && scores[1..] == [f64::NEG_INFINITY, 7.5], "{scores:?}");
}

#[rstest]
#[tokio::test]
async fn result_beyond_the_limit_is_a_miss(#[values(On::Redis, On::Sqlite)] on: On) {
    let subject = on.open_with(Config { store_timeout: Duration::from_secs(30), ..Config::default() }).await;
    let key = call().key().unwrap();
    for (length, is_read) in [(64 << 20, true), ((64 << 20) + 1, false)] {
        subject.store.set(&key, vec![b' '; length].into(), Duration::from_secs(60)).await.unwrap();
        assert_eq!(subject.store.get(&key).await.unwrap().is_some(), is_read, "{length}");
    }
    assert_eq!(subject.results.get_or_compute(&call(), || async { 1 }).await, 1);
    assert_eq!(subject.store.get(&key).await.unwrap().unwrap().value, "1");
}

#[rstest]
#[tokio::test]
async fn error_is_returned_and_not_stored(#[values(On::Memory, On::Redis, On::Sqlite)] on: On) {
    let subject = on.open().await;
    let function = Function::default();
    let answers = [Err("the site is down"), Err("still down"), Ok(anime())];
    for answer in answers.clone() {
        assert_eq!(subject.results.get_or_try_compute(&call(), || function.returns(answer.clone())).await, answer);
    }
    let stored = subject.results.get_or_try_compute(&call(), || function.returns(Err("down again"))).await;
    assert_eq!(stored, Ok(anime()));
    assert_eq!(function.runs(), 3);
}

#[tokio::test]
async fn every_call_computes_without_a_store() {
    let server = RedisServer::start("");
    let url = format!("redis://{}/0", server.address());
    let cache = Cache::with_store(Arc::new(redis(url)), &Config::default());
    let function = Function::default();
    cache.results().get_or_compute(&call(), || function.returns(1)).await;
    assert_eq!(cache.results().get_or_compute(&call(), || function.returns(2)).await, 1);
    let _stopped = server.stop();
    for value in [3, 4] {
        assert_eq!(cache.results().get_or_compute(&call(), || function.returns(value)).await, value);
    }
}

#[tokio::test]
async fn sqlite_is_used_if_redis_is_unreachable() {
    let directory = tempfile::tempdir().unwrap();
    let stopped = RedisServer::start("").stop();
    let config =
        Config { redis_url: RedisUrl::new(stopped.url()), sqlite: directory.path().to_owned(), ..Config::default() };
    let function = Function::default();
    for _ in 0..2 {
        let cache = Cache::open(&config).await.unwrap();
        assert_eq!(cache.results().get_or_compute(&call(), || function.returns(anime())).await, anime());
        cache.close().await;
    }
    assert_eq!(function.runs(), 1);
}
