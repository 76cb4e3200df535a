//! Overrides of one request: set by code, never by header fields.

use std::time::Duration;

use bytes::Bytes;
use cache_core::{Cache, CacheOutcome, CachedResponse, Headers, Overrides, PolicyKind, RequestBuilder, ServiceName};
use rstest::rstest;

use crate::cache;
use crate::origin::{Origin, response};

const TTL: Duration = Duration::from_secs(600);

fn request(cache: &Cache, url: &str) -> RequestBuilder {
    cache.client(ServiceName::new("jikan")).get(url)
}

async fn get(cache: &Cache, url: &str) -> CachedResponse {
    request(cache, url).send().await.unwrap()
}

/// Fetches and reads to the end; returns the source and the body.
async fn read(request: RequestBuilder) -> (CacheOutcome, String) {
    let fetched = request.send().await.unwrap();
    (fetched.cache_status().from, fetched.text().await.unwrap())
}

#[rstest]
#[case(PolicyKind::FixedTtl)]
#[case(PolicyKind::Rfc9111)]
#[case(PolicyKind::Shared)]
#[tokio::test]
async fn header_fields_override_nothing(#[case] policy: PolicyKind) {
    let sent = [
        ("x-hishel-ttl", "1000000000000"),
        ("x-hishel-spec-ignore", "1"),
        ("x-hishel-refresh-ttl-on-access", "true"),
        ("x-hishel-body-key", "yes"),
    ];
    let origin = Origin::start(|seen| {
        let fields = [("Cache-Control", "max-age=60"), ("Vary", "Cookie")];
        response(200, &fields, seen.field("cookie").unwrap_or_default())
    })
    .await;
    let (cache, url) = (cache(policy), origin.url("/"));
    let mut request = request(&cache, &url).header("Cookie", "user=alice");
    for (name, value) in sent {
        request = request.header(name, value);
    }
    let fetched = request.send().await.unwrap();
    let key = fetched.cache_status().cache_key.clone();
    fetched.bytes().await.unwrap();
    let seen = origin.seen().pop().unwrap();
    assert!(sent.iter().all(|(name, value)| seen.field(name).as_deref() == Some(value)), "{:?}", seen.fields);
    let found = cache.store().lookup(&key, None).await.unwrap();
    assert_eq!(found.len(), 1);
    assert!(found[0].expires_at.unwrap() < cache_core::clock::now() + 8.0 * 86_400.0);
    assert_eq!(found[0].entry.request.headers.get("x-hishel-ttl"), Some("1000000000000"));
    assert_eq!(found[0].entry.request.extra.ttl(), None);
    assert_eq!(get(&cache, &url).await.cache_status().cache_key, key);
}

#[tokio::test]
async fn header_fields_reveal_no_response_of_another_user() {
    let origin = Origin::start(|seen| {
        let fields = [("Cache-Control", "max-age=60"), ("Vary", "Cookie")];
        response(200, &fields, [&seen.body[..], seen.field("cookie").unwrap_or_default().as_bytes()].concat())
    })
    .await;
    let (cache, url) = (cache(PolicyKind::Shared), origin.url("/"));
    assert_eq!(read(request(&cache, &url).header("Cookie", "user=alice")).await.1, "user=alice");
    let other = request(&cache, &url).header("Cookie", "user=bob").header("X-Hishel-Spec-Ignore", "1");
    assert_eq!(read(other).await, (CacheOutcome::Miss, "user=bob".into()));
    for body in ["a", "b"] {
        let post = cache.client(ServiceName::new("jikan")).post(&url).data(body).header("X-Hishel-Spec-Ignore", "1");
        assert_eq!(read(post).await.1, body);
    }
}

#[tokio::test]
async fn shared_cache_ignores_the_override_of_rfc_9111() {
    let origin = Origin::start(|_| response(200, &[("Cache-Control", "private, max-age=60")], "x")).await;
    let (cache, url) = (cache(PolicyKind::Shared), origin.url("/"));
    for _ in 0..2 {
        assert_eq!(read(request(&cache, &url).ignore_rfc9111()).await, (CacheOutcome::Miss, "x".into()));
    }
}

