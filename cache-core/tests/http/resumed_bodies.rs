//! Stored bodies that are lost while they are read: resumed from the origin, or an error, never silently short.

use std::sync::Arc;

use cache_core::{Body, CacheOutcome, CachedClient, FetchError, PolicyKind, RequestBuilder, ServiceName};
use futures_util::TryStreamExt as _;
use futures_util::future::join_all;
use rstest::rstest;
use tokio::sync::Semaphore;

use crate::origin::{Origin, Step, head, response};
use crate::{redis_cache, redis_server};

/// Several times the length of the part of a body that is read at once from Redis.
const SIZE: usize = 8 << 20;

fn body() -> Vec<u8> {
    (0..SIZE / 4).flat_map(|number| (number as u32).to_le_bytes()).collect()
}

/// A client on Redis, the URL of the server, and a URL with a stored response.
async fn stored(policy: PolicyKind, origin: &Origin) -> (CachedClient, String, String) {
    let (cache, redis) = redis_cache(policy);
    let (client, url) = (cache.client(ServiceName::new("jikan")), origin.url("/"));
    client.get(&url).send().await.unwrap().bytes().await.unwrap();
    (client, redis, url)
}

/// Reads a hit that loses its stored body while it is read.
async fn read_while_it_goes(redis: &str, request: RequestBuilder) -> Result<Vec<u8>, FetchError> {
    let reader = Reader::begin(request).await;
    flush(redis).await;
    reader.end().await
}

async fn flush(redis: &str) {
    let mut connection = redis_server::connection(redis).await;
    redis::cmd("FLUSHDB").query_async::<()>(&mut connection).await.unwrap();
}

/// A reader in the middle of a stored body.
struct Reader {
    read: Vec<u8>,
    body: Body,
}

impl Reader {
    async fn begin(request: RequestBuilder) -> Self {
        let fetched = request.send().await.unwrap();
        assert_eq!(fetched.cache_status().from, CacheOutcome::Hit);
        let mut reader = Self { read: Vec::new(), body: fetched.into_body() };
        reader.piece().await;
        reader
    }

    async fn piece(&mut self) {
        self.read.extend_from_slice(&self.body.try_next().await.unwrap().unwrap());
    }

    async fn end(mut self) -> Result<Vec<u8>, FetchError> {
        while let Some(piece) = self.body.try_next().await? {
            self.read.extend_from_slice(&piece);
        }
        Ok(self.read)
    }
}

#[tokio::test]
async fn body_is_resumed_from_the_origin_if_its_beginning_is_equal() {
    let origin = Origin::start(|_| response(200, &[], body())).await;
    let (client, redis, url) = stored(PolicyKind::FixedTtl, &origin).await;
    let read = read_while_it_goes(&redis, client.get(&url)).await.unwrap();
    assert!(read == body(), "{} bytes, of {SIZE}", read.len());
    assert_eq!(origin.count(), 2);
}

#[tokio::test]
async fn all_readers_are_resumed_by_one_request() {
    let origin = Origin::start(|_| response(200, &[], body())).await;
    let (client, redis, url) = stored(PolicyKind::FixedTtl, &origin).await;
    let mut readers = Vec::new();
    for _ in 0..4 {
        readers.push(Reader::begin(client.get(&url)).await);
    }
    flush(&redis).await;
    for read in join_all(readers.into_iter().map(Reader::end)).await {
        assert!(read.unwrap() == body());
    }
    assert_eq!(origin.count(), 2);
    // It is stored again for later requests.
    Reader::begin(client.get(&url)).await.end().await.unwrap();
    assert_eq!(origin.count(), 2);
}

#[rstest]
#[case::by_its_body(PolicyKind::FixedTtl)]
#[case::by_its_validator(PolicyKind::Rfc9111)]
#[tokio::test]
async fn changed_body_fails_all_readers_with_one_request(#[case] policy: PolicyKind) {
    let origin = Origin::start(move |seen| {
        let mut body = body();
        body[100] ^= seen.number as u8;
        let etag = format!("\"{}\"", seen.number);
        let mut fields = vec![("Cache-Control", "max-age=60")];
        fields.extend((policy == PolicyKind::Rfc9111).then_some(("ETag", &*etag)));
        response(200, &fields, body)
    })
    .await;
    let (client, redis, url) = stored(policy, &origin).await;
    let mut readers = Vec::new();
    for _ in 0..4 {
        readers.push(Reader::begin(client.get(&url)).await);
    }
    flush(&redis).await;
    for read in join_all(readers.into_iter().map(Reader::end)).await {
        read.unwrap_err();
    }
    assert_eq!(origin.count(), 2);
    // The new one is stored for later requests.
    Reader::begin(client.get(&url)).await.end().await.unwrap();
    assert_eq!(origin.count(), 2);
}

