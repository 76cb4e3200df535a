//! The pipeline's policy: successful responses are served for the TTL of the service.

use std::io::Write as _;

use cache_core::{CacheOutcome, PolicyKind, RequestPayload, ServiceName, pipeline_key};
use rstest::rstest;
use serde_json::{Value, json};

use crate::cache;
use crate::origin::{Origin, Step, response};

#[tokio::test]
async fn successful_response_is_served_regardless_of_its_fields() {
    let origin = Origin::start(|seen| {
        response(200, &[("Cache-Control", "no-store"), ("X-Number", &seen.number.to_string())], "a body")
    })
    .await;
    let client = cache(PolicyKind::FixedTtl).client(ServiceName::new("jikan"));
    let url = origin.url("/v4/anime/1/full");

    let first = client.get(&url).send().await.unwrap();
    assert_eq!((first.status().as_u16(), first.cache_status().from), (200, CacheOutcome::Miss));
    assert_eq!(first.text().await.unwrap(), "a body");
    let second = client.get(&url).send().await.unwrap();
    assert_eq!(second.cache_status().from, CacheOutcome::Hit);
    assert_eq!(second.cache_status().cache_key, pipeline_key("GET", &url, &RequestPayload::default()));
    assert!(second.cache_status().age.unwrap() < 60.0);
    assert!(second.cache_status().ttl_left.unwrap() > 86_000.0);
    assert!(second.cache_status().entry.is_some());
    assert_eq!(second.headers()["x-number"], "0");
    assert_eq!(second.text().await.unwrap(), "a body");
    assert_eq!(origin.count(), 1);
}

#[tokio::test]
async fn failures_are_never_stored() {
    let origin = Origin::start(|_| response(404, &[("Cache-Control", "max-age=600")], "nothing")).await;
    let client = cache(PolicyKind::FixedTtl).client(ServiceName::new("jikan"));
    for _ in 0..2 {
        let fetched = client.get(origin.url("/")).send().await.unwrap();
        assert_eq!((fetched.status().as_u16(), fetched.cache_status().from), (404, CacheOutcome::Miss));
        assert_eq!(fetched.text().await.unwrap(), "nothing");
    }
    assert_eq!(origin.count(), 2);
}

