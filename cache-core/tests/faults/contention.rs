//! Two hundred tasks in four processes on the same keys, while others flush.

use std::collections::BTreeMap;
use std::process::ExitStatus;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use cache_core::{
    Cache, CachedClient, Call, Change, Config, Filter, Memory, PolicyKind, Redis, RedisUrl, ServiceName,
    ServiceRegistry, admin,
};
use tokio::process::Command;
use tokio::task::JoinSet;

use crate::fixed_ttl::fixed_ttl;
use crate::origin::{Origin, response};
use crate::redis_server::{self, RedisServer};
use crate::{assert_whole, body, everlasting, origin, over};

const PROCESSES: usize = 4;
const TASKS: usize = 50;
const ROUNDS: usize = 15;
const KEYS: usize = 10;

/// The keys that expire while they are requested.
const EXPIRING: &str = "/200/anime";
const TTL: Duration = Duration::from_secs(1);

/// The settings of a process of the crowd.
const REDIS: &str = "FAULTS_REDIS";
const ORIGIN: &str = "FAULTS_ORIGIN";

/// The store does not fail in these tests: a late reply is the fault of a busy machine.
fn config(url: &str) -> Config {
    let mut config = Config {
        redis_url: RedisUrl::new(url),
        store_timeout: Duration::from_secs(20),
        services: fixed_ttl(),
        ..Config::default()
    };
    config.services.get_mut(ServiceName::new("kitsu")).policy = PolicyKind::Rfc9111;
    config
}

/// The targets of all tasks: small ones, and some that take several steps to be written and read.
fn target(service: ServiceName, number: usize) -> String {
    let length = if number.is_multiple_of(KEYS) { 700_000 } else { 2_000 };
    format!("/{length}/{service}-{}", number % KEYS)
}

/// One task; each begins at another target.
async fn caller(cache: Cache, origin: String, start: usize) {
    let service = if start.is_multiple_of(2) { ServiceName::new("anilist") } else { ServiceName::new("kitsu") };
    let client = cache.client(service);
    let direct = direct();
    for round in 0..ROUNDS {
        let target = target(service, start + round);
        let fetched = client.get(format!("{origin}{target}")).send().await.expect("no error reaches the caller");
        assert_whole(&target, &fetched.bytes().await.expect("no error reaches the caller"));
        // The function sends a request to the origin, which counts the calls.
        let number = (start + round) % KEYS;
        let call = Call::new("crowd", "0123456789abcdef").argument(number);
        let computed = cache.results().get_or_compute(&call, || ask(&direct, &origin, number)).await;
        assert_whole(&format!("/200/result-{number}"), computed.as_bytes());
    }
}

/// A client without a cache.
fn direct() -> CachedClient {
    let config = Config { enabled: false, ..Config::default() };
    Cache::with_store(Arc::new(Memory::new(ServiceRegistry::default())), &config).client(ServiceName::new("anilist"))
}

async fn ask(direct: &CachedClient, origin: &str, number: usize) -> String {
    let fetched = direct.get(format!("{origin}/200/result-{number}")).send().await.unwrap();
    fetched.text().await.unwrap()
}

/// A process of the crowd: started by the tests below with its settings.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "is started by others"]
async fn one_of_the_crowd() {
    let (url, origin) = (std::env::var(REDIS).unwrap(), std::env::var(ORIGIN).unwrap());
    let cache = over(&config(&url));
    let mut callers = JoinSet::new();
    for number in 0..TASKS {
        callers.spawn(caller(cache.clone(), origin.clone(), number));
    }
    while let Some(outcome) = callers.join_next().await {
        outcome.unwrap();
    }
    cache.close().await;
}

/// Starts the crowd of processes, each running this test; returns when the last one has ended.
async fn crowd(test: &str, url: &str, origin: &Origin) {
    let mut processes = JoinSet::new();
    for _ in 0..PROCESSES {
        let mut process = Command::new(std::env::current_exe().unwrap());
        process.args(["--exact", &format!("contention::{test}"), "--ignored", "--nocapture"]);
        process.env(REDIS, url).env(ORIGIN, origin.url("")).kill_on_drop(true);
        processes.spawn(async move { process.status().await.unwrap() });
    }
    let ended: Vec<ExitStatus> = processes.join_all().await;
    assert!(ended.iter().all(ExitStatus::success), "no error reaches a caller: {ended:?}");
}

