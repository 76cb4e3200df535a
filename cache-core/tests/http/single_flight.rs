//! One fetch for concurrent requests of the same key.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use cache_core::{
    BodyStream, CacheOutcome, CachedClient, Counters, FetchError, PolicyKind, ServiceName, Transport, TransportError,
};
use futures_util::future::join_all;
use rstest::rstest;
use tokio::sync::Semaphore;

use crate::cache;
use crate::origin::{Origin, Step, response};
use crate::stats::counted;

/// An origin that responds with this status once it gets a permit.
async fn gated(status: u16, gate: Arc<Semaphore>) -> Origin {
    Origin::start(move |seen| {
        let mut steps = vec![Step::Await(Arc::clone(&gate))];
        steps.extend(response(status, &[("Cache-Control", "max-age=60")], format!("body {}", seen.number)));
        steps
    })
    .await
}

#[rstest]
#[case(PolicyKind::FixedTtl)]
#[case(PolicyKind::Rfc9111)]
#[tokio::test]
async fn misses_of_one_key_become_one_request(#[case] policy: PolicyKind) {
    let gate = Arc::new(Semaphore::new(0));
    let origin = gated(200, Arc::clone(&gate)).await;
    let cache = cache(policy);
    let client = cache.client(ServiceName::new("jikan"));
    let asked = join_all((0..20).map(|_| {
        let request = client.get(origin.url("/"));
        async move {
            let fetched = request.send().await.unwrap();
            let from = fetched.cache_status().from;
            (from, fetched.text().await.unwrap())
        }
    }));
    // All requests are waiting before the first response arrives: they run on this thread.
    let opened = async {
        while origin.count() == 0 {
            tokio::task::yield_now().await;
        }
        gate.add_permits(1);
    };
    let (answers, ()) = tokio::join!(asked, opened);
    assert_eq!(origin.count(), 1);
    assert!(answers.iter().all(|(_, body)| body == "body 0"));
    let of = |from| answers.iter().filter(|(other, _)| *other == from).count();
    assert_eq!((of(CacheOutcome::Miss), of(CacheOutcome::Hit)), (1, 19));
    let Counters { misses, hits, waits, .. } = counted(cache).await;
    assert_eq!((misses, hits, waits), (1, 19, 19));
}

/// Sends so many requests at once; the origin answers once all of them wait.
async fn crowd(client: &CachedClient, origin: &Origin, gate: &Semaphore, count: usize) -> Vec<(u16, String)> {
    let asked = join_all((0..count).map(|number| {
        let request = client.get(origin.url("/")).header("X-Request-Id", number.to_string());
        async move {
            let fetched = request.send().await.unwrap();
            (fetched.status().as_u16(), fetched.text().await.unwrap())
        }
    }));
    let opened = async {
        while origin.count() == 0 {
            tokio::task::yield_now().await;
        }
        gate.add_permits(count);
    };
    tokio::join!(asked, opened).0
}

#[rstest]
#[case::stored(PolicyKind::Rfc9111, 200, &[("Cache-Control", "max-age=60")])]
#[case::failure(PolicyKind::FixedTtl, 500, &[])]
#[case::not_found(PolicyKind::FixedTtl, 404, &[])]
#[case::too_many(PolicyKind::Shared, 429, &[("Cache-Control", "no-store")])]
#[case::uncacheable(PolicyKind::Shared, 200, &[("Cache-Control", "no-store")])]
#[tokio::test]
async fn waiters_get_the_response_of_one_request(
    #[case] policy: PolicyKind,
    #[case] status: u16,
    #[case] fields: &'static [(&str, &str)],
) {
    let gate = Arc::new(Semaphore::new(0));
    let held = Arc::clone(&gate);
    let origin = Origin::start(move |seen| {
        let mut steps = vec![Step::Await(Arc::clone(&held))];
        steps.extend(response(status, fields, format!("body {}", seen.number)));
        steps
    })
    .await;
    let client = cache(policy).client(ServiceName::new("jikan"));
    let answers = crowd(&client, &origin, &gate, 40).await;
    assert_eq!(answers, vec![(status, "body 0".to_owned()); 40]);
    assert_eq!(origin.count(), 1);
}

