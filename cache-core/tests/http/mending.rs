//! A stored body that is lost while it is read: made whole from the origin, or an error, never silently short.

use cache_core::{Cache, FetchError, PolicyName, RequestBuilder, ServedFrom, Service};
use futures_util::TryStreamExt as _;

use crate::origin::{Origin, response};
use crate::redis_cache;

/// Several of the steps in which a body is read from Redis.
const SIZE: usize = 8 << 20;

fn body() -> Vec<u8> {
    (0..SIZE / 4).flat_map(|number| (number as u32).to_le_bytes()).collect()
}

/// Reads a hit whose stored body goes while it is read.
async fn read_while_it_goes(cache: &Cache, redis: &str, url: &str) -> Result<Vec<u8>, FetchError> {
    go_while_read(redis, cache.client(Service::Jikan).get(url)).await
}

async fn go_while_read(redis: &str, request: RequestBuilder) -> Result<Vec<u8>, FetchError> {
    let fetched = request.send().await.unwrap();
    assert_eq!(fetched.served().from, ServedFrom::Hit);
    let mut body = fetched.into_body();
    let mut read = body.try_next().await.unwrap().unwrap().to_vec();
    let mut connection = redis::Client::open(redis).unwrap().get_multiplexed_async_connection().await.unwrap();
    redis::cmd("FLUSHDB").query_async::<()>(&mut connection).await.unwrap();
    while let Some(piece) = body.try_next().await? {
        read.extend_from_slice(&piece);
    }
    Ok(read)
}

#[tokio::test]
async fn the_rest_comes_from_the_origin_where_the_beginning_is_the_same() {
    let origin = Origin::start(|_| response(200, &[], body())).await;
    let (cache, redis) = redis_cache(PolicyName::Ttl);
    let url = origin.url("/");
    cache.client(Service::Jikan).get(&url).send().await.unwrap().bytes().await.unwrap();
    let read = read_while_it_goes(&cache, &redis, &url).await.unwrap();
    assert!(read == body(), "{} bytes, of {SIZE}", read.len());
    assert_eq!(origin.count(), 2);
}

#[tokio::test]
async fn another_body_is_an_error() {
    let origin = Origin::start(|seen| {
        let mut body = body();
        body[100] ^= seen.number as u8;
        response(200, &[], body)
    })
    .await;
    let (cache, redis) = redis_cache(PolicyName::Ttl);
    let url = origin.url("/");
    cache.client(Service::Jikan).get(&url).send().await.unwrap().bytes().await.unwrap();
    read_while_it_goes(&cache, &redis, &url).await.unwrap_err();
}

#[tokio::test]
async fn an_origin_that_is_gone_is_an_error() {
    let origin = Origin::start(|_| response(200, &[], body())).await;
    let (cache, redis) = redis_cache(PolicyName::Ttl);
    let url = origin.url("/");
    cache.client(Service::Jikan).get(&url).send().await.unwrap().bytes().await.unwrap();
    drop(origin);
    read_while_it_goes(&cache, &redis, &url).await.unwrap_err();
}

#[tokio::test]
async fn a_part_of_a_body_is_mended_like_the_whole() {
    let fields = [("Cache-Control", "max-age=60"), ("ETag", "\"1\"")];
    let origin = Origin::start(move |_| response(200, &fields, body())).await;
    let (cache, redis) = redis_cache(PolicyName::Specification);
    let client = cache.client(Service::Jikan);
    client.get(origin.url("/")).send().await.unwrap().bytes().await.unwrap();
    let request = client.get(origin.url("/")).header("Range", "bytes=1000-7999999");
    let read = go_while_read(&redis, request).await.unwrap();
    assert!(read == body()[1_000..8_000_000], "{} bytes", read.len());
    assert_eq!(origin.seen()[1].field("range"), None);
}

#[tokio::test]
async fn a_body_of_another_version_is_an_error_though_it_begins_alike() {
    let origin = Origin::start(|seen| {
        let etag = format!("\"{}\"", seen.number);
        response(200, &[("Cache-Control", "max-age=60"), ("ETag", &etag)], body())
    })
    .await;
    let (cache, redis) = redis_cache(PolicyName::Specification);
    let url = origin.url("/");
    cache.client(Service::Jikan).get(&url).send().await.unwrap().bytes().await.unwrap();
    read_while_it_goes(&cache, &redis, &url).await.unwrap_err();
}
