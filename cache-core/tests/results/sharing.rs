//! Concurrent calls: one computes, the others wait.

use std::sync::Arc;
use std::time::Duration;

use cache_core::Counters;
use cache_core::{Cache, Config, ResultCache};
use futures_util::future::join_all;
use rstest::rstest;
use tokio::sync::{Semaphore, oneshot};
use tokio::task::JoinSet;

use crate::redis_server::RedisServer;
use crate::{Anime, Function, On, Subject, anime, call, redis};

/// The results of many concurrent tasks that make one call on some caches.
async fn all_at_once(caches: &[Cache], tasks: usize, function: &Function) -> Vec<Anime> {
    let mut all = JoinSet::new();
    for cache in caches.iter().cycle().take(tasks) {
        let (results, function) = (cache.results(), function.clone());
        all.spawn(async move {
            let computed = || async {
                // The others arrive while this one computes.
                tokio::time::sleep(Duration::from_millis(20)).await;
                function.returns(anime()).await
            };
            results.get_or_compute(&call(), computed).await
        });
    }
    all.join_all().await
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn concurrent_calls_compute_once(#[values(On::Memory, On::Redis, On::Sqlite)] on: On) {
    let subject = on.open().await;
    let function = Function::default();
    assert_eq!(all_at_once(&[subject.cache], 200, &function).await, vec![anime(); 200]);
    assert_eq!(function.runs(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_calls_of_two_processes_compute_once() {
    let url = RedisServer::fresh_database();
    let caches = [url.clone(), url].map(|url| Cache::with_store(Arc::new(redis(url)), &Config::default()));
    let function = Function::default();
    assert_eq!(all_at_once(&caches, 200, &function).await, vec![anime(); 200]);
    assert_eq!(function.runs(), 1);
}

/// A task that reports that it computes, and ends with a permit.
async fn computing(results: ResultCache, may_end: Arc<Semaphore>) -> tokio::task::JoinHandle<u32> {
    let (has_begun, begun) = oneshot::channel();
    #[expect(clippy::disallowed_methods, reason = "a program that uses the cache starts tasks")]
    let task = tokio::spawn(async move {
        let computed = || async move {
            has_begun.send(()).unwrap();
            drop(may_end.acquire().await.expect("the computation fails where the semaphore is closed"));
            1
        };
        results.get_or_compute(&call(), computed).await
    });
    begun.await.unwrap();
    task
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn cancelled_computation_delays_no_waiter(
    #[values(On::Memory, On::Redis, On::Sqlite)] on: On,
    #[values(true, false)] panics: bool,
) {
    let subject = on.open().await;
    let may_end = Arc::new(Semaphore::new(0));
    let first = computing(subject.results.clone(), Arc::clone(&may_end)).await;
    let (results, function) = (subject.results.clone(), Function::default());
    let mut next = JoinSet::new();
    let others = function.clone();
    next.spawn(async move { results.get_or_compute(&call(), || others.returns(2)).await });
    if panics {
        may_end.close();
    } else {
        first.abort();
    }
    assert!(first.await.is_err());
    assert_eq!(tokio::time::timeout(Duration::from_secs(5), next.join_all()).await.expect("nobody waits"), [2]);
    assert_eq!(function.runs(), 1);
}

#[tokio::test]
async fn waiters_for_a_flushed_result_wait_for_the_next() {
    let subject = On::Memory.open().await;
    let function = Function::default();
    let asked = (0..20).map(|task| {
        // Expired before a waiter looks it up, as if it had been flushed.
        let call = if task == 0 { call().ttl(Duration::from_nanos(1)) } else { call() };
        let (results, function) = (subject.results.clone(), function.clone());
        async move {
            let computed = || async {
                // The others arrive while this one computes.
                tokio::task::yield_now().await;
                function.returns(task).await
            };
            results.get_or_compute(&call, computed).await
        }
    });
    let answers = join_all(asked).await;
    assert_eq!(function.runs(), 2);
    assert_eq!(answers[0], 0);
    assert_eq!(answers[1..], [answers[1]; 19]);
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn waiter_for_a_failure_computes_itself(#[values(On::Memory, On::Redis, On::Sqlite)] on: On) {
    let subject = on.open().await;
    let function = Function::default();
    let mut all = JoinSet::new();
    for task in 0..20 {
        let (results, function) = (subject.results.clone(), function.clone());
        all.spawn(async move {
            results.get_or_try_compute(&call(), || function.returns(Err::<Anime, _>(task))).await.unwrap_err()
        });
    }
    let mut failures = tokio::time::timeout(Duration::from_secs(10), all.join_all()).await.expect("nobody waits");
    failures.sort_unstable();
    assert!(failures.into_iter().eq(0..20), "each has its own error");
    assert_eq!(function.runs(), 20);
}

#[tokio::test]
async fn waits_are_counted() {
    let Subject { results, cache, store, _directory } = On::Memory.open().await;
    let asked = (0..20).map(|_| {
        let results = results.clone();
        async move {
            let computed = || async {
                // The others arrive while this one computes.
                tokio::task::yield_now().await;
                anime()
            };
            results.get_or_compute(&call(), computed).await
        }
    });
    assert_eq!(join_all(asked).await, vec![anime(); 20]);
    cache.close().await;
    let Counters { misses, hits, waits, .. } = store.stats(0.0).await.unwrap().hours[0].counts;
    assert_eq!((misses, hits, waits), (1, 19, 19));
}
