//! Disabled caches and unavailable stores: every request goes to the origin, and none fails.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use cache_core::{
    BodyStream, Cache, CacheOutcome, Config, Filter, Memory, PolicyKind, Redis, RedisUrl, RequestTimeout, ServiceName,
    Transport, TransportError,
};
use rstest::rstest;

use crate::origin::{Origin, response};
use crate::redis_server::RedisServer;
use crate::settings;

#[rstest]
#[case(PolicyKind::FixedTtl)]
#[case(PolicyKind::Rfc9111)]
#[tokio::test]
async fn disabled_cache_neither_reads_nor_stores(#[case] policy: PolicyKind) {
    let origin = Origin::start(|_| response(200, &[("Cache-Control", "max-age=60")], "x")).await;
    let config = Config { enabled: false, ..settings(policy) };
    let cache = Cache::with_store(Arc::new(Memory::new(config.services.clone())), &config);
    for _ in 0..2 {
        let request = cache.client(ServiceName::new("jikan")).get(origin.url("/")).ttl(Duration::from_secs(60));
        let fetched = request.send().await.unwrap();
        assert_eq!(fetched.cache_status().from, CacheOutcome::Bypass);
        assert_eq!(fetched.text().await.unwrap(), "x");
    }
    assert_eq!(origin.count(), 2);
    let page = cache.store().scan(&Filter::default(), None, 10).await.unwrap();
    assert!(page.entries.is_empty());
}

#[tokio::test]
async fn response_to_url_credentials_is_not_stored_under_rfc_9111() {
    let origin = Origin::start(|_| response(200, &[("Cache-Control", "max-age=60")], "x")).await;
    let cache = crate::cache(PolicyKind::Shared);
    let url = origin.url("/").replace("//", "//user:hunter2@");
    for _ in 0..2 {
        let fetched = cache.client(ServiceName::new("jikan")).get(&url).send().await.unwrap();
        assert_eq!(fetched.cache_status().from, CacheOutcome::Bypass);
        fetched.bytes().await.unwrap();
    }
    assert!(origin.seen()[1].field("authorization").unwrap().starts_with("Basic "));
    assert!(cache.store().scan(&Filter::default(), None, 10).await.unwrap().entries.is_empty());
}

#[tokio::test]
async fn unreachable_redis_makes_misses() {
    let origin = Origin::start(|_| response(200, &[], "x")).await;
    let server = RedisServer::start("");
    let url = format!("redis://{}/0", server.address());
    let _gone = server.stop();
    let config = Config { redis_url: RedisUrl::new(url), ..Config::default() };
    let cache = Cache::with_store(Arc::new(Redis::new(&config).unwrap()), &config);
    for _ in 0..3 {
        let fetched = cache.client(ServiceName::new("jikan")).get(origin.url("/")).send().await.unwrap();
        assert_eq!(fetched.cache_status().from, CacheOutcome::Miss);
        assert_eq!(fetched.text().await.unwrap(), "x");
    }
    assert_eq!(origin.count(), 3);
}

#[tokio::test]
async fn unreachable_origin_is_an_error() {
    let origin = Origin::start(|_| response(200, &[], "x")).await;
    let url = origin.url("/");
    drop(origin);
    let error = crate::cache(PolicyKind::FixedTtl).client(ServiceName::new("jikan")).get(url).send().await.unwrap_err();
    assert!(error.is_connect(), "{error:?}");
    assert!(!error.is_timeout());
}

#[tokio::test]
async fn silent_origin_is_a_timeout() {
    let never = Arc::new(tokio::sync::Semaphore::new(0));
    let origin = Origin::start(move |_| vec![crate::origin::Step::Await(Arc::clone(&never))]).await;
    let request = crate::cache(PolicyKind::FixedTtl).client(ServiceName::new("jikan")).get(origin.url("/"));
    let error = request.timeout(Duration::from_millis(50)).send().await.unwrap_err();
    assert!(error.is_timeout(), "{error:?}");
}

#[tokio::test]
async fn errors_do_not_reveal_secrets_of_a_url() {
    let origin = Origin::start(|_| response(200, &[], "x")).await;
    let url = origin.url("/?token=hunter2").replace("//", "//user:hunter3@");
    drop(origin);
    let error = crate::cache(PolicyKind::FixedTtl).client(ServiceName::new("jikan")).get(url).send().await.unwrap_err();
    let message = format!("{error} {error:?} {}", cache_core::error_chain(&error));
    assert!(!message.contains("hunter"), "{message}");
}

/// An extension for a transport of one's own.
#[derive(Clone)]
struct Own(u8);

/// Fails with the extensions that it receives.
struct Extensions;

#[async_trait]
impl Transport for Extensions {
    async fn send(&self, request: http::Request<Bytes>) -> Result<http::Response<BodyStream>, TransportError> {
        let extensions = request.extensions();
        let timeout = extensions.get::<RequestTimeout>().map(|RequestTimeout(time)| time.as_secs());
        let own = extensions.get::<Own>().map(|Own(value)| *value);
        Err(TransportError::broken(format!("{timeout:?} {own:?}")))
    }
}

#[rstest]
#[tokio::test]
async fn fetch_hands_extensions_to_the_transport(
    #[values(PolicyKind::FixedTtl, PolicyKind::Rfc9111)] policy: PolicyKind,
) {
    let cache = crate::cache(policy).http(ServiceName::new("jikan"), Arc::new(Extensions));
    let mut request = http::Request::get("http://127.0.0.1:1/").body(Bytes::new()).unwrap();
    request.extensions_mut().insert(RequestTimeout(Duration::from_secs(7)));
    request.extensions_mut().insert(Own(3));
    let error = cache.fetch(request).await.unwrap_err();
    assert!(cache_core::error_chain(&error).ends_with("Some(7) Some(3)"), "{}", cache_core::error_chain(&error));
}
