//! A server that is killed and restarted during operations.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use cache_core::{Cache, CacheOutcome, Config, RedisUrl, ServiceName};
use futures_util::StreamExt as _;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::origin::{Origin, Step, head, response};
use crate::redis_server::RedisServer;
use crate::{PATIENCE, assert_whole, body, cache, compute, everlasting, get, origin, until_hit};

#[tokio::test(flavor = "multi_thread")]
async fn in_the_middle_of_reads_and_writes() {
    let mut server = RedisServer::start("");
    let url = format!("redis://{}", server.address());
    let (cache, origin) = (cache(&url), Arc::new(origin().await));
    let (is_over, rounds) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let mut callers = JoinSet::new();
    for caller in 0..20_u64 {
        let (cache, origin) = (cache.clone(), Arc::clone(&origin));
        let (is_over, rounds) = (Arc::clone(&is_over), Arc::clone(&rounds));
        callers.spawn(async move {
            let client = cache.client(ServiceName::new("kitsu"));
            for round in 0.. {
                if is_over.load(Ordering::SeqCst) {
                    return;
                }
                // The long one is read in pieces: if it is lost in the middle, its rest comes from the origin.
                let kind = if caller == 0 { "1500000/same" } else { "2000" };
                get(&client, &origin, &format!("/{kind}/{}", (caller + round) % 7)).await;
                compute(&cache, caller + round).await;
                rounds.fetch_add(1, Ordering::SeqCst);
            }
        });
    }
    for _ in 0..3 {
        pass(&rounds, 200).await;
        let stopped = server.stop();
        pass(&rounds, 200).await;
        server = stopped.start();
        until_hit(&cache.client(ServiceName::new("kitsu")), &origin, "/200/witness").await;
    }
    is_over.store(true, Ordering::SeqCst);
    while let Some(outcome) = callers.join_next().await {
        outcome.unwrap();
    }
    cache.close().await;
    assert_eq!(everlasting(&url).await, Vec::<String>::new());
}

