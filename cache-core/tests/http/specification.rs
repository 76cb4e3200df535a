//! RFC 9111 end to end, on every store.

use std::sync::Arc;
use std::time::Duration;

use cache_core::{Cache, CacheOutcome, PolicyKind, ServiceName};
use http::Method;
use rstest::rstest;
use tokio::sync::Semaphore;

use crate::origin::{Origin, Step, response};
use crate::{On, cache, redis_cache};

/// Fetches and reads to the end; returns status, source and body.
async fn get(cache: &Cache, url: &str, fields: &[(&str, &str)]) -> (u16, CacheOutcome, String) {
    let mut request = cache.client(ServiceName::new("jikan")).get(url);
    for (name, value) in fields {
        request = request.header(name, value);
    }
    let fetched = request.send().await.unwrap();
    (fetched.status().as_u16(), fetched.cache_status().from, fetched.text().await.unwrap())
}

/// Ages the stored responses by this many seconds.
async fn age(cache: &Cache, url: &str, seconds: f64) {
    let key = cache_core::hishel1_key(url.as_bytes());
    for found in cache.store().lookup(&key, None).await.unwrap() {
        let mut entry = cache_core::Entry::clone(&found.entry);
        entry.created_at = entry.created_at.map(|at| at - seconds);
        entry.response.headers =
            entry.response.headers.iter().fold(cache_core::Headers::default(), |mut headers, (name, values)| {
                let values = values.iter().filter(|_| name != "date");
                values.for_each(|value| headers.append(name, value));
                headers
            });
        assert!(cache.store().update_head(&found.id, &entry).await.unwrap());
    }
}

#[rstest]
#[tokio::test]
async fn validated_response_is_served_and_fresh_again(#[values(On::Memory, On::Redis, On::Sqlite)] on: On) {
    let origin = Origin::start(|seen| {
        let fields = [("Cache-Control", "max-age=60"), ("ETag", "\"1\"")];
        match seen.field("if-none-match").as_deref() {
            Some("\"1\"") => response(304, &fields, ""),
            _ => response(200, &fields, "a body"),
        }
    })
    .await;
    let (cache, _directory) = on.cache(PolicyKind::Rfc9111).await;
    let url = origin.url("/");
    assert_eq!(get(&cache, &url, &[]).await, (200, CacheOutcome::Miss, "a body".into()));
    assert_eq!(get(&cache, &url, &[]).await, (200, CacheOutcome::Hit, "a body".into()));
    age(&cache, &url, 120.0).await;
    assert_eq!(get(&cache, &url, &[]).await, (200, CacheOutcome::Revalidated, "a body".into()));
    assert_eq!(get(&cache, &url, &[]).await, (200, CacheOutcome::Hit, "a body".into()));
    assert_eq!(origin.count(), 2);
    // The condition of the caller is answered from the store.
    assert_eq!(get(&cache, &url, &[("If-None-Match", "\"1\"")]).await, (304, CacheOutcome::Hit, String::new()));
    assert_eq!(origin.count(), 2);
}

#[rstest]
#[tokio::test]
async fn not_modified_freshens_the_variant_that_it_names(#[values(On::Memory, On::Redis, On::Sqlite)] on: On) {
    let origin = Origin::start(|seen| {
        let asked = seen.field("accept-language").unwrap();
        let (language, _) = asked.split_once('-').unwrap_or((&asked, ""));
        let tag = format!("\"{language}\"");
        let fields = [("Cache-Control", "max-age=60"), ("Vary", "Accept-Language"), ("ETag", &tag)];
        match seen.field("if-none-match") {
            Some(known) if known.contains(&tag) => response(304, &fields, ""),
            _ => response(200, &fields, language),
        }
    })
    .await;
    let (cache, _directory) = on.cache(PolicyKind::Rfc9111).await;
    let url = origin.url("/");
    let get = async |language: &str| get(&cache, &url, &[("Accept-Language", language)]).await;
    for from in [CacheOutcome::Miss, CacheOutcome::Hit] {
        for language in ["en", "ja"] {
            assert_eq!(get(language).await, (200, from, language.into()));
        }
    }
    age(&cache, &url, 120.0).await;
    // Nothing is stored for it, and the origin validates one of the two.
    assert_eq!(get("en-GB").await, (200, CacheOutcome::Revalidated, "en".into()));
    assert_eq!(origin.seen()[2].field("if-none-match").unwrap(), "\"ja\", \"en\"");
    assert_eq!(get("en").await, (200, CacheOutcome::Hit, "en".into()));
    assert_eq!(get("ja").await, (200, CacheOutcome::Revalidated, "ja".into()));
    assert_eq!(origin.seen()[3].field("if-none-match").unwrap(), "\"ja\"");
    assert_eq!(origin.count(), 4);
}