#[rstest]
#[case::its_date(&["Mon, 01 Jan 2024 00:00:00 GMT", "Tue, 02 Jan 2024 00:00:00 GMT"], SIZE)]
#[case::its_length(&["Mon, 01 Jan 2024 00:00:00 GMT"], SIZE + 1)]
#[tokio::test]
async fn change_behind_the_read_part_is_detected_by_the_head(
    #[case] dates: &'static [&'static str],
    #[case] length: usize,
) {
    let origin = Origin::start(move |seen| {
        let mut body = body();
        if seen.number > 0 {
            body.resize(length, 0);
            body[SIZE - 1] ^= 1;
        }
        let date = dates[seen.number.min(dates.len() - 1)];
        response(200, &[("Cache-Control", "max-age=60"), ("Last-Modified", date)], body)
    })
    .await;
    let (client, redis, url) = stored(PolicyKind::Rfc9111, &origin).await;
    read_while_it_goes(&redis, client.get(&url)).await.unwrap_err();
}

#[tokio::test]
async fn body_can_be_lost_repeatedly() {
    let origin = Origin::start(|_| response(200, &[], body())).await;
    let (client, redis, url) = stored(PolicyKind::FixedTtl, &origin).await;
    let mut reader = Reader::begin(client.get(&url)).await;
    for request in 2..5 {
        flush(&redis).await;
        // Another caller fetches it, and the reader resumes from the store.
        client.get(&url).send().await.unwrap().bytes().await.unwrap();
        assert_eq!(origin.count(), request);
        reader.piece().await;
        assert_eq!(origin.count(), request);
    }
    assert!(reader.end().await.unwrap() == body());
    assert_eq!(origin.count(), 4);
}

#[tokio::test]
async fn waiters_for_a_body_lost_while_stored_wait_for_the_next() {
    let gate = Arc::new(Semaphore::new(0));
    let held = Arc::clone(&gate);
    let origin = Origin::start(move |_| {
        let (body, length) = (body(), SIZE.to_string());
        let (first, last) = body.split_at(SIZE / 2);
        let head = head(200, &[("Content-Length", &length)]);
        vec![Step::Send([&head, first].concat()), Step::Await(Arc::clone(&held)), Step::Send(last.to_vec())]
    })
    .await;
    let (cache, redis) = redis_cache(PolicyKind::FixedTtl);
    let client = cache.client(ServiceName::new("jikan"));
    let asked = join_all((0..5).map(|_| {
        let request = client.get(origin.url("/"));
        async move { request.send().await.unwrap().bytes().await.unwrap() }
    }));
    let flushed = async {
        let mut connection = redis_server::connection(&redis).await;
        let mut parts: Vec<String> = Vec::new();
        while parts.is_empty() {
            parts = redis::cmd("KEYS").arg("hishel_cache:stream:*").query_async(&mut connection).await.unwrap();
        }
        redis::cmd("UNLINK").arg(parts).exec_async(&mut connection).await.unwrap();
        gate.add_permits(2);
    };
    let (answers, ()) = tokio::join!(asked, flushed);
    assert!(answers.iter().all(|answer| *answer == body()));
    assert_eq!(origin.count(), 2);
}

#[tokio::test]
async fn different_body_is_an_error() {
    let origin = Origin::start(|seen| {
        let mut body = body();
        body[100] ^= seen.number as u8;
        response(200, &[], body)
    })
    .await;
    let (client, redis, url) = stored(PolicyKind::FixedTtl, &origin).await;
    read_while_it_goes(&redis, client.get(&url)).await.unwrap_err();
}

#[tokio::test]
async fn unreachable_origin_is_an_error() {
    let origin = Origin::start(|_| response(200, &[], body())).await;
    let (client, redis, url) = stored(PolicyKind::FixedTtl, &origin).await;
    drop(origin);
    read_while_it_goes(&redis, client.get(&url)).await.unwrap_err();
}

#[tokio::test]
async fn range_of_a_body_is_resumed() {
    let fields = [("Cache-Control", "max-age=60"), ("ETag", "\"1\"")];
    let origin = Origin::start(move |_| response(200, &fields, body())).await;
    let (client, redis, url) = stored(PolicyKind::Rfc9111, &origin).await;
    let request = client.get(&url).header("Range", "bytes=1000-7999999");
    let read = read_while_it_goes(&redis, request).await.unwrap();
    assert!(read == body()[1_000..8_000_000], "{} bytes", read.len());
    assert_eq!(origin.seen()[1].field("range"), None);
}

#[tokio::test]
async fn other_version_with_an_equal_beginning_is_an_error() {
    let origin = Origin::start(|seen| {
        let etag = format!("\"{}\"", seen.number);
        response(200, &[("Cache-Control", "max-age=60"), ("ETag", &etag)], body())
    })
    .await;
    let (client, redis, url) = stored(PolicyKind::Rfc9111, &origin).await;
    read_while_it_goes(&redis, client.get(&url)).await.unwrap_err();
}