#[rstest]
#[case(PolicyKind::FixedTtl)]
#[case(PolicyKind::Rfc9111)]
#[tokio::test]
async fn override_sets_the_ttl_of_the_response(#[case] policy: PolicyKind) {
    let origin = Origin::start(|_| response(200, &[("Cache-Control", "max-age=9000")], "x")).await;
    let cache = cache(policy);
    read(request(&cache, &origin.url("/")).ttl(TTL)).await;
    let hit = get(&cache, &origin.url("/")).await;
    assert_eq!(hit.cache_status().from, CacheOutcome::Hit);
    let left = hit.cache_status().ttl_left.unwrap();
    assert!((590.0..=600.0).contains(&left), "{left}");
}

#[tokio::test]
async fn overrides_are_an_extension_of_a_fetched_request() {
    let origin = Origin::start(|_| response(200, &[("Cache-Control", "no-store")], "x")).await;
    let client = cache(PolicyKind::Rfc9111).client(ServiceName::new("jikan"));
    for expected in [CacheOutcome::Miss, CacheOutcome::Hit] {
        let mut request = http::Request::get(origin.url("/")).body(Bytes::new()).unwrap();
        request.extensions_mut().insert(Overrides::new().ignore_rfc9111().ttl(TTL));
        let fetched = client.fetch(request).await.unwrap();
        assert_eq!(fetched.cache_status().from, expected);
        fetched.bytes().await.unwrap();
    }
}

#[tokio::test]
async fn hit_renews_the_ttl_unless_overridden() {
    let origin = Origin::start(|_| response(200, &[], "x")).await;
    let cache = cache(PolicyKind::FixedTtl);
    let url = origin.url("/");
    read(request(&cache, &url)).await;
    let id = get(&cache, &url).await.cache_status().entry.clone().unwrap();
    cache.store().expire(&[id], Some(Duration::from_secs(100))).await.unwrap();

    let left = async |refreshes| {
        let fetched = request(&cache, &url).refresh_on_access(refreshes).send().await.unwrap();
        fetched.cache_status().ttl_left.unwrap()
    };
    let kept = left(false).await;
    assert!(kept <= 100.0, "{kept}");
    let refreshed = left(true).await;
    assert!(refreshed > 86_000.0, "{refreshed}");
}

#[tokio::test]
async fn hit_renews_the_ttl_of_the_override() {
    let origin = Origin::start(|_| response(200, &[], "x")).await;
    let cache = cache(PolicyKind::FixedTtl);
    let url = origin.url("/");
    read(request(&cache, &url).ttl(TTL)).await;
    let unchanged = async || request(&cache, &url).refresh_on_access(false).send().await.unwrap();
    let id = unchanged().await.cache_status().entry.clone().unwrap();
    cache.store().expire(&[id], Some(Duration::from_secs(100))).await.unwrap();

    let kept = unchanged().await.cache_status().ttl_left.unwrap();
    assert!(kept <= 100.0, "{kept}");
    get(&cache, &url).await;
    let refreshed = unchanged().await.cache_status().ttl_left.unwrap();
    assert!((500.0..=600.0).contains(&refreshed), "{refreshed}");
}

#[tokio::test]
async fn what_ignores_rfc_9111_has_a_key_of_its_own() {
    let origin = Origin::start(|seen| {
        let fields = [("Cache-Control", if seen.number < 2 { "no-store" } else { "max-age=60" })];
        response(200, &fields, seen.number.to_string())
    })
    .await;
    let cache = cache(PolicyKind::Rfc9111);
    let (plain, ignoring) =
        (|| request(&cache, &origin.url("/")), || request(&cache, &origin.url("/")).ignore_rfc9111());
    assert_eq!(read(plain()).await, (CacheOutcome::Miss, "0".into()));
    assert_eq!(read(ignoring()).await, (CacheOutcome::Miss, "1".into()));
    assert_eq!(read(ignoring()).await, (CacheOutcome::Hit, "1".into()));
    assert_eq!(read(plain()).await, (CacheOutcome::Miss, "2".into()));
    assert_eq!(read(plain()).await, (CacheOutcome::Hit, "2".into()));
    assert_eq!(read(ignoring()).await, (CacheOutcome::Hit, "1".into()));
}

