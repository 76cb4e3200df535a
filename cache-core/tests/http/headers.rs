//! Header fields and bodies pass the cache unchanged, to the byte.

use cache_core::{Cache, CacheOutcome, CachedClient, Entry, PolicyKind, ServiceName};
use rstest::rstest;

use crate::origin::{Origin, Step, response};
use crate::{cache, redis_cache};

const RESPONSE: &[u8] = b"HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nSet-Cookie: b=2\r\nX-Latin: caf\xe9\r\n\
    X-Utf-8: caf\xc3\xa9\r\nX-Private-Use: \xee\xbf\xa9\r\nSet-Cookie: a=1\r\nETag: \"\xfc\"\r\nSet-Cookie: b=2\r\n\
    Content-Encoding: gzip\r\nContent-Length: 6\r\n\r\n\x1f\x8b\x08\x00\xff\x00";

async fn pass_unchanged(cache: Cache) {
    let origin = Origin::start(|_| vec![Step::Send(RESPONSE.into())]).await;
    for from in [CacheOutcome::Miss, CacheOutcome::Hit] {
        let fetched = cache.client(ServiceName::new("jikan")).get(origin.url("/")).send().await.unwrap();
        assert_eq!(fetched.cache_status().from, from);
        let fields = fetched.headers().clone();
        let values = |name| fields.get_all(name).iter().map(http::HeaderValue::as_bytes).collect::<Vec<_>>();
        assert_eq!(values("set-cookie"), [b"b=2", b"a=1", b"b=2"]);
        assert_eq!(values("x-latin"), [b"caf\xe9"]);
        assert_eq!(values("x-utf-8"), ["café".as_bytes()]);
        assert_eq!(values("x-private-use"), ["\u{efe9}".as_bytes()]);
        assert_eq!(values("etag"), [b"\"\xfc\""]);
        assert_eq!(values("content-encoding"), [b"gzip"]);
        assert_eq!(values("content-length"), [b"6"]);
        assert_eq!(&fetched.bytes().await.unwrap()[..], b"\x1f\x8b\x08\x00\xff\x00");
    }
}

#[tokio::test]
async fn fields_and_body_in_memory_are_unchanged() {
    pass_unchanged(cache(PolicyKind::Rfc9111)).await;
}

#[tokio::test]
async fn fields_and_body_in_redis_are_unchanged() {
    pass_unchanged(redis_cache(PolicyKind::Rfc9111).0).await;
}

#[tokio::test]
async fn validator_of_any_bytes_is_sent_back_unchanged() {
    let origin = Origin::start(|seen| {
        let answer = if seen.number == 0 {
            b"HTTP/1.1 200 OK\r\nCache-Control: no-cache\r\nETag: \"\xfc\"\r\nContent-Length: 1\r\n\r\nx".to_vec()
        } else {
            b"HTTP/1.1 304 Not Modified\r\nETag: \"\xfc\"\r\n\r\n".to_vec()
        };
        vec![Step::Send(answer)]
    })
    .await;
    let client = cache(PolicyKind::Rfc9111).client(ServiceName::new("jikan"));
    for from in [CacheOutcome::Miss, CacheOutcome::Revalidated] {
        let fetched = client.get(origin.url("/")).send().await.unwrap();
        assert_eq!((fetched.cache_status().from, fetched.status().as_u16()), (from, 200));
        assert_eq!(fetched.text().await.unwrap(), "x");
    }
    let seen = origin.seen();
    let sent = seen[1].fields.iter().find(|(name, _)| name == "if-none-match").unwrap();
    assert_eq!(sent.1, b"\"\xfc\"");
}

/// Stores this body with a header that declares a coding, as the pipeline stores decoded bodies.
async fn stored_as_if_coded(policy: PolicyKind, body: &'static [u8], coding: &str) -> (CachedClient, Origin) {
    let origin = Origin::start(move |_| response(200, &[("Cache-Control", "max-age=60")], body)).await;
    let cache = cache(policy);
    let client = cache.client(ServiceName::new("jikan"));
    let fetched = client.get(origin.url("/")).send().await.unwrap();
    let key = fetched.cache_status().cache_key.clone();
    fetched.bytes().await.unwrap();
    let found = cache.store().lookup(&key, None).await.unwrap().remove(0);
    let mut entry = Entry::clone(&found.entry);
    entry.response.headers =
        [("content-encoding", coding), ("content-length", "7"), ("cache-control", "max-age=60")].into_iter().collect();
    assert!(cache.store().update_head(&found.id, &entry).await.unwrap());
    (client, origin)
}

#[tokio::test]
async fn encoded_body_that_looks_like_text_stays_encoded() {
    // An empty body in Brotli.
    let fields = [("Cache-Control", "max-age=60"), ("Content-Encoding", "br")];
    let origin = Origin::start(move |_| response(200, &fields, ";")).await;
    let client = cache(PolicyKind::Rfc9111).client(ServiceName::new("jikan"));
    for from in [CacheOutcome::Miss, CacheOutcome::Hit] {
        let fetched = client.get(origin.url("/")).send().await.unwrap();
        assert_eq!((fetched.cache_status().from, fetched.headers().contains_key("content-encoding")), (from, true));
        assert_eq!(fetched.text().await.unwrap(), ";");
    }
}

#[rstest]
#[tokio::test]
async fn unknown_coding_is_passed_on(#[values(PolicyKind::FixedTtl, PolicyKind::Rfc9111)] policy: PolicyKind) {
    let body = b"\xf0\x9f\x00\xff";
    let fields = [("Cache-Control", "max-age=60"), ("Content-Encoding", "x-ours")];
    let origin = Origin::start(move |_| response(200, &fields, body)).await;
    let client = cache(policy).client(ServiceName::new("jikan"));
    for from in [CacheOutcome::Miss, CacheOutcome::Hit] {
        let fetched = client.get(origin.url("/")).send().await.unwrap();
        assert_eq!(
            (fetched.cache_status().from, &fetched.headers()["content-encoding"]),
            (from, &"x-ours".parse().unwrap())
        );
        assert_eq!(&fetched.bytes().await.unwrap()[..], body);
    }
}

#[tokio::test]
async fn encoded_body_that_cannot_be_decoded_is_a_miss() {
    let (client, origin) = stored_as_if_coded(PolicyKind::FixedTtl, b"\x1f\x8bbroken", "gzip").await;
    let fetched = client.get(origin.url("/")).send().await.unwrap();
    assert_eq!(fetched.cache_status().from, CacheOutcome::Miss);
}

#[rstest]
#[tokio::test]
async fn body_that_contradicts_its_coding_is_served_whole(
    #[values(PolicyKind::FixedTtl, PolicyKind::Rfc9111)] policy: PolicyKind,
    #[values("gzip", "deflate", "br", "zstd")] coding: &str,
) {
    // As raw deflate it would be one byte.
    let body = "{\n  \"data\": [1, 2, 3]}";
    let (client, origin) = stored_as_if_coded(policy, body.as_bytes(), coding).await;
    let fetched = client.get(origin.url("/")).send().await.unwrap();
    assert_eq!(fetched.cache_status().from, CacheOutcome::Hit);
    assert!(!fetched.headers().contains_key("content-encoding") && !fetched.headers().contains_key("content-length"));
    assert_eq!(fetched.text().await.unwrap(), body);
    // A range chosen by the wrong length is not served.
    let part = client.get(origin.url("/")).header("Range", "bytes=0-3").send().await.unwrap();
    assert_ne!(part.cache_status().from, CacheOutcome::Hit);
}
