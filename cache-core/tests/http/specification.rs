//! RFC 9111 on the way: what the policy decides happens, and is counted for what it is.

use std::sync::Arc;
use std::time::Duration;

use cache_core::{Cache, PolicyName, ServedFrom, Service};

use crate::origin::{Origin, response};
use crate::{cache, redis_cache};

/// Fetches and reads to the end; status, where it came from, and what was read.
async fn get(cache: &Cache, url: &str, fields: &[(&str, &str)]) -> (u16, ServedFrom, String) {
    let mut request = cache.client(Service::Jikan).get(url);
    for (name, value) in fields {
        request = request.header(name, value);
    }
    let fetched = request.send().await.unwrap();
    (fetched.status().as_u16(), fetched.served().from, fetched.text().await.unwrap())
}

/// Moves what is stored into the past, by this many seconds.
async fn age(cache: &Cache, url: &str, seconds: f64) {
    let key = cache_core::CacheKey::hishel1(url.as_bytes());
    for found in cache.store().lookup(&key, None).await.unwrap() {
        let mut entry = cache_core::Entry::clone(&found.entry);
        entry.created_at = entry.created_at.map(|at| at - seconds);
        entry.response.headers =
            entry.response.headers.iter().fold(cache_core::Headers::default(), |mut headers, (name, values)| {
                let values = values.iter().filter(|_| name != "date");
                values.for_each(|value| headers.append(name, value));
                headers
            });
        assert!(cache.store().replace(&found.id, &entry).await.unwrap());
    }
}

#[tokio::test]
async fn what_the_origin_says_is_still_good_is_served_and_good_again() {
    let origin = Origin::start(|seen| {
        let fields = [("Cache-Control", "max-age=60"), ("ETag", "\"1\"")];
        match seen.field("if-none-match").as_deref() {
            Some("\"1\"") => response(304, &fields, ""),
            _ => response(200, &fields, "a body"),
        }
    })
    .await;
    let (cache, _) = redis_cache(PolicyName::Specification);
    let url = origin.url("/");
    assert_eq!(get(&cache, &url, &[]).await, (200, ServedFrom::Miss, "a body".into()));
    assert_eq!(get(&cache, &url, &[]).await, (200, ServedFrom::Hit, "a body".into()));
    age(&cache, &url, 120.0).await;
    assert_eq!(get(&cache, &url, &[]).await, (200, ServedFrom::Revalidated, "a body".into()));
    assert_eq!(get(&cache, &url, &[]).await, (200, ServedFrom::Hit, "a body".into()));
    assert_eq!(origin.count(), 2);
    // The caller's own condition is answered from the store.
    assert_eq!(get(&cache, &url, &[("If-None-Match", "\"1\"")]).await, (304, ServedFrom::Hit, String::new()));
    assert_eq!(origin.count(), 2);
}

#[tokio::test]
async fn stale_while_revalidate_serves_at_once_and_refreshes_behind_the_callers_back() {
    let origin = Origin::start(|seen| {
        response(200, &[("Cache-Control", "max-age=60, stale-while-revalidate=600")], format!("body {}", seen.number))
    })
    .await;
    let cache = cache(PolicyName::Specification);
    let url = origin.url("/");
    get(&cache, &url, &[]).await;
    age(&cache, &url, 120.0).await;
    assert_eq!(get(&cache, &url, &[]).await, (200, ServedFrom::Stale, "body 0".into()));
    let refreshed = tokio::time::timeout(Duration::from_secs(10), async {
        loop {
            let answer = get(&cache, &url, &[]).await;
            if answer.1 == ServedFrom::Hit {
                return answer.2;
            }
            tokio::task::yield_now().await;
        }
    });
    assert_eq!(refreshed.await.unwrap(), "body 1");
    assert_eq!(origin.count(), 2);
}

#[tokio::test]
async fn a_stale_response_stands_in_for_an_origin_that_is_gone() {
    let origin = Origin::start(|_| response(200, &[("Cache-Control", "max-age=60")], "a body")).await;
    let cache = cache(PolicyName::Specification);
    let url = origin.url("/");
    get(&cache, &url, &[]).await;
    age(&cache, &url, 120.0).await;
    drop(origin);
    assert_eq!(get(&cache, &url, &[]).await, (200, ServedFrom::Stale, "a body".into()));
}

#[tokio::test]
async fn a_change_by_post_invalidates_what_is_stored() {
    let origin = Origin::start(|seen| response(200, &[("Cache-Control", "max-age=60")], seen.number.to_string())).await;
    let cache = cache(PolicyName::Specification);
    let url = origin.url("/");
    assert_eq!(get(&cache, &url, &[]).await.2, "0");
    cache.client(Service::Jikan).post(&url).data("x").send().await.unwrap().bytes().await.unwrap();
    assert_eq!(get(&cache, &url, &[]).await, (200, ServedFrom::Miss, "2".into()));
}

#[tokio::test]
async fn only_if_cached_without_anything_cached_is_504() {
    let origin = Origin::start(|_| response(200, &[], "x")).await;
    let cache = cache(PolicyName::Specification);
    let answer = get(&cache, &origin.url("/"), &[("Cache-Control", "only-if-cached")]).await;
    assert_eq!(answer, (504, ServedFrom::Miss, String::new()));
    assert_eq!(origin.count(), 0);
}

#[tokio::test]
async fn a_range_is_served_from_a_whole_stored_response() {
    let origin = Origin::start(|_| response(200, &[("Cache-Control", "max-age=60")], "0123456789")).await;
    let cache = Arc::new(redis_cache(PolicyName::Specification).0);
    let url = origin.url("/");
    get(&cache, &url, &[]).await;
    assert_eq!(get(&cache, &url, &[("Range", "bytes=2-4")]).await, (206, ServedFrom::Hit, "234".into()));
    assert_eq!(origin.count(), 1);
}

#[tokio::test]
async fn redirects_are_answers_like_others() {
    let origin = Origin::start(|_| response(301, &[("Location", "/new"), ("Cache-Control", "max-age=60")], "")).await;
    let cache = cache(PolicyName::Specification);
    for from in [ServedFrom::Miss, ServedFrom::Hit] {
        assert_eq!(get(&cache, &origin.url("/old"), &[]).await, (301, from, String::new()));
    }
    assert_eq!(origin.count(), 1);
}