#[rstest]
#[tokio::test]
async fn response_to_head_updates_or_removes(#[values(On::Memory, On::Redis, On::Sqlite)] on: On) {
    let origin = Origin::start(|seen| {
        let tag = if seen.number < 2 { "\"1\"" } else { "\"2\"" };
        let fields = [("Cache-Control", "max-age=60"), ("ETag", tag), ("Content-Length", "6")];
        response(200, &fields, if seen.method == "HEAD" { "" } else { "a body" })
    })
    .await;
    let (cache, _directory) = on.cache(PolicyKind::Rfc9111).await;
    let url = origin.url("/");
    let head = async || {
        let fetched = cache.client(ServiceName::new("jikan")).request(Method::HEAD, &url).send().await.unwrap();
        (fetched.status().as_u16(), fetched.cache_status().from)
    };
    get(&cache, &url, &[]).await;
    age(&cache, &url, 120.0).await;
    assert_eq!(head().await, (200, CacheOutcome::Miss));
    assert_eq!(get(&cache, &url, &[]).await, (200, CacheOutcome::Hit, "a body".into()));
    assert_eq!(origin.count(), 2);
    age(&cache, &url, 120.0).await;
    assert_eq!(head().await, (200, CacheOutcome::Miss));
    assert_eq!(get(&cache, &url, &[]).await, (200, CacheOutcome::Miss, "a body".into()));
    assert_eq!(origin.seen()[3].field("if-none-match"), None, "nothing is left to be validated");
}

#[rstest]
#[tokio::test]
async fn stale_while_revalidate_serves_and_revalidates_in_background(
    #[values(On::Memory, On::Redis, On::Sqlite)] on: On,
) {
    let origin = Origin::start(|seen| {
        response(200, &[("Cache-Control", "max-age=60, stale-while-revalidate=600")], format!("body {}", seen.number))
    })
    .await;
    let (cache, _directory) = on.cache(PolicyKind::Rfc9111).await;
    let url = origin.url("/");
    get(&cache, &url, &[]).await;
    age(&cache, &url, 120.0).await;
    assert_eq!(get(&cache, &url, &[]).await, (200, CacheOutcome::Stale, "body 0".into()));
    let refreshed = tokio::time::timeout(Duration::from_secs(10), async {
        loop {
            let answer = get(&cache, &url, &[]).await;
            if answer.1 == CacheOutcome::Hit {
                return answer.2;
            }
            tokio::task::yield_now().await;
        }
    });
    assert_eq!(refreshed.await.unwrap(), "body 1");
    assert_eq!(origin.count(), 2);
}

#[rstest]
#[tokio::test]
async fn stale_response_is_served_if_the_origin_is_unreachable(#[values(On::Memory, On::Redis, On::Sqlite)] on: On) {
    let origin = Origin::start(|_| response(200, &[("Cache-Control", "max-age=60")], "a body")).await;
    let (cache, _directory) = on.cache(PolicyKind::Rfc9111).await;
    let url = origin.url("/");
    get(&cache, &url, &[]).await;
    age(&cache, &url, 120.0).await;
    drop(origin);
    assert_eq!(get(&cache, &url, &[]).await, (200, CacheOutcome::Stale, "a body".into()));
}

#[rstest]
#[tokio::test]
async fn stale_response_replaces_an_error_if_allowed(#[values(On::Memory, On::Redis, On::Sqlite)] on: On) {
    let origin = Origin::start(|seen| {
        let allowed = if seen.target == "/allowed" { "max-age=60, stale-if-error=600" } else { "max-age=60" };
        let (status, body) = if seen.number < 2 { (200, "a body") } else { (503, "an error") };
        response(status, &[("Cache-Control", allowed)], body)
    })
    .await;
    let (cache, _directory) = on.cache(PolicyKind::Rfc9111).await;
    let stale = (200, CacheOutcome::Stale, "a body".to_owned());
    let error = (503, CacheOutcome::Miss, "an error".to_owned());
    let urls = ["/allowed", "/forbidden"].map(|path| origin.url(path));
    for url in &urls {
        get(&cache, url, &[]).await;
        age(&cache, url, 120.0).await;
    }
    for (url, expected) in urls.iter().zip([stale, error]) {
        assert_eq!(get(&cache, url, &[]).await, expected);
    }
    assert_eq!(origin.count(), 4);
}

