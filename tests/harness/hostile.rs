//! A cache that holds a secret in every place of a list, and one that holds escape sequences in every field.

#![allow(dead_code, reason = "shared by tests that each need another part of it")]

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use cache_core::{CacheKey, Entry, Request, Response, Store, clock};
use serde_json::Value;
use uuid::Uuid;

/// What no output may contain as it is: it sets the clipboard, reorders text and colors it.
pub const HOSTILE: &str = "\x1b]52;c;aGk=\x07\u{2066}\u{202e}\u{9b}31m";

const DAY: Duration = Duration::from_secs(86_400);

/// A place that holds a secret.
pub struct Place {
    pub marker: String,
    pub text: String,
    record: Value,
}

/// The places of the list.
pub fn places() -> Vec<Place> {
    let records = include_str!("../fixtures/secrets.ndjson").lines().map(|line| serde_json::from_str(line).unwrap());
    let place = |record: Value| Place { marker: field(&record, "marker"), text: field(&record, "text"), record };
    records.map(place).collect()
}

fn field(record: &Value, name: &str) -> String {
    record[name].as_str().unwrap_or_default().to_owned()
}

/// Stores an entry or a result for each place; returns the names under which `show` finds them.
pub async fn fill_with_secrets(store: &dyn Store) -> Vec<String> {
    let mut names = Vec::new();
    for (number, place) in places().iter().enumerate() {
        let of = |name: &str| field(&place.record, name);
        let mut entry = entry(number as u128 + 1);
        let mut body = b"{}".to_vec();
        match &*of("place") {
            "key" => {
                store.set(&place.text, "{}".into(), DAY).await.unwrap();
                names.push(place.text.clone());
                continue;
            }
            "url" => {
                entry.request.url.clone_from(&place.text);
                entry.cache_key = CacheKey::new(place.text.as_bytes());
            }
            "request-header" => entry.request.headers.append(&of("name"), place.text.clone()),
            "response-header" => entry.response.headers.append(&of("name"), place.text.clone()),
            kind => {
                if kind == "title" {
                    entry.request.method = "POST".into();
                }
                body = match STANDARD.decode(of("base64")).unwrap() {
                    bytes if bytes.is_empty() => place.text.clone().into_bytes(),
                    bytes => bytes,
                };
                entry.response.headers.append("content-type", of("type"));
                if !of("coding").is_empty() {
                    entry.response.headers.append("content-encoding", of("coding"));
                }
            }
        }
        names.push(entry.id.to_string());
        put(store, entry, body).await;
    }
    names
}

/// Stores an entry and two results with [`HOSTILE`] in every field; returns the names under which `show` finds them.
pub async fn fill_with_escapes(store: &dyn Store) -> Vec<String> {
    let mut entry = entry(0xe5c);
    entry.cache_key = CacheKey::new(format!("GET:{HOSTILE}").into_bytes());
    entry.request.method = format!("POST{HOSTILE}");
    entry.request.url = format!("https://api.jikan.moe/v4/{HOSTILE}");
    entry.request.headers.append(&format!("x-{HOSTILE}"), format!("v{HOSTILE}"));
    entry.response.headers.append(&format!("x-{HOSTILE}"), format!("v{HOSTILE}"));
    entry.response.headers.append("content-type", format!("application/json{HOSTILE}"));
    let body = serde_json::json!({"title": format!("Title {HOSTILE}")}).to_string();
    let id = entry.id.to_string();
    put(store, entry, format!("{body}\n{HOSTILE}").into_bytes()).await;
    let key = format!("result_cache:prefix{HOSTILE}:82fce6a05e45281a:{HOSTILE}");
    store.set(&key, format!("\"{HOSTILE}").into(), DAY).await.unwrap();
    vec![id, key]
}

fn entry(number: u128) -> Entry {
    let url = format!("https://api.jikan.moe/v4/anime/{number}");
    Entry {
        id: Uuid::from_u128(number),
        cache_key: CacheKey::new(url.as_bytes()),
        request: Request { method: "GET".into(), url, ..Request::default() },
        response: Response { status_code: 200, ..Response::default() },
        created_at: Some(clock::now()),
        deleted_at: None,
    }
}

async fn put(store: &dyn Store, entry: Entry, body: Vec<u8>) {
    let mut writer = store.insert(entry, Some(DAY)).await.unwrap();
    writer.write(body.into()).await.unwrap();
    writer.commit().await.unwrap();
}

/// The markers of [`places`] in an output.
pub fn leaks(output: &str) -> Vec<String> {
    let markers = output.match_indices("S3CRET").map(|(at, _)| output[at..].chars().take(10).collect());
    markers.collect()
}

/// The characters of an output that affect a terminal.
pub fn escapes(output: &str) -> String {
    let affects =
        |c: &char| c.is_control() && *c != '\n' || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    output.chars().filter(affects).collect()
}
