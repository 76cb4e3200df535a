//! Responses that the Python pipeline stored are hits.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use cache_core::{CacheOutcome, FormValue, PolicyKind, ServiceName};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::{redis_cache, redis_server};

/// Puts a recording of the pipeline's Redis into another one.
async fn load(url: &str) -> redis::aio::MultiplexedConnection {
    let bytes = |value: &Value| STANDARD.decode(value.as_str().unwrap()).unwrap();
    let mut pipe = redis::pipe();
    for line in include_str!("../fixtures/pipeline.ndjson").lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        let key = line["key"].as_str().unwrap();
        match line["type"].as_str().unwrap() {
            "string" => drop(pipe.cmd("SET").arg(key).arg(bytes(&line["value"]))),
            "hash" => {
                for (field, value) in line["value"].as_object().unwrap() {
                    pipe.cmd("HSET").arg(key).arg(field).arg(bytes(value));
                }
            }
            kind => {
                let command = if kind == "list" { "RPUSH" } else { "SADD" };
                for member in line["value"].as_array().unwrap() {
                    pipe.cmd(command).arg(key).arg(bytes(member));
                }
            }
        }
        pipe.cmd("EXPIRE").arg(key).arg(100);
    }
    let mut connection = redis_server::connection(url).await;
    pipe.query_async::<()>(&mut connection).await.unwrap();
    connection
}

#[tokio::test]
async fn response_stored_by_the_pipeline_is_a_hit() {
    let (cache, url) = redis_cache(PolicyKind::FixedTtl);
    let mut connection = load(&url).await;
    // Nothing listens there: what is no hit is an error.
    let client = cache.client(ServiceName::OTHER);
    for (path, params, sha256) in [
        ("/v4/anime/21/full", &[][..], None),
        ("/v4/anime", &[("q", "One Piece"), ("limit", "1")], None),
        ("/binary", &[], Some("c8f5d0341d54d951a71b136e6e2afcb14d11ed8489a7ae126a8fee0df6ecf193")),
        ("/empty", &[], Some("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")),
        ("/latin", &[], None),
        ("/gz", &[], None),
        ("/gz?decoded=1", &[], None),
    ] {
        let params: FormValue = params.iter().copied().collect();
        let fetched = client.get(format!("http://127.0.0.1:8999{path}")).params(params).send().await.unwrap();
        assert_eq!(fetched.cache_status().from, CacheOutcome::Hit, "{path}");
        assert!(fetched.cache_status().ttl_left.unwrap() > 86_000.0, "{path}: a hit refreshes the TTL");
        let fields = fetched.headers().clone();
        assert!(!fields.contains_key("content-encoding"), "{path}");
        let body = fetched.bytes().await.unwrap();
        match path {
            "/latin" => assert_eq!(fields["x-latin"].as_bytes(), "café".as_bytes()),
            _ if path.starts_with("/gz") => assert_eq!(&body[..], br#"{"zipped":true}"#, "{path}"),
            _ => {}
        }
        if let Some(expected) = sha256 {
            assert_eq!(hex::encode(Sha256::digest(&body)), expected, "{path}");
        }
    }
    let stream = "hishel_cache:stream:e7b28522-26a3-4d5d-9ba7-6ee6562b98eb";
    let left: i64 = redis::cmd("TTL").arg(stream).query_async(&mut connection).await.unwrap();
    assert!(left > 86_000, "the body lives as long as its entry: {left}");
}
