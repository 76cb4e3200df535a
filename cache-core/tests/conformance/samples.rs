//! Entries to store, and the first steps of most tests.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use cache_core::{Cursor, Entry, EntryId, Filter, Headers, Inspect, Request, Response, Summary, clock, collect_body};
use uuid::Uuid;

pub const HOUR: Duration = Duration::from_secs(3_600);
pub const DAY: Duration = Duration::from_secs(86_400);

/// A response to `GET url`, stored `ago` seconds before now under a key made from the URL.
pub fn entry(url: &str, ago: f64) -> Entry {
    Entry {
        id: Uuid::new_v4(),
        cache_key: cache_core::hishel1_key(url.as_bytes()),
        request: Request {
            method: "GET".into(),
            url: url.into(),
            headers: Headers::from_iter([("accept", "*/*"), ("x-caf", "café")]),
            ..Request::default()
        },
        response: Response {
            status_code: 200,
            headers: Headers::from_iter([
                ("content-type", "application/json"),
                ("set-cookie", "a=1"),
                ("set-cookie", "b=2"),
                ("cache-control", "max-age=600"),
            ]),
            ..Response::default()
        },
        created_at: Some(clock::now() - ago),
        deleted_at: None,
    }
}

/// Stores an entry with its body in one chunk.
pub async fn put(store: &Arc<dyn Inspect>, entry: &Entry, body: &str, ttl: Duration) -> EntryId {
    let mut writer = store.insert(entry.clone(), Some(ttl)).await.unwrap();
    writer.write(Bytes::copy_from_slice(body.as_bytes())).await.unwrap();
    writer.commit().await.unwrap()
}

/// All entries that match a filter, in pages of about `want`.
pub async fn list(store: &Arc<dyn Inspect>, filter: &Filter, want: usize) -> Vec<Summary> {
    let mut found = Vec::new();
    let mut from: Option<Cursor> = None;
    loop {
        let page = store.scan(filter, from, want).await.unwrap();
        found.extend(page.entries);
        match page.next {
            Some(next) => from = Some(next),
            None => return found,
        }
    }
}

/// The live entry with this id, as lists show it.
pub async fn listed(store: &Arc<dyn Inspect>, id: &EntryId) -> Option<Summary> {
    list(store, &Filter::default(), 100).await.into_iter().find(|summary| summary.id == *id)
}

/// Polls until the condition is `true`.
pub async fn eventually(mut is_so: impl AsyncFnMut() -> bool) {
    let limit = tokio::time::Instant::now() + Duration::from_secs(10);
    while !is_so().await {
        assert!(tokio::time::Instant::now() < limit, "it did not come about within 10 s");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Tolerance of times: they have a precision of milliseconds or seconds, and the test itself takes time.
pub fn is_about(actual: Option<f64>, expected: f64) -> bool {
    actual.is_some_and(|actual| (actual - expected).abs() < 5.0)
}

/// The body as a cache would serve it.
pub async fn body_of(store: &dyn Inspect, id: &EntryId) -> Option<Bytes> {
    match store.body(id).await.unwrap() {
        Some(body) => Some(collect_body(body).await.unwrap()),
        None => None,
    }
}
