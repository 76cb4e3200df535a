//! Recorded bytes of the real programs: they decode to what Python's decoder read, and encode to the same bytes.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD as BASE64;
use serde_json::{Value, json};

use crate::format::hex::sha256_hex;
use crate::format::msgpack;
use crate::model::entry::Entry;

const COMPLETE: &[u8] = b"__STREAM_COMPLETE__";

fn fixture(name: &str) -> String {
    let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name);
    std::fs::read_to_string(file).unwrap()
}

fn expected(name: &str) -> Vec<Value> {
    serde_json::from_str(&fixture(&format!("{name}.expected.json"))).unwrap()
}

fn bytes(value: &Value) -> Vec<u8> {
    BASE64.decode(value.as_str().unwrap()).unwrap()
}

/// The head of a request or response without metadata, which hishel 2 does not store.
fn bare(head: &impl serde::Serialize) -> Value {
    let mut head = json!(head);
    assert_eq!(head.as_object_mut().unwrap().remove("extra"), Some(json!({})));
    head
}

/// The values of a recording, by key.
fn recorded(name: &str) -> BTreeMap<String, Value> {
    let text = fixture(&format!("{name}.ndjson"));
    let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    lines.map(|line| (line["key"].as_str().unwrap().to_owned(), line["value"].clone())).collect()
}

/// The elements of a recorded list; a key that is not there is an empty list to Redis.
fn elements(list: Option<&Value>) -> Vec<Vec<u8>> {
    list.map(|list| list.as_array().unwrap().iter().map(bytes).collect()).unwrap_or_default()
}

fn base64(bytes: &[u8]) -> Value {
    json!({ "base64": BASE64.encode(bytes) })
}

/// An entry in the shape of the expected files.
fn pair(entry: &Entry) -> Value {
    json!({
        "id": base64(entry.id.as_bytes()),
        "request": entry.request,
        "response": entry.response,
        "meta": { "created_at": entry.created_at, "deleted_at": entry.deleted_at },
        "cache_key": base64(entry.cache_key.as_bytes()),
    })
}

fn assert_body(expected: &Value, body: &[u8]) {
    assert_eq!(expected["body_len"], body.len(), "{}", expected["redis_key"]);
    assert_eq!(expected["body_sha256"], sha256_hex(body), "{}", expected["redis_key"]);
}

#[test]
fn layout_a_decodes_and_encodes_as_the_pipeline_does() {
    let recorded = recorded("pipeline");
    for expected in expected("pipeline") {
        let key = expected["redis_key"].as_str().unwrap();
        let data = bytes(&recorded[key]["data"]);
        let entry = msgpack::decode_pair(&data).unwrap();
        assert_eq!(pair(&entry), expected["pair"], "{key}");
        assert_eq!(msgpack::encode_pair(&entry), data, "{key}");
        assert_eq!(bytes(&recorded[key]["cache_key"]), entry.cache_key.as_bytes());
        assert_eq!(recorded[key].get("deleted_at").is_some(), entry.is_deleted(), "{key}");

        let mut chunks = elements(recorded.get(&key.replace(":entry:", ":stream:")));
        assert_eq!(chunks.pop_if(|chunk| chunk == COMPLETE).is_some(), expected["complete"], "{key}");
        assert_body(&expected, &chunks.concat());
    }
}

#[test]
fn layout_b_decodes_and_encodes_as_hishel_1_does() {
    let recorded = recorded("hishel-1.3.redis");
    for expected in expected("hishel-1.3.redis") {
        let key = expected["redis_key"].as_str().unwrap();
        let data = bytes(&recorded[key]);
        let entry = msgpack::decode_pair(&data).unwrap();
        assert_eq!(pair(&entry), expected["pair"], "{key}");
        assert_eq!(msgpack::encode_pair(&entry), data, "{key}");

        let is_done = recorded.contains_key(&key.replace(":entry:", ":stream_done:"));
        assert_eq!(is_done, expected["complete"], "{key}");
        assert_body(&expected, &elements(recorded.get(&key.replace(":entry:", ":stream:"))).concat());
    }
}

#[test]
fn layout_d_decodes_and_encodes_as_hishel_2_does() {
    let recorded = recorded("hishel-2.0.redis");
    for expected in expected("hishel-2.0.redis") {
        let key = expected["redis_key"].as_str().unwrap();
        let data = bytes(&recorded[key]);
        let (request, response) = msgpack::decode_head(&data).unwrap();
        assert_eq!(json!({ "request": bare(&request), "response": bare(&response) }), expected["pair"], "{key}");

        let mark = bytes(&recorded[&key.replace(":entry:", ":stream_done:")]);
        let done = msgpack::decode_done(&mark).unwrap();
        assert_eq!(msgpack::encode_done(&done), mark, "{key}");
        let of_done = json!({
            "chunk_count": done.chunk_count,
            "ttl_deadline": done.ttl_deadline,
            "tti": done.tti,
            "cache_key": done.cache_key.to_string(),
        });
        assert_eq!(of_done, expected["done"], "{key}");
        let id = key.rsplit(':').next().unwrap().parse().unwrap();
        let entry = Entry { id, cache_key: done.cache_key, request, response, created_at: None, deleted_at: None };
        assert_eq!(msgpack::encode_head(&entry), data, "{key}");

        let chunks = elements(recorded.get(&key.replace(":entry:", ":stream:")));
        assert_eq!(done.chunk_count == chunks.len() as u64, expected["complete"], "{key}");
        assert_body(&expected, &chunks.concat());
    }
}