#[tokio::test]
async fn key_contains_body_and_parameters() {
    let origin = Origin::start(|seen| response(200, &[], [seen.target.as_bytes(), b" ", &seen.body].concat())).await;
    let client = cache(PolicyKind::FixedTtl).client(ServiceName::new("anilist"));
    let post = |value: Value| client.post(origin.url("/graphql")).json(&value).send();
    for _ in 0..2 {
        assert_eq!(post(json!({"id": 1})).await.unwrap().text().await.unwrap(), r#"/graphql {"id":1}"#);
        assert_eq!(post(json!({"id": 2})).await.unwrap().text().await.unwrap(), r#"/graphql {"id":2}"#);
        for (params, target) in [([("q", "One Piece"), ("tag", "é")], "/graphql?q=One+Piece&tag=%C3%A9 ")] {
            let fetched = client.get(origin.url("/graphql")).params(params).send().await.unwrap();
            assert_eq!(fetched.text().await.unwrap(), target);
        }
    }
    let seen = origin.seen();
    assert_eq!(seen.len(), 3);
    assert_eq!(seen[0].field("content-type").as_deref(), Some("application/json"));
}

#[tokio::test]
async fn request_that_the_key_cannot_identify_bypasses_the_cache() {
    let origin = Origin::start(|seen| response(200, &[], seen.number.to_string())).await;
    let client = cache(PolicyKind::FixedTtl).client(ServiceName::new("jikan"));
    let conditions = ["range", "if-none-match", "if-unmodified-since"].map(|field| ("GET", Some(field)));
    for (method, field) in [("DELETE", None), ("HEAD", None)].into_iter().chain(conditions) {
        for _ in 0..2 {
            let mut request = client.request(method.parse().unwrap(), origin.url("/"));
            if let Some(field) = field {
                request = request.header(field, "x");
            }
            let fetched = request.send().await.unwrap();
            assert_eq!(fetched.cache_status().from, CacheOutcome::Bypass, "{method} {field:?}");
            fetched.bytes().await.unwrap();
        }
    }
    assert_eq!(origin.count(), 10);
}

#[tokio::test]
async fn partial_body_is_not_decoded() {
    let origin = Origin::start(|seen| match seen.field("accept-encoding").as_deref() {
        Some("identity") => response(206, &[("Content-Range", "bytes 2-4/9")], "art"),
        _ => response(206, &[("Content-Range", "bytes 2-4/9"), ("Content-Encoding", "gzip")], "\0\0\0"),
    })
    .await;
    let client = cache(PolicyKind::FixedTtl).client(ServiceName::new("jikan"));
    let plain = client.get(origin.url("/")).header("Range", "bytes=2-4").send().await.unwrap();
    assert_eq!(plain.text().await.unwrap(), "art");
    let request = client.get(origin.url("/")).header("Range", "bytes=2-4").header("Accept-Encoding", "gzip");
    let coded = request.send().await.unwrap();
    assert_eq!(coded.headers()["content-encoding"], "gzip");
    assert_eq!(coded.text().await.unwrap(), "\0\0\0");
}

#[rstest]
#[tokio::test]
async fn bodies_are_stored_decoded_as_in_the_pipeline(#[values("gzip", "zstd")] coding: &'static str) {
    let origin = Origin::start(move |_| {
        let body = &br#"{"title": "Cowboy Bebop"}"#[..];
        let encoded = if coding == "gzip" {
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
            encoder.write_all(body).unwrap();
            encoder.finish().unwrap()
        } else {
            ruzstd::encoding::compress_to_vec(body, ruzstd::encoding::CompressionLevel::Fastest)
        };
        response(200, &[("Content-Encoding", coding)], encoded)
    })
    .await;
    let client = cache(PolicyKind::FixedTtl).client(ServiceName::new("jikan"));
    for from in [CacheOutcome::Miss, CacheOutcome::Hit] {
        let fetched = client.get(origin.url("/")).send().await.unwrap();
        assert_eq!(fetched.cache_status().from, from);
        assert!(!fetched.headers().contains_key("content-encoding"));
        assert!(!fetched.headers().contains_key("content-length"));
        assert_eq!(fetched.json::<Value>().await.unwrap(), json!({"title": "Cowboy Bebop"}));
    }
    assert_eq!(origin.seen()[0].field("accept-encoding").as_deref(), Some("gzip, deflate"));
}

#[tokio::test]
async fn redirected_response_is_stored_under_the_requested_url() {
    let origin = Origin::start(|seen| match seen.target.as_str() {
        "/old" => response(301, &[("Location", "/new?token=hunter2")], ""),
        _ => response(200, &[], "here"),
    })
    .await;
    let cache = cache(PolicyKind::FixedTtl);
    let client = cache.client(ServiceName::new("jikan"));
    for from in [CacheOutcome::Miss, CacheOutcome::Hit] {
        let fetched = client.get(origin.url("/old")).send().await.unwrap();
        assert_eq!((fetched.status().as_u16(), fetched.cache_status().from), (200, from));
        assert_eq!(fetched.text().await.unwrap(), "here");
    }
    let key = pipeline_key("GET", &origin.url("/old"), &RequestPayload::default());
    let found = cache.store().lookup(&key, None).await.unwrap();
    assert_eq!(found[0].entry.request.url, origin.url("/new"));
    assert_eq!(origin.count(), 2);
}

#[tokio::test]
async fn credentials_and_hop_by_hop_fields_are_not_stored() {
    let origin = Origin::start(|_| {
        let chunked =
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nKeep-Alive: timeout=5\r\nX-Own: 1\r\n\r\n0\r\n\r\n";
        vec![Step::Send(chunked.to_vec())]
    })
    .await;
    let cache = cache(PolicyKind::FixedTtl);
    let url = origin.url("/?key=1").replace("//", "//user:hunter2@");
    let request = cache.client(ServiceName::new("jikan")).get(&url).header("Cookie", "a=1").header("Accept", "*/*");
    let fetched = request.send().await.unwrap();
    let key = fetched.cache_status().cache_key.clone();
    fetched.bytes().await.unwrap();
    let sent = &origin.seen()[0];
    assert_eq!((sent.field("cookie").as_deref(), sent.field("authorization").is_some()), (Some("a=1"), true));

    let found = cache.store().lookup(&key, None).await.unwrap();
    let (request, response) = (&found[0].entry.request, &found[0].entry.response);
    assert_eq!(request.url, origin.url("/?key=1"));
    assert_eq!(request.headers.iter().map(|(name, _)| name).collect::<Vec<_>>(), ["accept"]);
    assert_eq!(response.headers.iter().map(|(name, _)| name).collect::<Vec<_>>(), ["x-own"]);
}
