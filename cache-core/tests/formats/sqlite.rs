//! Recorded SQLite files, read through the store.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use cache_core::{EntryDetails, EntryId, EntryState, Filter, IfMissing, Inspect, Sqlite, StorageLayout, pages};
use futures_util::TryStreamExt;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

fn expected(name: &str) -> Vec<Value> {
    let text = std::fs::read(fixture(&format!("{name}.expected.json"))).unwrap();
    serde_json::from_slice(&text).unwrap()
}

fn sha256_hex(body: &[u8]) -> String {
    hex::encode(Sha256::digest(body))
}

/// Everything in a copy of a recorded file, with its bodies.
async fn entries_of(name: &str) -> Vec<(EntryDetails, Vec<u8>)> {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join(name);
    std::fs::copy(fixture(name), &file).unwrap();
    let services = crate::services::services();
    let store: Arc<dyn Inspect> = Arc::new(Sqlite::open(&file, services, IfMissing::Fail).await.unwrap());
    let pages: Vec<_> = pages(Arc::clone(&store), Filter::default()).try_collect().await.unwrap();
    let mut found = Vec::new();
    for summary in pages.into_iter().flat_map(|page| page.entries) {
        let inspected = store.details(&summary.id).await.unwrap().unwrap();
        assert_eq!(inspected.summary, summary);
        let body = store.raw_body(&summary.id, usize::MAX).await.unwrap().unwrap();
        found.push((inspected, body.to_vec()));
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

fn essences(entries: &[(EntryDetails, Vec<u8>)]) -> Vec<String> {
    let mut all: Vec<String> = entries
        .iter()
        .map(|(found, body)| {
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
    for (found, _) in entries.iter().chain(&entries_of("hishel-1.0.db").await) {
        let entry = found.entry.as_ref().unwrap();
        assert_eq!(found.summary.id, EntryId::Http(StorageLayout::Sqlite1, entry.id));
        // One has a TTL of its own, which has passed since it was recorded; the file does not record that of the others.
        let has_own_ttl = entry.request.extra.ttl().is_some();
        assert_eq!(found.summary.is_expiry_unknown(), !has_own_ttl);
        assert_eq!(found.summary.state, if has_own_ttl { EntryState::Deleted } else { EntryState::Live });
    }
}

#[tokio::test]
async fn hishel_1_0_stored_the_same_bodies() {
    let known = expected("hishel-1.3.redis");
    let entries = entries_of("hishel-1.0.db").await;
    assert_eq!(entries.len(), 5);
    for (found, body) in entries {
        let entry = found.entry.unwrap();
        let alike = known.iter().find(|known| known["pair"]["request"]["url"] == entry.request.url.as_str()).unwrap();
        assert_eq!(alike["pair"]["response"]["status_code"], entry.response.status_code);
        assert_eq!((&alike["body_len"], &alike["body_sha256"]), (&json!(body.len()), &json!(sha256_hex(&body))));
    }
}

#[tokio::test]
async fn layout_e_holds_what_hishel_2_stored_in_redis_too() {
    let entries = entries_of("hishel-2.0.db").await;
    assert_eq!(essences(&entries), expected_essences("hishel-2.0.redis"));
    for (found, _) in &entries {
        let entry = found.entry.as_ref().unwrap();
        assert_eq!(found.summary.id, EntryId::Http(StorageLayout::Sqlite2, entry.id));
        assert_eq!((entry.created_at, found.summary.created_at), (None, None));
        assert!(found.summary.last_used.is_some() && found.summary.expires_at.is_some());
        assert!(!entry.cache_key.as_bytes().is_empty());
    }
}