#[rstest]
#[tokio::test]
async fn post_invalidates_the_stored_response(#[values(On::Memory, On::Redis, On::Sqlite)] on: On) {
    let origin = Origin::start(|seen| response(200, &[("Cache-Control", "max-age=60")], seen.number.to_string())).await;
    let (cache, _directory) = on.cache(PolicyKind::Rfc9111).await;
    let url = origin.url("/");
    assert_eq!(get(&cache, &url, &[]).await.2, "0");
    cache.client(ServiceName::new("jikan")).post(&url).data("x").send().await.unwrap().bytes().await.unwrap();
    assert_eq!(get(&cache, &url, &[]).await, (200, CacheOutcome::Miss, "2".into()));
}

#[rstest]
#[tokio::test]
async fn unsafe_request_invalidates_named_urls(#[values(On::Memory, On::Redis, On::Sqlite)] on: On) {
    let origin = Origin::start(|seen| match &*seen.method {
        "POST" => response(201, &[("Location", "/new"), ("Content-Location", "described")], ""),
        _ => response(200, &[("Cache-Control", "max-age=60")], &seen.target),
    })
    .await;
    let (cache, _directory) = on.cache(PolicyKind::Rfc9111).await;
    let paths = ["/new", "/list/described", "/described"];
    for path in paths {
        get(&cache, &origin.url(path), &[]).await;
    }
    cache.client(ServiceName::new("jikan")).post(origin.url("/list/")).data("x").send().await.unwrap();
    for (path, from) in paths.into_iter().zip([CacheOutcome::Miss, CacheOutcome::Miss, CacheOutcome::Hit]) {
        assert_eq!(get(&cache, &origin.url(path), &[]).await, (200, from, path.into()));
    }
}

enum Unsafe {
    Bypassed,
    UrlCredentials,
    IgnoringRfc9111,
    Delete,
}

#[rstest]
#[case(PolicyKind::Rfc9111, Unsafe::Bypassed)]
#[case(PolicyKind::Rfc9111, Unsafe::UrlCredentials)]
#[case(PolicyKind::Rfc9111, Unsafe::IgnoringRfc9111)]
#[case(PolicyKind::FixedTtl, Unsafe::Delete)]
#[case(PolicyKind::FixedTtl, Unsafe::Bypassed)]
#[tokio::test]
async fn every_unsafe_request_invalidates(#[case] policy: PolicyKind, #[case] request: Unsafe) {
    let origin = Origin::start(|_| response(200, &[("Cache-Control", "max-age=60")], "x")).await;
    let (cache, url) = (cache(policy), origin.url("/doc?a=1"));
    assert_eq!(get(&cache, &url, &[]).await.1, CacheOutcome::Miss);
    assert_eq!(get(&cache, &url, &[]).await.1, CacheOutcome::Hit);
    let client = cache.client(ServiceName::new("jikan"));
    let request = match request {
        Unsafe::Bypassed => client.bypassed().post(&url),
        Unsafe::UrlCredentials => client.post(url.replace("//", "//me:x@")),
        Unsafe::IgnoringRfc9111 => client.post(&url).ignore_rfc9111(),
        Unsafe::Delete => client.request(Method::DELETE, &url),
    };
    request.send().await.unwrap();
    assert_eq!(get(&cache, &url, &[]).await.1, CacheOutcome::Miss);
}

#[rstest]
#[tokio::test]
async fn fetch_before_an_invalidation_is_not_stored_after_it(#[values(On::Memory, On::Redis, On::Sqlite)] on: On) {
    let gate = Arc::new(Semaphore::new(0));
    let held = Arc::clone(&gate);
    let origin = Origin::start(move |seen| {
        let mut steps = if seen.number == 0 { vec![Step::Await(Arc::clone(&held))] } else { Vec::new() };
        steps.extend(response(200, &[("Cache-Control", "max-age=60")], seen.number.to_string()));
        steps
    })
    .await;
    let (cache, _directory) = on.cache(PolicyKind::Rfc9111).await;
    let url = origin.url("/");
    let changed = async {
        while origin.count() == 0 {
            tokio::task::yield_now().await;
        }
        cache.client(ServiceName::new("jikan")).post(&url).send().await.unwrap();
        gate.add_permits(1);
    };
    let (slow, ()) = tokio::join!(get(&cache, &url, &[]), changed);
    assert_eq!(slow.2, "0");
    assert_eq!(get(&cache, &url, &[]).await, (200, CacheOutcome::Miss, "2".into()));
    assert_eq!(get(&cache, &url, &[]).await, (200, CacheOutcome::Hit, "2".into()));
}

