//! A server that replies late or never, behind a network that delays or loses packets.

use std::time::Duration;

use cache_core::{Cache, CacheOutcome, Config, RedisUrl, ServiceName};
use futures_util::StreamExt as _;

use crate::proxy::{Mode, Proxy};
use crate::redis_server::RedisServer;
use crate::{DEADLINE, PATIENCE, assert_whole, compute, get, origin, over, until_hit};

/// A cache behind a proxy. The driver's own timeouts are much longer: the store timeout of the cache counts.
async fn behind_proxy() -> (Proxy, Cache, String) {
    let url = RedisServer::fresh_database();
    let (address, database) = url.strip_prefix("redis://").and_then(|rest| rest.split_once('/')).unwrap();
    let proxy = Proxy::start(address.to_owned()).await;
    let config = Config {
        redis_url: RedisUrl::new(format!("redis://{}/{database}", proxy.address())),
        redis_timeout: Duration::from_secs(600),
        redis_connect_timeout: Duration::from_secs(600),
        store_timeout: PATIENCE,
        services: crate::fixed_ttl::fixed_ttl(),
        ..Config::default()
    };
    (proxy, over(&config), url)
}

/// None of this waits for the driver's own timeouts.
async fn soon<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(DEADLINE, what).await.expect("nobody waits for a store that does not answer")
}

#[tokio::test]
async fn a_stalled_server_makes_misses_until_it_resumes() {
    for mode in [Mode::Stall, Mode::Delay(PATIENCE * 3), Mode::Cut] {
        let (proxy, cache, _) = behind_proxy().await;
        let origin = origin().await;
        let client = cache.client(ServiceName::new("jikan"));
        until_hit(&client, &origin, "/200/anime").await;
        let before = origin.count();
        proxy.set(mode);
        soon(async {
            for number in 0..20 {
                assert_eq!(get(&client, &origin, "/200/anime").await, CacheOutcome::Miss, "{mode:?}");
                compute(&cache, number).await;
            }
        })
        .await;
        assert_eq!(origin.count(), before + 20);
        proxy.set(Mode::Pass);
        until_hit(&client, &origin, "/200/anime").await;
        soon(cache.close()).await;
    }
}

#[tokio::test]
async fn an_invalidation_survives_a_stalled_server() {
    let (proxy, _, url) = behind_proxy().await;
    let config = Config {
        redis_url: RedisUrl::new(format!("redis://{}/{}", proxy.address(), url.rsplit('/').next().unwrap())),
        store_timeout: PATIENCE,
        ..Config::default()
    };
    let client = over(&config).client(ServiceName::new("jikan"));
    let origin = origin().await;
    until_hit(&client, &origin, "/200/doc").await;
    let old = client.get(origin.url("/200/doc")).send().await.unwrap().bytes().await.unwrap();
    proxy.set(Mode::Stall);
    soon(client.post(origin.url("/200/doc")).send()).await.unwrap();
    proxy.set(Mode::Pass);
    for _ in 0..10 {
        let now = client.get(origin.url("/200/doc")).send().await.unwrap().bytes().await.unwrap();
        assert_ne!(now, old);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    until_hit(&client, &origin, "/200/doc").await;
    let other = over(&Config { redis_url: RedisUrl::new(url), ..Config::default() }).client(ServiceName::new("jikan"));
    let of_other = other.get(origin.url("/200/doc")).send().await.unwrap();
    assert_eq!(of_other.cache_status().from, CacheOutcome::Hit);
    assert_ne!(of_other.bytes().await.unwrap(), old);
}

#[tokio::test]
async fn a_silently_dead_connection_is_replaced() {
    let (proxy, cache, _) = behind_proxy().await;
    let origin = origin().await;
    let client = cache.client(ServiceName::new("jikan"));
    until_hit(&client, &origin, "/200/anime").await;
    proxy.strand();
    soon(async {
        for _ in 0..20 {
            get(&client, &origin, "/200/anime").await;
        }
    })
    .await;
    until_hit(&client, &origin, "/200/anime").await;
}

#[tokio::test]
async fn a_server_that_is_slow_to_accept_is_used_once_it_does() {
    let (proxy, cache, _) = behind_proxy().await;
    proxy.set(Mode::Late(PATIENCE * 4));
    let origin = origin().await;
    let client = cache.client(ServiceName::new("jikan"));
    until_hit(&client, &origin, "/200/anime").await;
    assert_eq!(proxy.accepted(), 1, "who gives up waiting leaves the connection to the next");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stalled_stored_body_is_refetched() {
    for mode in [Mode::Stall, Mode::Cut] {
        let (proxy, cache, _) = behind_proxy().await;
        // The body is the same for every request.
        let origin =
            crate::origin::Origin::start(|seen| crate::origin::response(200, &[], crate::body(&seen.target, 0))).await;
        let client = cache.client(ServiceName::new("jikan"));
        let target = "/3500000/picture";
        until_hit(&client, &origin, target).await;
        let before = origin.count();
        let fetched = client.get(origin.url(target)).send().await.unwrap();
        assert_eq!(fetched.cache_status().from, CacheOutcome::Hit);
        let mut pieces = fetched.into_body();
        let mut whole = pieces.next().await.unwrap().unwrap().to_vec();
        proxy.set(mode);
        soon(async {
            while let Some(piece) = pieces.next().await {
                whole.extend_from_slice(&piece.expect("the rest comes from the origin"));
            }
        })
        .await;
        assert_whole(target, &whole);
        assert_eq!(origin.count(), before + 1, "{mode:?}");
    }
}

#[tokio::test]
async fn no_task_outlives_a_dropped_cache() {
    let tasks = tokio::runtime::Handle::current().metrics();
    for mode in [Mode::Pass, Mode::Stall, Mode::Cut] {
        for closes in [true, false] {
            let before = tasks.num_alive_tasks();
            let (proxy, cache, _) = behind_proxy().await;
            let origin = origin().await;
            let client = cache.client(ServiceName::new("jikan"));
            until_hit(&client, &origin, "/200/anime").await;
            // One body is being stored, one call waits for the store, and the breaker may be open.
            let fetched = client.get(origin.url("/3500000/picture")).send().await.unwrap();
            let mut pieces = fetched.into_body();
            pieces.next().await.unwrap().unwrap();
            proxy.set(mode);
            for number in 0..5 {
                compute(&cache, number).await;
            }
            if closes {
                soon(cache.close()).await;
            } else {
                drop(cache);
            }
            drop((client, pieces));
            // The proxy's end of the connections ends with ours.
            drop((proxy, origin));
            soon(async {
                while tasks.num_alive_tasks() > before {
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
            })
            .await;
        }
    }
}
