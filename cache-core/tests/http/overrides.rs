//! hishel's request overrides (`X-Hishel-…`).

use std::time::Duration;

use cache_core::{Cache, CacheOutcome, CachedResponse, Headers, PolicyKind, ServiceName, hishel1_key};
use rstest::rstest;

use crate::cache;
use crate::origin::{Origin, Seen, response};

const TTL: &str = "X-Hishel-Ttl";
const SPEC_IGNORE: &str = "X-Hishel-Spec-Ignore";
const REFRESH: &str = "X-Hishel-Refresh-Ttl-On-Access";
const BODY_KEY: &str = "X-Hishel-Body-Key";

async fn get(cache: &Cache, url: &str, fields: &[(&str, &str)]) -> CachedResponse {
    let mut request = cache.client(ServiceName::new("jikan")).get(url);
    for (name, value) in fields {
        request = request.header(name, value);
    }
    request.send().await.unwrap()
}

/// Fetches and reads to the end; returns the source and the body.
async fn read(cache: &Cache, url: &str, fields: &[(&str, &str)]) -> (CacheOutcome, String) {
    let fetched = get(cache, url, fields).await;
    (fetched.cache_status().from, fetched.text().await.unwrap())
}

fn ours(seen: &Seen) -> Vec<&(String, Vec<u8>)> {
    seen.fields.iter().filter(|(name, _)| name.starts_with("x-hishel")).collect()
}

#[rstest]
#[case(PolicyKind::FixedTtl)]
#[case(PolicyKind::Rfc9111)]
#[tokio::test]
async fn overrides_are_neither_sent_nor_stored(#[case] policy: PolicyKind) {
    let origin = Origin::start(|_| response(200, &[("Cache-Control", "max-age=60")], "x")).await;
    let cache = cache(policy);
    let fields = [(TTL, "600"), (SPEC_IGNORE, "false"), (REFRESH, "true"), (BODY_KEY, "no"), ("X-Own", "1")];
    let fetched = get(&cache, &origin.url("/"), &fields).await;
    let key = fetched.cache_status().cache_key.clone();
    fetched.bytes().await.unwrap();

    assert_eq!(ours(&origin.seen()[0]), Vec::<&(String, Vec<u8>)>::new());
    assert_eq!(origin.seen()[0].field("x-own").as_deref(), Some("1"));
    let found = cache.store().lookup(&key, None).await.unwrap();
    assert!(found[0].entry.request.headers.iter().all(|(name, _)| !name.starts_with("x-hishel")));
    assert_eq!(found[0].entry.request.extra.ttl(), Some(600.0));
}

#[rstest]
#[case(PolicyKind::FixedTtl)]
#[case(PolicyKind::Rfc9111)]
#[tokio::test]
async fn ttl_override_sets_the_ttl_of_the_response(#[case] policy: PolicyKind) {
    let origin = Origin::start(|_| response(200, &[("Cache-Control", "max-age=9000")], "x")).await;
    let cache = cache(policy);
    read(&cache, &origin.url("/"), &[(TTL, "600")]).await;
    let hit = get(&cache, &origin.url("/"), &[]).await;
    assert_eq!(hit.cache_status().from, CacheOutcome::Hit);
    let left = hit.cache_status().ttl_left.unwrap();
    assert!((590.0..=600.0).contains(&left), "{left}");
}

#[tokio::test]
async fn hit_renews_the_ttl_unless_overridden() {
    let origin = Origin::start(|_| response(200, &[], "x")).await;
    let cache = cache(PolicyKind::FixedTtl);
    let url = origin.url("/");
    read(&cache, &url, &[]).await;
    let id = get(&cache, &url, &[]).await.cache_status().entry.clone().unwrap();
    cache.store().expire(&[id], Some(Duration::from_secs(100))).await.unwrap();

    let kept = get(&cache, &url, &[(REFRESH, "false")]).await.cache_status().ttl_left.unwrap();
    assert!(kept <= 100.0, "{kept}");
    let refreshed = get(&cache, &url, &[]).await.cache_status().ttl_left.unwrap();
    assert!(refreshed > 86_000.0, "{refreshed}");
}

#[tokio::test]
async fn hit_renews_the_ttl_of_the_override() {
    let origin = Origin::start(|_| response(200, &[], "x")).await;
    let cache = cache(PolicyKind::FixedTtl);
    let url = origin.url("/");
    read(&cache, &url, &[(TTL, "600")]).await;
    let id = get(&cache, &url, &[(REFRESH, "false")]).await.cache_status().entry.clone().unwrap();
    cache.store().expire(&[id], Some(Duration::from_secs(100))).await.unwrap();

    let kept = get(&cache, &url, &[(REFRESH, "false")]).await.cache_status().ttl_left.unwrap();
    assert!(kept <= 100.0, "{kept}");
    get(&cache, &url, &[]).await;
    let refreshed = get(&cache, &url, &[(REFRESH, "false")]).await.cache_status().ttl_left.unwrap();
    assert!((500.0..=600.0).contains(&refreshed), "{refreshed}");
}

