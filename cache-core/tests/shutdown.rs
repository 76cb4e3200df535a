//! The resources of a cache: one connection, and no task, thread, connection, open file or lease outlives it.

#![allow(clippy::unwrap_used)]

#[path = "harness/fixed_ttl.rs"]
mod fixed_ttl;
#[path = "harness/origin.rs"]
mod origin;
#[path = "harness/redis_server.rs"]
mod redis_server;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use cache_core::{Cache, Call, Config, RedisUrl, ServiceName, Storage};
use futures_util::StreamExt as _;
use origin::{Origin, Step, head, response};
use redis_server::RedisServer;
use rstest::rstest;
use tokio::runtime::Handle;
use tokio::sync::Semaphore;

#[derive(Clone, Copy, PartialEq)]
enum On {
    Redis,
    Sqlite,
    /// Redis with SQLite as fallback.
    Fallback,
}

#[derive(Clone, Copy)]
enum End {
    Close,
    Drop,
}

async fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let limit = tokio::time::Instant::now() + Duration::from_secs(10);
    while !is_so() {
        assert!(tokio::time::Instant::now() < limit, "{what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// The number of connections to the server, except this one.
fn clients(connection: &mut redis::Connection) -> usize {
    let list: String = redis::cmd("CLIENT").arg("LIST").query(connection).unwrap();
    list.lines().count() - 1
}

fn has_open(directory: &Path) -> bool {
    let open = std::fs::read_dir("/proc/self/fd").unwrap();
    open.flatten().filter_map(|fd| std::fs::read_link(fd.path()).ok()).any(|file| file.starts_with(directory))
}

fn has_sqlite_thread() -> bool {
    let threads = std::fs::read_dir("/proc/self/task").unwrap();
    let name = |thread: std::fs::DirEntry| std::fs::read_to_string(thread.path().join("comm")).unwrap_or_default();
    threads.flatten().any(|thread| name(thread).trim() == "sqlite")
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn nothing_outlives_its_cache(
    #[values(On::Redis, On::Sqlite, On::Fallback)] on: On,
    #[values(End::Close, End::Drop)] end: End,
) {
    let directory = tempfile::tempdir().unwrap();
    let server = RedisServer::start("");
    let url = format!("redis://{}/0", server.address());
    let mut connection = redis::Client::open(url.as_str()).unwrap().get_connection().unwrap();
    // An origin with responses that never end.
    let never = Arc::new(Semaphore::new(0));
    let gate = Arc::clone(&never);
    let origin = Origin::start(move |_| {
        let beginning = [head(200, &[("content-length", "20000000")]), vec![b'x'; 4_000_000]].concat();
        vec![Step::Send(beginning), Step::Await(Arc::clone(&gate))]
    })
    .await;
    let tasks_before = Handle::current().metrics().num_alive_tasks();

    let config = Config {
        storage: if on == On::Sqlite { Storage::Sqlite } else { Storage::Redis },
        redis_url: RedisUrl::new(url),
        sqlite: directory.path().to_owned(),
        services: fixed_ttl::fixed_ttl(),
        ..Config::default()
    };
    let cache = Cache::open(&config).await.unwrap();
    let call = Call::new("p", "0123456789abcdef").argument(1);
    cache.results().get_or_compute(&call, async || Some(1)).await;
    // A response in progress, a fetch that others wait for, and a waiter.
    let url = origin.url("/");
    let mut body = cache.client(ServiceName::new("jikan")).get(url.clone()).send().await.unwrap().into_body();
    body.next().await.unwrap().unwrap();
    let mut slow = tokio::task::JoinSet::new();
    for _ in 0..2 {
        let results = cache.results();
        slow.spawn(async move {
            let call = Call::new("slow", "0123456789abcdef").argument(1);
            results.get_or_compute(&call, std::future::pending::<Option<u8>>).await
        });
    }
    tokio::task::yield_now().await;
    assert!(Handle::current().metrics().num_alive_tasks() > tasks_before + 2);

    slow.shutdown().await;
    drop(body);
    match end {
        End::Close => cache.close().await,
        End::Drop => drop(cache),
    }
    drop(origin);
    eventually("a task lives on", || Handle::current().metrics().num_alive_tasks() == 0).await;
    eventually("a thread lives on", || !has_sqlite_thread()).await;
    eventually("a file is open", || !has_open(directory.path())).await;
    eventually("a connection is open", || clients(&mut connection) == 0).await;
    let claims: Vec<String> = redis::cmd("KEYS").arg("animecache:claim:*").query(&mut connection).unwrap();
    assert_eq!(claims, [""; 0], "a claim is left");
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_results_and_counters_share_one_connection() {
    let server = RedisServer::start("");
    let url = format!("redis://{}/0", server.address());
    let mut connection = redis::Client::open(url.as_str()).unwrap().get_connection().unwrap();
    let directory = tempfile::tempdir().unwrap();
    let config = Config {
        redis_url: RedisUrl::new(url),
        sqlite: directory.path().to_owned(),
        services: fixed_ttl::fixed_ttl(),
        ..Config::default()
    };
    let cache = Cache::open(&config).await.unwrap();
    let origin = Origin::start(|seen| response(200, &[], &seen.target)).await;
    let mut callers = tokio::task::JoinSet::new();
    for caller in 0..20_usize {
        let (cache, url) = (cache.clone(), origin.url(&format!("/{caller}")));
        callers.spawn(async move {
            let client = cache.client(if caller.is_multiple_of(2) {
                ServiceName::new("jikan")
            } else {
                ServiceName::new("kitsu")
            });
            client.get(url).send().await.unwrap().bytes().await.unwrap();
            let call = Call::new("p", "0123456789abcdef").argument(caller);
            cache.results().get_or_compute(&call, async || Some(1)).await;
        });
    }
    callers.join_all().await;
    eventually("nothing is counted", || {
        let keys: Vec<String> = redis::cmd("KEYS").arg("animecache:{counters}:*").query(&mut connection).unwrap();
        !keys.is_empty()
    })
    .await;
    assert_eq!(clients(&mut connection), 1);
    let stats: String = redis::cmd("INFO").arg("stats").query(&mut connection).unwrap();
    assert!(stats.contains("total_connections_received:2\r\n"), "there was never another one: {stats}");
}