#[rstest]
#[case::with_a_cookie(&[("Cache-Control", "no-store"), ("Set-Cookie", "a=1")])]
#[case::another_variant(&[("Cache-Control", "no-store"), ("Vary", "X-Request-Id")])]
#[tokio::test]
async fn response_that_is_not_for_all_is_not_shared(#[case] fields: &'static [(&str, &str)]) {
    let gate = Arc::new(Semaphore::new(0));
    let held = Arc::clone(&gate);
    let origin = Origin::start(move |seen| {
        let mut steps = vec![Step::Await(Arc::clone(&held))];
        steps.extend(response(200, fields, seen.field("x-request-id").unwrap()));
        steps
    })
    .await;
    let client = cache(PolicyKind::Rfc9111).client(ServiceName::new("jikan"));
    let answers = crowd(&client, &origin, &gate, 5).await;
    assert_eq!(answers, ["0", "1", "2", "3", "4"].map(|body| (200, body.to_owned())));
    assert_eq!(origin.count(), 5);
}

#[tokio::test]
async fn retry_after_is_the_answer_until_then() {
    let origin = Origin::start(|_| response(429, &[("Retry-After", "20")], "later")).await;
    let client = cache(PolicyKind::Shared).client(ServiceName::new("jikan"));
    for _ in 0..3 {
        let fetched = client.get(origin.url("/")).send().await.unwrap();
        assert_eq!((fetched.status().as_u16(), &*fetched.text().await.unwrap()), (429, "later"));
    }
    assert_eq!(origin.count(), 1);
    client.get(origin.url("/other")).send().await.unwrap();
    assert_eq!(origin.count(), 2);
}

#[tokio::test]
async fn waiters_for_an_unreachable_origin_get_its_error() {
    let transport = Arc::new(Unreachable(Semaphore::new(0), AtomicUsize::new(0)));
    let cache = cache(PolicyKind::FixedTtl).http(ServiceName::new("jikan"), Arc::clone(&transport) as _);
    let client = CachedClient::from(cache);
    let asked = join_all((0..10).map(|_| client.get("http://127.0.0.1:1/").send()));
    let opened = async {
        while transport.1.load(Ordering::SeqCst) == 0 {
            tokio::task::yield_now().await;
        }
        transport.0.add_permits(10);
    };
    let (errors, ()) = tokio::join!(asked, opened);
    assert!(errors.iter().all(|error| error.as_ref().is_err_and(FetchError::is_connect)));
    assert_eq!(transport.1.load(Ordering::SeqCst), 1);
}

/// Fails once it gets a permit, and counts.
struct Unreachable(Semaphore, AtomicUsize);

#[async_trait]
impl Transport for Unreachable {
    async fn send(&self, _: http::Request<Bytes>) -> Result<http::Response<BodyStream>, TransportError> {
        self.1.fetch_add(1, Ordering::SeqCst);
        self.0.acquire().await.unwrap().forget();
        Err(TransportError::connect("down"))
    }
}

/// With this TTL the response expires before a waiter looks it up, as if it had been flushed.
const GONE_AT_ONCE: Duration = Duration::from_nanos(1);

