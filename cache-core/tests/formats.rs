//! Recorded bytes of the real programs: they decode to what Python's decoder read, and encode to the same bytes.

#![allow(clippy::unwrap_used)]

#[path = "harness/services.rs"]
mod services;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD as BASE64;
use cache_core::hex::sha256_hex;
use cache_core::{
    Entry, EntryDetails, EntryId, EntryState, Filter, FormValue, IfMissing, Inspect, RequestPayload, ServiceName,
    Sqlite, StorageLayout, clock, msgpack, pages, pipeline_key,
};
use futures_util::TryStreamExt;
use serde_json::{Value, json};

const COMPLETE: &[u8] = b"__STREAM_COMPLETE__";

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

fn expected(name: &str) -> Vec<Value> {
    let text = std::fs::read(fixture(&format!("{name}.expected.json"))).unwrap();
    serde_json::from_slice(&text).unwrap()
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
    let text = std::fs::read_to_string(fixture(&format!("{name}.ndjson"))).unwrap();
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

/// Everything in a copy of a recorded file, with the bytes that it is stored as.
async fn entries_of(name: &str) -> Vec<(EntryDetails, Vec<u8>, Vec<u8>)> {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join(name);
    std::fs::copy(fixture(name), &file).unwrap();
    let connection = rusqlite::Connection::open(&file).unwrap();
    let mut services = services::services();
    // The recordings grow older, and stay what they were.
    services.get_mut(ServiceName::OTHER).ttl = std::time::Duration::from_secs(100 * 365 * 86_400);
    let store: Arc<dyn Inspect> = Arc::new(Sqlite::open(&file, services, IfMissing::Fail).await.unwrap());
    let pages: Vec<_> = pages(Arc::clone(&store), Filter::default()).try_collect().await.unwrap();
    let mut found = Vec::new();
    for summary in pages.into_iter().flat_map(|page| page.entries) {
        let inspected = store.details(&summary.id).await.unwrap().unwrap();
        assert_eq!(inspected.summary, summary);
        let body = store.raw_body(&summary.id, usize::MAX).await.unwrap().unwrap();
        let EntryId::Http(_, id) = summary.id else { panic!("a recorded file holds HTTP entries only") };
        let data = "SELECT data FROM entries WHERE id = ?1";
        let data = connection.query_row(data, [id.as_bytes()], |row| row.get(0)).unwrap();
        found.push((inspected, data, body.to_vec()));
    }
    found
}

/// What the recordings of the same requests have in common: all but times, ids and the headers that name programs.
fn essence(request: &Value, response: &Value, body_len: usize, sha256: &str) -> String {
    let mut headers = response["headers"].clone();
    headers.as_object_mut().unwrap().remove("date");
    let own_ttl = request["extra"].get("hishel_ttl");
    json!([request["method"], request["url"], own_ttl, response["status_code"], headers, body_len, sha256]).to_string()
}

fn essences(entries: &[(EntryDetails, Vec<u8>, Vec<u8>)]) -> Vec<String> {
    let mut all: Vec<String> = entries
        .iter()
        .map(|(found, _, body)| {
            let entry = found.entry.as_ref().unwrap();
            essence(&json!(entry.request), &json!(entry.response), body.len(), &sha256_hex(body))
        })
        .collect();
    all.sort();
    all
}

fn expected_essences(name: &str) -> Vec<String> {
    let mut all: Vec<String> = expected(name)
        .iter()
        .map(|expected| {
            let (pair, length) = (&expected["pair"], expected["body_len"].as_u64().unwrap() as usize);
            essence(&pair["request"], &pair["response"], length, expected["body_sha256"].as_str().unwrap())
        })
        .collect();
    all.sort();
    all
}

#[tokio::test]
async fn layout_c_holds_what_hishel_1_stored_in_redis_too() {
    let entries = entries_of("hishel-1.3.db").await;
    assert_eq!(essences(&entries), expected_essences("hishel-1.3.redis"));
    for (found, data, _) in entries.iter().chain(&entries_of("hishel-1.0.db").await) {
        let entry = found.entry.as_ref().unwrap();
        assert_eq!(msgpack::encode_pair(entry), *data);
        assert_eq!(found.summary.id, EntryId::Http(StorageLayout::Sqlite1, entry.id));
        // One has a TTL of its own, which has passed since it was recorded.
        let is_over = found.summary.expires_at.is_some_and(|at| at <= clock::now());
        assert_eq!(found.summary.state, if is_over { EntryState::Deleted } else { EntryState::Live });
    }
}

#[tokio::test]
async fn hishel_1_0_stored_the_same_bodies() {
    let known = expected("hishel-1.3.redis");
    let entries = entries_of("hishel-1.0.db").await;
    assert_eq!(entries.len(), 5);
    for (found, _, body) in entries {
        let entry = found.entry.unwrap();
        let alike = known.iter().find(|known| known["pair"]["request"]["url"] == entry.request.url.as_str()).unwrap();
        assert_eq!(alike["pair"]["response"]["status_code"], entry.response.status_code);
        assert_body(alike, &body);
    }
}

#[tokio::test]
async fn layout_e_holds_what_hishel_2_stored_in_redis_too() {
    let entries = entries_of("hishel-2.0.db").await;
    assert_eq!(essences(&entries), expected_essences("hishel-2.0.redis"));
    for (found, data, _) in &entries {
        let entry = found.entry.as_ref().unwrap();
        assert_eq!(msgpack::encode_head(entry), *data);
        assert_eq!(found.summary.id, EntryId::Http(StorageLayout::Sqlite2, entry.id));
        assert_eq!((entry.created_at, found.summary.created_at), (None, None));
        assert!(found.summary.last_used.is_some() && found.summary.expires_at.is_some());
        assert!(!entry.cache_key.as_bytes().is_empty());
    }
}

#[test]
fn pipeline_keys_are_the_recorded_ones() {
    // The worked keys of the pipeline, computed with its own code.
    let get = |url: &str, params: &[(&str, &str)]| {
        let form = FormValue::pairs(params.iter().copied());
        let payload = RequestPayload { params: (!params.is_empty()).then_some(&form), ..RequestPayload::default() };
        pipeline_key("GET", url, &payload).to_string()
    };
    assert_eq!(
        get("https://api.jikan.moe/v4/anime/1/full", &[]),
        "GET:444dfee7563f94510277001649c36877b0832ca404d0cce8ebe7c498dd633bae"
    );
    assert_eq!(
        get("https://kitsu.io/api/edge/anime/1/episodes", &[("page[offset]", "0"), ("page[limit]", "20")]),
        "GET:1ee6ae4830b093817b18840667b839a063484e7f1a9dc3806487874ad2ee5582"
    );
    assert_eq!(
        get(
            "http://api.anidb.net:9001/httpapi",
            &[
                ("request", "anime"),
                ("client", "animeenrichment"),
                ("clientver", "1.0"),
                ("protover", "1"),
                ("aid", "23")
            ]
        ),
        "GET:45fd4be866ff306bb7cc30eb66d95353bc984b69ab483da731723f60a9175c16"
    );
    assert_eq!(
        get("https://animeschedule.net/api/v3/anime?q=Cowboy Bebop", &[]),
        "GET:fe580aee8a614dce869ab732d55a11eb5e80d1c6eeae9de1f62bc1d8a6420348"
    );
}
