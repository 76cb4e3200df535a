//! A stored body that is lost while it is read: made whole from the origin, or an error, never silently short.

use cache_core::{Cache, PolicyName, ServedFrom, Service};
use futures_util::TryStreamExt as _;

use crate::origin::{Origin, response};
use crate::redis_cache;

/// Several of the steps in which a body is read from Redis.
const SIZE: usize = 8 << 20;

fn body() -> Vec<u8> {
    (0..SIZE / 4).flat_map(|number| (number as u32).to_le_bytes()).collect()
}

/// Reads a hit whose stored body goes while it is read.
async fn read_while_it_goes(cache: &Cache, redis: &str, url: &str) -> Result<Vec<u8>, cache_core::FetchError> {
    let fetched = cache.client(Service::Jikan).get(url).send().await.unwrap();
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