#[tokio::test]
async fn waiters_for_a_flushed_response_wait_for_the_next_fetch() {
    let gate = Arc::new(Semaphore::new(0));
    let origin = gated(200, Arc::clone(&gate)).await;
    let client = cache(PolicyKind::FixedTtl).client(ServiceName::new("jikan"));
    let asked = join_all((0..20).map(|number| {
        let request = client.get(origin.url("/"));
        let request = if number == 0 { request.ttl(GONE_AT_ONCE) } else { request };
        async move { request.send().await.unwrap().text().await.unwrap() }
    }));
    let opened = async {
        while origin.count() == 0 {
            tokio::task::yield_now().await;
        }
        gate.add_permits(20);
    };
    let (answers, ()) = tokio::join!(asked, opened);
    assert_eq!(origin.count(), 2);
    let of = |body| answers.iter().filter(|other| *other == body).count();
    assert_eq!((of("body 0"), of("body 1")), (1, 19));
}

#[tokio::test]
async fn waits_are_bounded_if_the_store_evicts_at_once() {
    let gate = Arc::new(Semaphore::new(0));
    let origin = gated(200, Arc::clone(&gate)).await;
    let client = cache(PolicyKind::FixedTtl).client(ServiceName::new("jikan"));
    let asked = join_all((0..40).map(|_| {
        let request = client.get(origin.url("/")).ttl(GONE_AT_ONCE);
        async move { request.send().await.unwrap().text().await.unwrap() }
    }));
    let opened = async {
        // The gate admits one after the other, until the rest arrives together.
        let mut in_turn = 0;
        while origin.count() < 40 {
            if origin.count() == in_turn + 1 {
                gate.add_permits(1);
                in_turn += 1;
            }
            tokio::task::yield_now().await;
        }
        gate.add_permits(40);
        in_turn
    };
    let (answers, in_turn) = tokio::join!(asked, opened);
    assert_eq!((answers.len(), origin.count()), (40, 40));
    assert!((2..=10).contains(&in_turn), "{in_turn} waited for one another");
}

/// Requests the first, which waits at the gate, and the second, which does not. Each returns its name.
async fn pass_by(origin: &Origin, gate: &Semaphore, get: impl AsyncFn(&str) -> String, [first, second]: [&str; 2]) {
    let passing = async {
        while origin.count() == 0 {
            tokio::task::yield_now().await;
        }
        let other = get(second).await;
        gate.add_permits(1);
        other
    };
    assert_eq!(tokio::join!(get(first), passing), (first.to_owned(), second.to_owned()));
}

#[tokio::test]
async fn request_for_another_variant_does_not_wait() {
    let gate = Arc::new(Semaphore::new(0));
    let held = Arc::clone(&gate);
    let origin = Origin::start(move |seen| {
        let language = seen.field("accept-language").unwrap_or_default();
        let mut steps = if language == "en" { vec![Step::Await(Arc::clone(&held))] } else { Vec::new() };
        steps.extend(response(200, &[("Cache-Control", "max-age=60"), ("Vary", "Accept-Language")], language));
        steps
    })
    .await;
    let client = cache(PolicyKind::Rfc9111).client(ServiceName::new("jikan"));
    let get = |language: &str| client.get(origin.url("/")).header("Accept-Language", language).send();
    pass_by(&origin, &gate, async |language| get(language).await.unwrap().text().await.unwrap(), ["en", "ja"]).await;
    for language in ["en", "ja"] {
        let hit = get(language).await.unwrap();
        assert_eq!(hit.cache_status().from, CacheOutcome::Hit);
        assert_eq!(hit.text().await.unwrap(), language);
    }
}

#[tokio::test]
async fn unread_body_delays_waiters_for_a_bounded_time() {
    let origin = Origin::start(|_| response(200, &[], "a body")).await;
    let client = cache(PolicyKind::FixedTtl).client(ServiceName::new("jikan"));
    let unread = client.get(origin.url("/")).send().await.unwrap();
    let second = tokio::time::timeout(Duration::from_secs(30), client.get(origin.url("/")).send());
    assert_eq!(second.await.unwrap().unwrap().text().await.unwrap(), "a body");
    assert_eq!(unread.text().await.unwrap(), "a body");
    assert_eq!(client.get(origin.url("/")).send().await.unwrap().cache_status().from, CacheOutcome::Hit);
}
