//! Validation of bodies by the caller, before they are stored and before they are served.

use std::io::Write as _;

use bytes::Bytes;
use cache_core::{Cache, CacheOutcome, CachedClient, Filter, PolicyKind, RequestBuilder, ServiceName};
use flate2::Compression;
use flate2::write::GzEncoder;
use futures_util::TryStreamExt as _;
use futures_util::future::join_all;
use rstest::rstest;

use crate::cache;
use crate::origin::{Origin, response};

const BANNED: &str = "<error>Banned</error>";
const ANIME: &str = "<anime id=\"23\"/>";

const FOR_A_MINUTE: (&str, &str) = ("Cache-Control", "max-age=60");

fn is_no_error(body: &[u8]) -> bool {
    !body.starts_with(b"<error")
}

fn ask(client: &CachedClient, url: String) -> RequestBuilder {
    client.get(url).store_if(is_no_error)
}

/// The source of the response, and its body.
async fn answer(request: RequestBuilder) -> (CacheOutcome, String) {
    let fetched = request.send().await.unwrap();
    (fetched.cache_status().from, fetched.text().await.unwrap())
}

async fn stored(cache: &Cache) -> usize {
    cache.store().scan(&Filter::default(), None, 100).await.unwrap().entries.len()
}

/// An origin that returns errors first.
async fn recovering(bad: usize) -> Origin {
    Origin::start(move |seen| response(200, &[FOR_A_MINUTE], if seen.number < bad { BANNED } else { ANIME })).await
}

#[rstest]
#[case(PolicyKind::FixedTtl)]
#[case(PolicyKind::Rfc9111)]
#[tokio::test]
async fn rejected_body_is_returned_and_not_stored(#[case] policy: PolicyKind) {
    let origin = recovering(1).await;
    let cache = cache(policy);
    let client = cache.client(ServiceName::new("jikan"));
    assert_eq!(answer(ask(&client, origin.url("/"))).await, (CacheOutcome::Miss, BANNED.into()));
    assert_eq!(stored(&cache).await, 0);
    assert_eq!(answer(ask(&client, origin.url("/"))).await, (CacheOutcome::Miss, ANIME.into()));
    assert_eq!(answer(ask(&client, origin.url("/"))).await, (CacheOutcome::Hit, ANIME.into()));
    assert_eq!((origin.count(), stored(&cache).await), (2, 1));
}

#[rstest]
#[case(PolicyKind::FixedTtl)]
#[case(PolicyKind::Rfc9111)]
#[tokio::test]
async fn body_stored_by_another_program_is_validated(#[case] policy: PolicyKind) {
    let origin = recovering(1).await;
    let cache = cache(policy);
    let client = cache.client(ServiceName::new("jikan"));
    assert_eq!(answer(client.get(origin.url("/"))).await, (CacheOutcome::Miss, BANNED.into()));
    assert_eq!(answer(client.get(origin.url("/"))).await, (CacheOutcome::Hit, BANNED.into()));
    assert_eq!(answer(ask(&client, origin.url("/"))).await, (CacheOutcome::Miss, ANIME.into()));
    assert_eq!(answer(client.get(origin.url("/"))).await, (CacheOutcome::Hit, ANIME.into()));
    assert_eq!(stored(&cache).await, 1);
}

#[rstest]
#[case(PolicyKind::FixedTtl)]
#[case(PolicyKind::Rfc9111)]
#[tokio::test]
async fn validator_gets_the_decoded_body(#[case] policy: PolicyKind) {
    let origin = Origin::start(|seen| {
        let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
        gzip.write_all(if seen.number == 0 { BANNED } else { ANIME }.as_bytes()).unwrap();
        response(200, &[FOR_A_MINUTE, ("Content-Encoding", "gzip")], gzip.finish().unwrap())
    })
    .await;
    let cache = cache(policy);
    let client = cache.client(ServiceName::new("jikan"));
    let from = async || {
        let fetched = ask(&client, origin.url("/")).send().await.unwrap();
        let from = fetched.cache_status().from;
        fetched.bytes().await.unwrap();
        from
    };
    assert_eq!(from().await, CacheOutcome::Miss);
    assert_eq!(stored(&cache).await, 0);
    assert_eq!((from().await, from().await), (CacheOutcome::Miss, CacheOutcome::Hit));
}

#[rstest]
#[case(true)]
#[case(false)]
#[tokio::test]
async fn validator_gets_a_large_body_whole(#[case] is_good: bool) {
    const SIZE: usize = 3 << 20;
    let last = if is_good { b'!' } else { b'?' };
    let origin = Origin::start(move |_| response(200, &[], [vec![b'x'; SIZE], vec![last]].concat())).await;
    let (cache, _) = crate::redis_cache(PolicyKind::FixedTtl);
    let client = cache.client(ServiceName::new("jikan"));
    for from in [CacheOutcome::Miss, if is_good { CacheOutcome::Hit } else { CacheOutcome::Miss }] {
        let request = client.get(origin.url("/")).store_if(|body| body.len() == SIZE + 1 && body.ends_with(b"!"));
        let fetched = request.send().await.unwrap();
        assert_eq!(fetched.cache_status().from, from);
        let pieces: Vec<Bytes> = fetched.into_body().try_collect().await.unwrap();
        assert_eq!(pieces.concat().len(), SIZE + 1);
    }
    assert_eq!(stored(&cache).await, usize::from(is_good));
}

#[tokio::test]
async fn waiter_for_a_rejected_body_fetches_itself() {
    let origin = recovering(usize::MAX).await;
    let cache = cache(PolicyKind::FixedTtl);
    let client = cache.client(ServiceName::new("jikan"));
    let answers = join_all((0..5).map(|_| answer(ask(&client, origin.url("/"))))).await;
    assert_eq!(answers, vec![(CacheOutcome::Miss, BANNED.to_owned()); 5]);
    assert_eq!((origin.count(), stored(&cache).await), (5, 0));
}