/// Number of requests for each target.
fn asked(origin: &Origin) -> BTreeMap<String, usize> {
    let mut asked = BTreeMap::new();
    for seen in origin.seen() {
        *asked.entry(seen.target).or_default() += 1;
    }
    assert_eq!(asked.len(), 3 * KEYS, "{asked:?}");
    asked
}

#[tokio::test(flavor = "multi_thread")]
async fn each_key_is_fetched_once() {
    let (url, origin) = (RedisServer::fresh_database(), origin().await);
    crowd("one_of_the_crowd", &url, &origin).await;
    let asked = asked(&origin);
    assert!(asked.values().all(|count| *count == 1), "{asked:?}");
    assert_eq!(everlasting(&url).await, Vec::<String>::new());
}

/// A process that requests one key until it has expired a few times.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "is started by others"]
async fn one_waiter_process() {
    let (url, origin) = (std::env::var(REDIS).unwrap(), std::env::var(ORIGIN).unwrap());
    let mut config = config(&url);
    config.services.get_mut(ServiceName::new("anilist")).ttl = TTL;
    let cache = over(&config);
    let mut callers = JoinSet::new();
    for _ in 0..TASKS {
        let (client, origin) = (cache.client(ServiceName::new("anilist")), origin.clone());
        callers.spawn(async move {
            let mut asked_before = 0;
            while asked_before < 2 {
                let request = client.get(format!("{origin}{EXPIRING}"));
                let fetched = request.refresh_on_access(false).send().await;
                let body = fetched.expect("no error reaches the caller").bytes().await;
                asked_before = assert_whole(EXPIRING, &body.expect("no error reaches the caller"));
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        });
    }
    while let Some(outcome) = callers.join_next().await {
        outcome.unwrap();
    }
    cache.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_expires_is_fetched_once_each_time() {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let origin = {
        let asked = Arc::clone(&asked);
        Origin::start(move |seen| {
            asked.lock().unwrap().push(Instant::now());
            response(200, &[], body(&seen.target, seen.number))
        })
    }
    .await;
    crowd("one_waiter_process", &RedisServer::fresh_database(), &origin).await;
    let asked = asked.lock().unwrap();
    assert!(asked.len() > 2, "nobody saw it expire");
    // On any machine: a stored key was fetched before, and is not fetched again while it exists. Redis counts whole
    // milliseconds.
    let apart: Vec<Duration> = asked.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(apart.iter().all(|time| *time + Duration::from_millis(5) >= TTL), "{apart:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn flushes_only_make_misses() {
    let server = RedisServer::start("");
    let url = format!("redis://{}", server.address());
    let origin = origin().await;
    let mut flushes = 0;
    tokio::select! {
        () = crowd("one_of_the_crowd", &url, &origin) => {}
        () = flush(&url, &mut flushes) => {}
    }
    assert!(flushes > 3);
    let asked = asked(&origin);
    // Each flush can cause two fetches of a key: one because it deletes the entry, after which one of the waiters
    // fetches it again, and one because it deletes the lease of a running fetch, which another process then acquires.
    assert!(asked.values().all(|count| *count <= 1 + 2 * flushes), "{flushes} flushes, {asked:?}");
    assert_eq!(everlasting(&url).await, Vec::<String>::new());
}

/// Flushes alternately by plan, key by key as another client does, and everything at once.
async fn flush(url: &str, flushes: &mut usize) {
    let store: Arc<dyn cache_core::Inspect> = Arc::new(Redis::new(&config(url)).unwrap());
    let mut other = redis_server::connection(url).await;
    loop {
        tokio::time::sleep(Duration::from_millis(150)).await;
        *flushes += 1;
        match *flushes % 3 {
            0 => {
                let go_on = AtomicBool::new(false);
                let plan = admin::plan::plan(&store, &Filter::default(), None, &go_on, |_| {}).await.unwrap().unwrap();
                let report = admin::apply::apply(&store, &plan, Change::Remove, None, &go_on, |_| {}).await;
                assert!(report.error.is_none(), "{:?}", report.error);
            }
            1 => {
                let keys: Vec<Vec<u8>> = redis::cmd("KEYS").arg("*").query_async(&mut other).await.unwrap();
                for key in keys {
                    redis::cmd("UNLINK").arg(key).exec_async(&mut other).await.unwrap();
                }
            }
            _ => redis::cmd("FLUSHDB").exec_async(&mut other).await.unwrap(),
        }
    }
}
