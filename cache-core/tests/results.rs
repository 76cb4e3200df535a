//! What the result cache promises, on every store.

#![allow(clippy::unwrap_used)]

#[path = "harness/redis_server.rs"]
mod redis_server;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use cache_core::counters::{Counts, Scope};
use cache_core::{
    Cache, Call, Config, EntryId, Inspect, Memory, Missing, Redis, RedisUrl, ResultCache, ServiceRegistry, Sqlite,
    clock,
};
use futures_util::future::join_all;
use redis_server::RedisServer;
use rstest::rstest;
use serde::{Deserialize, Serialize};
use tempfile::TempDir;
use tokio::sync::{Semaphore, oneshot};
use tokio::task::JoinSet;

/// What the caches under test stand on.
enum On {
    Memory,
    Redis,
    Sqlite,
}

struct Subject {
    results: ResultCache,
    cache: Cache,
    store: Arc<dyn Inspect>,
    _directory: TempDir,
}

impl On {
    async fn open(self) -> Subject {
        self.open_with(Config::default()).await
    }

    async fn open_with(self, config: Config) -> Subject {
        let directory = tempfile::tempdir().unwrap();
        let store: Arc<dyn Inspect> = match self {
            Self::Memory => Arc::new(Memory::new(ServiceRegistry::default())),
            Self::Redis => Arc::new(redis(RedisServer::fresh_database())),
            Self::Sqlite => {
                let file = directory.path().join("http_cache.db");
                Arc::new(Sqlite::open(&file, ServiceRegistry::default(), Missing::Create).await.unwrap())
            }
        };
        let cache = Cache::over(Arc::clone(&store), &config);
        Subject { results: cache.results(), cache, store, _directory: directory }
    }
}

fn redis(url: String) -> Redis {
    Redis::new(&Config { redis_url: RedisUrl::new(url), ..Config::default() }).unwrap()
}

fn call() -> Call<'static> {
    Call::new("anisearch_anime", "82fce6a05e45281a").argument("18878,dan-da-dan")
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Anime {
    title: String,
    score: Option<f64>,
    tags: Vec<String>,
    episodes: BTreeMap<u32, String>,
}

fn anime() -> Anime {
    Anime {
        title: "ダンダダン \"Dan Da Dan\"\n".into(),
        score: Some(8.0),
        tags: vec!["science-fiction".into(), "café".into()],
        episodes: BTreeMap::from([
            (10, "Have You Ever Seen a Cattle Mutilation?".into()),
            (9, "Merge! Serpo Dover Demon Nessie!".into()),
        ]),
    }
}

/// A function that counts how often it runs.
#[derive(Clone, Default)]
struct Function(Arc<AtomicUsize>);

impl Function {
    fn returns<T>(&self, value: T) -> impl Future<Output = T> {
        self.0.fetch_add(1, Ordering::SeqCst);
        std::future::ready(value)
    }

