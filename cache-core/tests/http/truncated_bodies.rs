//! Truncated bodies are never stored or served as complete.

use std::io::Write as _;
use std::sync::Arc;

use cache_core::{Cache, CacheOutcome, Config, Filter, Memory, PolicyKind, ServiceName};
use futures_util::StreamExt as _;
use rstest::rstest;
use tokio::sync::Semaphore;

use crate::cache;
use crate::origin::{Origin, Step, head, response};
use crate::settings;

fn chunk(body: &str) -> Vec<u8> {
    format!("{:x}\r\n{body}\r\n", body.len()).into_bytes()
}

fn gzip_without_its_end() -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(&b"a body ".repeat(100)).unwrap();
    let mut bytes = encoder.finish().unwrap();
    bytes.truncate(bytes.len() - 4);
    bytes
}

/// The ways in which an origin truncates a body.
fn broken(how: &str) -> Vec<Step> {
    let start = match how {
        "length" => [head(200, &[("Content-Length", "100"), ("Cache-Control", "max-age=60")]), b"ten bytes.".into()],
        "chunked" => {
            [head(200, &[("Transfer-Encoding", "chunked"), ("Cache-Control", "max-age=60")]), chunk("ten bytes.")]
        }
        _ => {
            let body = gzip_without_its_end();
            let length = body.len().to_string();
            [head(200, &[("Content-Encoding", "gzip"), ("Content-Length", &length)]), body]
        }
    };
    vec![Step::Send(start.concat()), Step::Close]
}

#[rstest]
#[case("length", PolicyKind::FixedTtl)]
#[case("length", PolicyKind::Rfc9111)]
#[case("chunked", PolicyKind::FixedTtl)]
#[case("chunked", PolicyKind::Rfc9111)]
#[case("gzip", PolicyKind::FixedTtl)]
#[tokio::test]
async fn body_truncated_by_the_origin_is_an_error_and_not_stored(
    #[case] how: &'static str,
    #[case] policy: PolicyKind,
) {
    let origin =
        Origin::start(move |seen| if seen.number == 0 { broken(how) } else { response(200, &[], "whole") }).await;
    let cache = cache(policy);
    let client = cache.client(ServiceName::new("jikan"));
    client.get(origin.url("/")).send().await.unwrap().bytes().await.unwrap_err();
    let again = client.get(origin.url("/")).send().await.unwrap();
    assert_eq!(again.cache_status().from, CacheOutcome::Miss);
    assert_eq!(again.text().await.unwrap(), "whole");
}

#[tokio::test]
async fn body_dropped_by_the_caller_is_not_stored() {
    let gate = Arc::new(Semaphore::new(0));
    let held = Arc::clone(&gate);
    let origin = Origin::start(move |_| {
        vec![
            Step::Send([head(200, &[("Content-Length", "10")]), b"first".into()].concat()),
            Step::Await(Arc::clone(&held)),
            Step::Send(b" last".into()),
        ]
    })
    .await;
    let client = cache(PolicyKind::FixedTtl).client(ServiceName::new("jikan"));
    let mut body = client.get(origin.url("/")).send().await.unwrap().into_body();
    assert_eq!(body.next().await.unwrap().unwrap(), "first");
    drop(body);
    gate.add_permits(2);
    let again = client.get(origin.url("/")).send().await.unwrap();
    assert_eq!(again.cache_status().from, CacheOutcome::Miss);
    assert_eq!(again.text().await.unwrap(), "first last");
    assert_eq!(client.get(origin.url("/")).send().await.unwrap().cache_status().from, CacheOutcome::Hit);
}

#[rstest]
#[case::announced(true)]
#[case::not_announced(false)]
#[tokio::test]
async fn body_over_the_limit_is_served_and_not_stored(#[case] is_announced: bool) {
    let body = "x".repeat(2_000);
    let sent = body.clone();
    let origin = Origin::start(move |_| {
        if is_announced {
            return response(200, &[], &sent);
        }
        let chunks = [chunk(&sent[..900]), chunk(&sent[900..]), b"0\r\n\r\n".into()].concat();
        vec![Step::Send([head(200, &[("Transfer-Encoding", "chunked")]), chunks].concat())]
    })
    .await;
    let config = Config { largest_entry: 1_000, ..settings(PolicyKind::FixedTtl) };
    let cache = Cache::with_store(Arc::new(Memory::new(config.services.clone())), &config);
    for _ in 0..2 {
        let fetched = cache.client(ServiceName::new("jikan")).get(origin.url("/")).send().await.unwrap();
        assert_eq!(fetched.cache_status().from, CacheOutcome::Miss);
        assert_eq!(fetched.text().await.unwrap(), body);
    }
    assert!(cache.store().scan(&Filter::default(), None, 10).await.unwrap().entries.is_empty());
}

#[tokio::test]
async fn revalidation_stops_at_a_body_over_the_limit() {
    const LONG: u64 = 50 << 20;
    let origin = Origin::start(|seen| {
        let fields = [("Cache-Control", "max-age=0, stale-while-revalidate=600")];
        match seen.number {
            0 => response(200, &fields, "x"),
            _ => vec![Step::Send(head(200, &fields)), Step::Stream(LONG)],
        }
    })
    .await;
    let config = Config { largest_entry: 1_000, ..settings(PolicyKind::Rfc9111) };
    let cache = Cache::with_store(Arc::new(Memory::new(config.services.clone())), &config);
    for from in [CacheOutcome::Miss, CacheOutcome::Stale] {
        let fetched = cache.client(ServiceName::new("jikan")).get(origin.url("/")).send().await.unwrap();
        assert_eq!(fetched.cache_status().from, from);
        fetched.bytes().await.unwrap();
    }
    while origin.streamed() == 0 {
        tokio::task::yield_now().await;
    }
    // Closing waits for running tasks.
    cache.close().await;
    assert!(origin.streamed() < LONG, "{}", origin.streamed());
}