#[tokio::test]
async fn ignoring_rfc_9111_stores_no_credentials_or_hop_by_hop_fields() {
    let fields = [("Connection", "X-Hop"), ("X-Hop", "1"), ("Keep-Alive", "timeout=5"), ("X-Own", "1")];
    let origin = Origin::start(move |_| response(200, &fields, "body")).await;
    let cache = cache(PolicyKind::Rfc9111);
    let request = request(&cache, &origin.url("/")).ignore_rfc9111().header("Accept", "*/*");
    let request = request.header("Authorization", "Bearer hunter2").header("Cookie", "session=1");
    let fetched = request.send().await.unwrap();
    let key = fetched.cache_status().cache_key.clone();
    fetched.bytes().await.unwrap();
    assert_eq!(origin.seen()[0].field("authorization").as_deref(), Some("Bearer hunter2"));
    let found = cache.store().lookup(&key, None).await.unwrap();
    let names = |headers: &Headers| headers.iter().map(|(name, _)| name.to_owned()).collect::<Vec<_>>();
    assert_eq!(names(&found[0].entry.request.headers), ["accept"]);
    assert_eq!(names(&found[0].entry.response.headers), ["x-own", "content-length"]);
}

#[rstest]
#[tokio::test]
async fn fixed_ttl_does_not_share_responses_to_credentials(#[values("Authorization", "Cookie")] field: &str) {
    let origin = Origin::start(|seen| response(200, &[], seen.number.to_string())).await;
    let mut config = crate::settings(PolicyKind::FixedTtl);
    config.services.get_mut(ServiceName::OTHER).is_shared_by_all = false;
    let cache = Cache::with_store(std::sync::Arc::new(cache_core::Memory::default()), &config);
    let with = || request(&cache, &origin.url("/")).header(field, "alice");
    assert_eq!(read(with()).await, (CacheOutcome::Bypass, "0".into()));
    assert_eq!(read(request(&cache, &origin.url("/"))).await, (CacheOutcome::Miss, "1".into()));
    assert_eq!(read(with()).await, (CacheOutcome::Bypass, "2".into()));
    assert_eq!(read(request(&cache, &origin.url("/"))).await, (CacheOutcome::Hit, "1".into()));
}

#[rstest]
#[case::part("Range", "bytes=0-1", 206)]
#[case::condition("If-None-Match", "\"a\"", 304)]
#[tokio::test]
async fn ignoring_rfc_9111_stores_no_part_as_the_whole(
    #[case] field: &'static str,
    #[case] value: &str,
    #[case] status: u16,
) {
    let origin = Origin::start(move |seen| match seen.field(&field.to_lowercase()) {
        Some(_) if status == 206 => response(206, &[("Content-Range", "bytes 0-1/5")], "wh"),
        Some(_) => response(304, &[("ETag", "\"a\"")], ""),
        None => response(200, &[("ETag", "\"a\"")], "whole"),
    })
    .await;
    let cache = cache(PolicyKind::Rfc9111);
    let ignoring = || request(&cache, &origin.url("/")).ignore_rfc9111();
    assert_eq!(ignoring().header(field, value).send().await.unwrap().status(), status);
    assert_eq!(read(ignoring()).await, (CacheOutcome::Miss, "whole".into()));
}

#[tokio::test]
async fn ignoring_rfc_9111_does_not_mix_requests() {
    let origin = Origin::start(|seen| response(200, &[], [seen.method.as_bytes(), b" ", &seen.body].concat())).await;
    let client = cache(PolicyKind::Rfc9111).client(ServiceName::new("jikan"));
    for _ in 0..2 {
        for (method, body) in [("GET", ""), ("POST", "one"), ("POST", "two")] {
            let request = client.request(method.parse().unwrap(), origin.url("/")).data(body).ignore_rfc9111();
            assert_eq!(request.send().await.unwrap().text().await.unwrap(), format!("{method} {body}"));
        }
    }
    assert_eq!(origin.count(), 3);
    let delete = || client.request(http::Method::DELETE, origin.url("/")).ignore_rfc9111().send();
    assert_eq!(delete().await.unwrap().cache_status().from, CacheOutcome::Bypass);
}