#[tokio::test]
async fn one_request_can_ignore_rfc_9111() {
    let origin = Origin::start(|seen| response(200, &[("Cache-Control", "no-store")], seen.number.to_string())).await;
    let cache = cache(PolicyKind::Rfc9111);
    let url = origin.url("/");
    assert_eq!(read(&cache, &url, &[]).await, (CacheOutcome::Miss, "0".into()));
    assert_eq!(read(&cache, &url, &[(SPEC_IGNORE, "1")]).await, (CacheOutcome::Miss, "1".into()));
    assert_eq!(read(&cache, &url, &[(SPEC_IGNORE, "true")]).await, (CacheOutcome::Hit, "1".into()));
    assert_eq!(get(&cache, &url, &[(SPEC_IGNORE, "on")]).await.cache_status().cache_key, hishel1_key(url.as_bytes()));
}

#[tokio::test]
async fn ignoring_rfc_9111_stores_no_credentials_or_hop_by_hop_fields() {
    let fields = [("Connection", "X-Hop"), ("X-Hop", "1"), ("Keep-Alive", "timeout=5"), ("X-Own", "1")];
    let origin = Origin::start(move |_| response(200, &fields, "body")).await;
    let cache = cache(PolicyKind::Rfc9111);
    let sent = [(SPEC_IGNORE, "1"), ("Authorization", "Bearer hunter2"), ("Cookie", "session=1"), ("Accept", "*/*")];
    let fetched = get(&cache, &origin.url("/"), &sent).await;
    let key = fetched.cache_status().cache_key.clone();
    fetched.bytes().await.unwrap();
    assert_eq!(origin.seen()[0].field("authorization").as_deref(), Some("Bearer hunter2"));
    let found = cache.store().lookup(&key, None).await.unwrap();
    let names = |headers: &Headers| headers.iter().map(|(name, _)| name.to_owned()).collect::<Vec<_>>();
    assert_eq!(names(&found[0].entry.request.headers), ["accept"]);
    assert_eq!(names(&found[0].entry.response.headers), ["x-own", "content-length"]);
}

#[tokio::test]
async fn response_that_varies_by_a_credential_is_not_stored() {
    let fields = [("Cache-Control", "max-age=60"), ("Vary", "Accept, Cookie")];
    let origin = Origin::start(move |seen| response(200, &fields, seen.field("cookie").unwrap_or_default())).await;
    let cache = cache(PolicyKind::Rfc9111);
    let url = origin.url("/");
    assert_eq!(read(&cache, &url, &[(SPEC_IGNORE, "1"), ("Cookie", "a=1")]).await.1, "a=1");
    assert_eq!(read(&cache, &url, &[]).await, (CacheOutcome::Miss, String::new()));
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
    assert_eq!(get(&cache, &origin.url("/"), &[(SPEC_IGNORE, "1"), (field, value)]).await.status(), status);
    assert_eq!(read(&cache, &origin.url("/"), &[(SPEC_IGNORE, "1")]).await, (CacheOutcome::Miss, "whole".into()));
}

#[tokio::test]
async fn ignoring_rfc_9111_does_not_mix_methods() {
    let origin = Origin::start(|seen| response(200, &[], seen.method.as_str())).await;
    let client = cache(PolicyKind::Rfc9111).client(ServiceName::new("jikan"));
    for _ in 0..2 {
        for method in ["GET", "POST"] {
            let request = client.request(method.parse().unwrap(), origin.url("/")).header(SPEC_IGNORE, "1");
            assert_eq!(request.send().await.unwrap().text().await.unwrap(), method);
        }
    }
    assert_eq!(origin.count(), 2);
}

#[tokio::test]
async fn body_can_be_the_key() {
    let origin = Origin::start(|seen| response(200, &[], [seen.target.as_bytes(), b" ", &seen.body].concat())).await;
    let cache = cache(PolicyKind::Rfc9111);
    let client = cache.client(ServiceName::new("jikan"));
    for _ in 0..2 {
        for (path, body) in [("/a", "one"), ("/a", "two"), ("/b", "one")] {
            let request = client.post(origin.url(path)).data(body).header(BODY_KEY, "true").header(SPEC_IGNORE, "true");
            let fetched = request.send().await.unwrap();
            assert_eq!(fetched.cache_status().cache_key, hishel1_key(body.as_bytes()));
            assert_eq!(fetched.text().await.unwrap(), format!("{path} {body}"));
        }
    }
    assert_eq!(origin.count(), 3);
}
