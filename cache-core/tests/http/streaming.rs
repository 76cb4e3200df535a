//! Bodies are delivered as they arrive, in bounded memory.

use std::io::Write as _;
use std::sync::Arc;

use cache_core::{Body, Cache, CacheOutcome, Config, FetchError, IfMissing, PolicyKind, ServiceName, Sqlite};
use futures_util::{StreamExt as _, TryStreamExt as _};
use tokio::sync::Semaphore;

use crate::origin::{Origin, Step, head, response};
use crate::{cache, settings};

#[tokio::test]
async fn chunks_are_delivered_before_the_rest_is_sent() {
    let gate = Arc::new(Semaphore::new(0));
    let held = Arc::clone(&gate);
    let origin = Origin::start(move |_| {
        vec![
            Step::Send([head(200, &[("Content-Length", "11")]), b"first".into()].concat()),
            Step::Await(Arc::clone(&held)),
            Step::Send(b" last.".into()),
        ]
    })
    .await;
    let client = cache(PolicyKind::FixedTtl).client(ServiceName::new("jikan"));
    let mut body = client.get(origin.url("/")).send().await.unwrap().into_body();
    assert_eq!(body.next().await.unwrap().unwrap(), "first");
    gate.add_permits(1);
    // At the declared length the body is complete, and stored by then.
    assert_eq!(body.next().await.unwrap().unwrap(), " last.");
    let hit = client.get(origin.url("/")).send().await.unwrap();
    assert_eq!(hit.cache_status().from, CacheOutcome::Hit);
    assert_eq!(hit.text().await.unwrap(), "first last.");
    assert!(body.next().await.is_none());
}

#[tokio::test]
async fn decompression_bomb_ends_within_the_limit() {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(&vec![b'x'; 1 << 20]).unwrap();
    let bomb = encoder.finish().unwrap().repeat(600);
    assert!(bomb.len() < 640 << 10, "{}", bomb.len());
    let origin = Origin::start(move |_| response(200, &[("Content-Encoding", "gzip")], &bomb)).await;
    let cache = cache(PolicyKind::FixedTtl);
    let client = cache.client(ServiceName::new("jikan"));
    let send = || async { client.get(origin.url("/")).send().await.unwrap() };
    let collected = send().await.json::<String>().await;
    assert!(matches!(collected, Err(FetchError::TooLarge { limit: 67_108_864 })), "{collected:?}");
    let mut streamed = 0;
    let mut body = send().await.into_body();
    let error = loop {
        match body.next().await.expect("an error before the end") {
            Ok(chunk) => streamed += chunk.len(),
            Err(error) => break error,
        }
    };
    assert!(matches!(error, FetchError::Origin(_)), "{error:?}");
    assert!((Body::MAX_BYTES..Body::MAX_BYTES + (8 << 20)).contains(&streamed), "{streamed}");
    assert_eq!(origin.count(), 2, "nothing was stored");
}

#[tokio::test]
async fn body_of_any_size_is_stored_and_served_in_bounded_memory() {
    const SIZE: u64 = 200 << 20;
    // Buffers of the sockets, the queue to the store, and the chunk of the caller.
    const AHEAD: u64 = 24 << 20;
    let origin =
        Origin::start(|_| vec![Step::Send(head(200, &[("Content-Length", &SIZE.to_string())])), Step::Stream(SIZE)])
            .await;
    let directory = tempfile::tempdir().unwrap();
    let config = Config { largest_entry: 2 * SIZE, ..settings(PolicyKind::FixedTtl) };
    let store =
        Sqlite::open(&directory.path().join("cache.db"), config.services.clone(), IfMissing::Create).await.unwrap();
    let cache = Cache::with_store(Arc::new(store), &config);
    for from in [CacheOutcome::Miss, CacheOutcome::Hit] {
        let fetched = cache.client(ServiceName::new("jikan")).get(origin.url("/")).send().await.unwrap();
        assert_eq!(fetched.cache_status().from, from);
        let mut body = fetched.into_body();
        let mut read = 0;
        while let Some(piece) = body.try_next().await.unwrap() {
            assert!(piece.len() as u64 <= AHEAD && piece.iter().all(|byte| *byte == b'x'));
            read += piece.len() as u64;
            let ahead = origin.streamed() - read.min(origin.streamed());
            assert!(from == CacheOutcome::Hit || ahead <= AHEAD, "{ahead} bytes ahead of the caller");
        }
        assert_eq!(read, SIZE);
    }
    assert_eq!(origin.count(), 1);
}