    fn runs(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

#[rstest]
#[tokio::test]
async fn a_result_is_computed_once(#[values(On::Memory, On::Redis, On::Sqlite)] on: On) {
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
async fn a_result_is_stored_as_python_writes_it(#[values(On::Memory, On::Redis, On::Sqlite)] on: On) {
    let subject = on.open().await;
    let call = call().ttl(Duration::from_secs(600));
    subject.results.get_or_compute(&call, || async { anime() }).await;
    let key = call.key().unwrap();
    assert_eq!(key, "result_cache:anisearch_anime:82fce6a05e45281a:18878,dan-da-dan");
    assert_eq!(
        subject.store.result(&key).await.unwrap().unwrap().value,
        r#"{"title": "ダンダダン \"Dan Da Dan\"\n", "score": 8.0, "tags": ["science-fiction", "café"], "episodes": {"9": "Merge! Serpo Dover Demon Nessie!", "10": "Have You Ever Seen a Cattle Mutilation?"}}"#
    );
    let id = EntryId::Key(key.into_bytes().into());
    let ttl = subject.store.inspect(&id).await.unwrap().unwrap().summary.ttl(clock::now()).unwrap();
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
async fn an_error_is_returned_and_not_stored(#[values(On::Memory, On::Redis, On::Sqlite)] on: On) {
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

#[rstest]
#[tokio::test]
async fn what_cannot_be_read_is_computed_again_and_replaced(
    #[values(On::Memory, On::Redis, On::Sqlite)] on: On,
    #[values(&b""[..], b"null", b" null\n", b"{", b"{}", b"[1]", b"NaN", b"\xff\xfe", b"{\"title\": \"x\"} tail")]
    damaged: &'static [u8],
) {
    let subject = on.open().await;
    let function = Function::default();
    let key = call().key().unwrap();
    subject.store.put_result(&key, damaged.into(), Duration::from_secs(60)).await.unwrap();
    for _ in 0..2 {
        let result = subject.results.get_or_compute(&call(), || function.returns(Some(anime()))).await;
        assert_eq!(result, Some(anime()));
    }
    assert_eq!(function.runs(), 1);
}

#[rstest]
#[tokio::test]
async fn what_could_not_be_read_back_is_not_stored(#[values(On::Memory, On::Redis, On::Sqlite)] on: On) {
    let subject = on.open().await;
    let key = call().key().unwrap();
    let not_a_number = subject.results.get_or_compute(&call(), || async { f64::NAN }).await;
    assert!(not_a_number.is_nan());
    assert_eq!(subject.store.result(&key).await.unwrap(), None);
    let nameless = BTreeMap::from([((1, 2), 3)]);
    assert_eq!(subject.results.get_or_compute(&call(), || async { nameless.clone() }).await, nameless);
    assert_eq!(subject.store.result(&key).await.unwrap(), None);
}

#[rstest]
#[tokio::test]
async fn what_is_too_large_is_not_stored(#[values(On::Memory, On::Redis, On::Sqlite)] on: On) {
    let subject = on.open_with(Config { largest_entry: 10, ..Config::default() }).await;
    for (text, is_stored) in [("123456789", false), ("12345678", true)] {
        subject.results.get_or_compute(&call(), || async { text.to_owned() }).await;
        assert_eq!(subject.store.result(&call().key().unwrap()).await.unwrap().is_some(), is_stored, "{text}");
    }
}

#[rstest]
#[tokio::test]
async fn a_disabled_cache_always_computes(#[values(On::Memory, On::Redis, On::Sqlite)] on: On) {
    let subject = on.open_with(Config { enabled: false, ..Config::default() }).await;
    let key = call().key().unwrap();
    let function = Function::default();
    subject.results.get_or_compute(&call(), || function.returns(1)).await;
    assert_eq!(subject.store.result(&key).await.unwrap(), None);
    subject.store.put_result(&key, "2".into(), Duration::from_secs(60)).await.unwrap();
    assert_eq!(subject.results.get_or_compute(&call(), || function.returns(1)).await, 1);
    assert_eq!(function.runs(), 2);
}

/// Many tasks that ask for one call on some caches, and what each of them got.
async fn all_at_once(caches: &[Cache], tasks: usize, function: &Function) -> Vec<Anime> {
    let mut all = JoinSet::new();
    for cache in caches.iter().cycle().take(tasks) {
        let (results, function) = (cache.results(), function.clone());
        all.spawn(async move {
            let computed = || async {
                // The others come while this one computes.
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
async fn of_many_who_ask_at_once_one_computes(#[values(On::Memory, On::Redis, On::Sqlite)] on: On) {
    let subject = on.open().await;
    let function = Function::default();
    assert_eq!(all_at_once(&[subject.cache], 200, &function).await, vec![anime(); 200]);
    assert_eq!(function.runs(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_in_two_processes_one_computes() {
    let url = RedisServer::fresh_database();
    let caches = [url.clone(), url].map(|url| Cache::over(Arc::new(redis(url)), &Config::default()));
    let function = Function::default();
    assert_eq!(all_at_once(&caches, 200, &function).await, vec![anime(); 200]);
    assert_eq!(function.runs(), 1);
}

/// A task that computes, once it has said so, until the permit is there.
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
async fn who_stops_computing_holds_nobody_up(
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
async fn who_waited_for_what_is_gone_again_waits_for_the_next_computation() {
    let subject = On::Memory.open().await;
    let function = Function::default();
    let asked = (0..20).map(|task| {
        // Gone before anybody looks for it, as if it had been flushed meanwhile.
        let call = if task == 0 { call().ttl(Duration::from_nanos(1)) } else { call() };
        let (results, function) = (subject.results.clone(), function.clone());
        async move {
            let computed = || async {
                // The others come while this one computes.
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
async fn who_waited_for_a_failure_computes_by_himself(#[values(On::Memory, On::Redis, On::Sqlite)] on: On) {
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

#[rstest]
#[tokio::test]
async fn what_happened_is_counted_under_the_prefix(#[values(On::Memory, On::Redis, On::Sqlite)] on: On) {
    let Subject { results, cache, store, _directory } = on.open().await;
    for n in [1, 1, 1, 2] {
        results.get_or_compute(&call().argument(n), || async { "four".to_owned() }).await;
    }
    results.get_or_compute(&call(), || async { None::<u8> }).await;
    cache.close().await;
    let counted = store.counters(0.0).await.unwrap().hours;
    assert_eq!(counted.len(), 1, "{counted:?}");
    assert_eq!(counted[0].scope, Scope::Result("anisearch_anime".into()));
    let Counts { lookup_micros, .. } = counted[0].counts;
    let expected = Counts {
        hits: 2,
        misses: 3,
        stores: 2,
        bytes: 2 * "\"four\"".len() as u64,
        lookup_micros,
        ..Counts::default()
    };
    assert_eq!(counted[0].counts, expected);
}

#[tokio::test]
async fn those_who_wait_for_another_are_counted() {
    let Subject { results, cache, store, _directory } = On::Memory.open().await;
    let asked = (0..20).map(|_| {
        let results = results.clone();
        async move {
            let computed = || async {
                // The others come while this one computes.
                tokio::task::yield_now().await;
                anime()
            };
            results.get_or_compute(&call(), computed).await
        }
    });
    assert_eq!(join_all(asked).await, vec![anime(); 20]);
    cache.close().await;
    let Counts { misses, hits, waits, .. } = store.counters(0.0).await.unwrap().hours[0].counts;
    assert_eq!((misses, hits, waits), (1, 19, 19));
}

#[tokio::test]
async fn without_a_store_everything_is_computed() {
    let server = RedisServer::start("");
    let url = format!("redis://{}/0", server.address());
    let cache = Cache::over(Arc::new(redis(url)), &Config::default());
    let function = Function::default();
    cache.results().get_or_compute(&call(), || function.returns(1)).await;
    assert_eq!(cache.results().get_or_compute(&call(), || function.returns(2)).await, 1);
    let _stopped = server.stop();
    for value in [3, 4] {
        assert_eq!(cache.results().get_or_compute(&call(), || function.returns(value)).await, value);
    }
}

#[tokio::test]
async fn sqlite_stands_in_for_a_redis_that_does_not_answer() {
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

#[rstest]
#[tokio::test]
async fn what_is_computed_anew_replaces_what_is_stored(#[values(On::Memory, On::Redis, On::Sqlite)] on: On) {
    let subject = on.open().await;
    let compute = async |results: &ResultCache, value: u32| results.get_or_compute(&call(), || async { value }).await;
    assert_eq!(compute(&subject.results, 1).await, 1);
    assert_eq!(compute(&subject.results.anew(), 2).await, 2);
    assert_eq!(compute(&subject.results, 3).await, 2);
    assert_eq!(compute(&subject.results.bypassed(), 4).await, 4);
    assert_eq!(compute(&subject.results, 5).await, 2);
}

#[rstest]
#[tokio::test]
async fn an_observer_is_told_of_every_call(#[values(On::Memory, On::Redis, On::Sqlite)] on: On) {
    type Told = (Option<String>, bool, Option<Vec<u8>>);
    let subject = on.open().await;
    let told = Arc::new(Mutex::new(Vec::<Told>::new()));
    let observed = subject.results.observed({
        let told = Arc::clone(&told);
        move |call| {
            let told_now = (call.key.map(str::to_owned), call.is_hit, call.value.map(<[u8]>::to_owned));
            told.lock().unwrap().push(told_now);
        }
    });
    let key = call().key();
    observed.get_or_try_compute(&call(), || async { Err::<u32, _>("gone") }).await.unwrap_err();
    observed.get_or_compute(&call(), || async { None::<u32> }).await;
    for results in [&observed, &observed, &observed.anew(), &observed.bypassed(), &subject.results] {
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
    assert_eq!(*told.lock().unwrap(), expected);
}