/// Waits until the callers have done so many rounds more.
async fn pass(rounds: &AtomicUsize, count: usize) {
    let goal = rounds.load(Ordering::SeqCst) + count;
    let passed = async {
        while rounds.load(Ordering::SeqCst) < goal {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(crate::DEADLINE, passed).await.expect("nobody is stuck");
}

#[tokio::test]
async fn in_the_middle_of_a_body_being_stored() {
    let server = RedisServer::start("");
    let url = format!("redis://{}", server.address());
    let cache = cache(&url);
    let client = cache.client(ServiceName::new("kitsu"));
    let target = "/3000000/picture";
    let permits = Arc::new(Semaphore::new(0));
    let gate = Arc::clone(&permits);
    let origin = Origin::start(move |seen| {
        let body = body(&seen.target, seen.number);
        let (start, rest) = body.split_at(body.len() / 2);
        let head = head(200, &[("Content-Length", &body.len().to_string())]);
        vec![Step::Send([&head[..], start].concat()), Step::Await(Arc::clone(&gate)), Step::Send(rest.to_vec())]
    })
    .await;
    let mut pieces = client.get(origin.url(target)).send().await.unwrap().into_body();
    let mut whole = Vec::new();
    while whole.len() < 1_500_000 {
        whole.extend_from_slice(&pieces.next().await.unwrap().unwrap());
    }
    let server = server.stop().start();
    permits.add_permits(100);
    while let Some(piece) = pieces.next().await {
        whole.extend_from_slice(&piece.unwrap());
    }
    assert_whole(target, &whole);
    // The new server may have received half of the body: it must not be served.
    until_hit(&client, &origin, target).await;
    cache.close().await;
    assert_eq!(everlasting(&url).await, Vec::<String>::new());
    drop(server);
}

/// A process that is killed while it fetches: started by the test below.
#[tokio::test]
#[ignore = "is started by another"]
async fn leader_that_dies() {
    let (redis, url) = (std::env::var("FAULTS_REDIS").unwrap(), std::env::var("FAULTS_URL").unwrap());
    let _ = cache(&redis).client(ServiceName::new("kitsu")).get(url).send().await;
    unreachable!("the origin never answers");
}

#[tokio::test]
async fn waiters_for_a_killed_process_go_on() {
    let redis = RedisServer::fresh_database();
    let (asked, has_asked) = tokio::sync::oneshot::channel();
    let asked = std::sync::Mutex::new(Some(asked));
    let never = Arc::new(Semaphore::new(0));
    let origin = Origin::start(move |seen| match asked.lock().unwrap().take() {
        Some(asked) => {
            asked.send(()).unwrap();
            vec![Step::Await(Arc::clone(&never))]
        }
        None => response(200, &[], body(&seen.target, seen.number)),
    })
    .await;
    let target = "/200/anime";
    let mut process = tokio::process::Command::new(std::env::current_exe().unwrap());
    process.args(["--exact", "restart::leader_that_dies", "--ignored"]).env("FAULTS_REDIS", &redis);
    let mut process = process.env("FAULTS_URL", origin.url(target)).kill_on_drop(true).spawn().unwrap();
    has_asked.await.unwrap();

    let cache = cache(&redis);
    let client = cache.client(ServiceName::new("kitsu"));
    let both = async { tokio::join!(get(&client, &origin, target), get(&client, &origin, target)) };
    let mut both = std::pin::pin!(both);
    assert!(tokio::time::timeout(PATIENCE, &mut both).await.is_err(), "they wait");
    assert_eq!(origin.count(), 1);
    process.kill().await.unwrap();
    let from = tokio::time::timeout(crate::DEADLINE, both).await.expect("its claim expires");
    assert_eq!(from, (CacheOutcome::Miss, CacheOutcome::Hit));
    assert_eq!(origin.count(), 2);
    cache.close().await;
}

#[tokio::test]
async fn sqlite_answers_meanwhile() {
    let server = RedisServer::start("");
    let directory = tempfile::tempdir().unwrap();
    let config = Config {
        redis_url: RedisUrl::new(format!("redis://{}", server.address())),
        sqlite: directory.path().into(),
        store_timeout: PATIENCE,
        services: crate::fixed_ttl::fixed_ttl(),
        ..Config::default()
    };
    let (cache, origin) = (Cache::open(&config).await.unwrap(), origin().await);
    let client = cache.client(ServiceName::new("kitsu"));
    until_hit(&client, &origin, "/200/anime").await;
    let stopped = server.stop();
    // The first call that fails is answered by SQLite already, and so is stored there.
    assert_eq!(get(&client, &origin, "/200/other").await, CacheOutcome::Miss);
    assert_eq!(get(&client, &origin, "/200/other").await, CacheOutcome::Hit);
    assert!(cache.health().await.is_fallback);
    let server = stopped.start();
    let mut changes = cache.store().health_changes().unwrap();
    changes.wait_for(|health| !health.is_fallback).await.unwrap();
    assert_eq!(get(&client, &origin, "/200/other").await, CacheOutcome::Miss, "nothing is copied back");
    assert_eq!(get(&client, &origin, "/200/other").await, CacheOutcome::Hit);
    cache.close().await;
    drop(server);
}

#[tokio::test]
async fn redis_answers_alone_where_sqlite_cannot() {
    let server = RedisServer::start("");
    let file = tempfile::NamedTempFile::new().unwrap();
    let config = Config {
        redis_url: RedisUrl::new(format!("redis://{}", server.address())),
        sqlite: file.path().join("no directory"),
        store_timeout: PATIENCE,
        services: crate::fixed_ttl::fixed_ttl(),
        ..Config::default()
    };
    let (cache, origin) = (Cache::open(&config).await.unwrap(), origin().await);
    let client = cache.client(ServiceName::new("kitsu"));
    until_hit(&client, &origin, "/200/anime").await;
    server.stop();
    assert_eq!(get(&client, &origin, "/200/anime").await, CacheOutcome::Miss);
    cache.close().await;
    Cache::open(&config).await.err().expect("neither can be opened");
}