#[tokio::test]
async fn shared_cache_gives_the_cookie_of_one_user_to_no_other() {
    let origin = Origin::start(|seen| {
        let fields = match &*seen.target {
            "/session" => vec![("Last-Modified", "Mon, 02 Nov 2020 00:00:00 GMT")],
            "/public" => vec![("Cache-Control", "public, max-age=60")],
            _ => vec![("Cache-Control", "max-age=60")],
        };
        response(200, &[fields, vec![("Set-Cookie", "sid=1")]].concat(), "x")
    })
    .await;
    let client = cache(PolicyKind::Shared).client(ServiceName::new("jikan"));
    for (target, from, has_cookie) in [
        ("/session", CacheOutcome::Miss, true),
        ("/explicit", CacheOutcome::Hit, false),
        ("/public", CacheOutcome::Hit, true),
    ] {
        let first = client.get(origin.url(target)).send().await.unwrap();
        assert!(first.headers().contains_key("set-cookie"), "{target}");
        first.bytes().await.unwrap();
        let second = client.get(origin.url(target)).send().await.unwrap();
        let seen = (second.cache_status().from, second.headers().contains_key("set-cookie"));
        assert_eq!(seen, (from, has_cookie), "{target}");
    }
}

#[tokio::test]
async fn credentials_are_not_stored_where_vary_names_them() {
    let origin = Origin::start(|seen| {
        let fields = [("Cache-Control", "max-age=60"), ("Vary", "Authorization")];
        response(200, &fields, seen.field("authorization").unwrap_or_default())
    })
    .await;
    let (cache, url) = (cache(PolicyKind::Rfc9111), origin.url("/"));
    for (token, from) in [("A", CacheOutcome::Miss), ("B", CacheOutcome::Miss), ("A", CacheOutcome::Hit)] {
        let token = format!("Bearer SECRET-{token}");
        assert_eq!(get(&cache, &url, &[("Authorization", &token)]).await, (200, from, token));
    }
    let found = cache.store().lookup(&cache_core::hishel1_key(url.as_bytes()), None).await.unwrap();
    assert_eq!(found.len(), 2);
    assert!(found.iter().all(|found| !format!("{:?}", found.entry.request).contains("SECRET")), "{found:?}");
}

#[tokio::test]
async fn unsafe_request_invalidates_what_ignores_rfc_9111() {
    let origin = Origin::start(|_| response(200, &[("Cache-Control", "no-store")], "x")).await;
    let client = cache(PolicyKind::Rfc9111).client(ServiceName::new("jikan"));
    let read = async || {
        let fetched = client.get(origin.url("/")).ignore_rfc9111().send().await.unwrap();
        let from = fetched.cache_status().from;
        fetched.bytes().await.unwrap();
        from
    };
    assert_eq!((read().await, read().await), (CacheOutcome::Miss, CacheOutcome::Hit));
    client.post(origin.url("/")).send().await.unwrap();
    assert_eq!(read().await, CacheOutcome::Miss);
}

#[tokio::test]
async fn only_if_cached_without_a_stored_response_is_504() {
    let origin = Origin::start(|_| response(200, &[], "x")).await;
    let cache = cache(PolicyKind::Rfc9111);
    let answer = get(&cache, &origin.url("/"), &[("Cache-Control", "only-if-cached")]).await;
    assert_eq!(answer, (504, CacheOutcome::Miss, String::new()));
    assert_eq!(origin.count(), 0);
}

#[tokio::test]
async fn range_is_served_from_the_whole_stored_response() {
    let origin = Origin::start(|_| response(200, &[("Cache-Control", "max-age=60")], "0123456789")).await;
    let cache = Arc::new(redis_cache(PolicyKind::Rfc9111).0);
    let url = origin.url("/");
    get(&cache, &url, &[]).await;
    assert_eq!(get(&cache, &url, &[("Range", "bytes=2-4")]).await, (206, CacheOutcome::Hit, "234".into()));
    assert_eq!(origin.count(), 1);
}

#[tokio::test]
async fn redirects_are_stored_and_returned() {
    let origin = Origin::start(|_| response(301, &[("Location", "/new"), ("Cache-Control", "max-age=60")], "")).await;
    let cache = cache(PolicyKind::Rfc9111);
    for from in [CacheOutcome::Miss, CacheOutcome::Hit] {
        assert_eq!(get(&cache, &origin.url("/old"), &[]).await, (301, from, String::new()));
    }
    assert_eq!(origin.count(), 1);
}
