//! Scans list every entry once, with the same summary as other operations.

use std::collections::BTreeSet;
use std::sync::Arc;

use cache_core::{CacheKey, EntryId, Filter, Inspect, clock};
#[cfg(feature = "sqlite")]
use cache_core::{Error, IfMissing, Memory, ResultStore as _, Sqlite};

use crate::samples::{DAY, entry, list, put};
use crate::stores::Subject;

/// Stores entries and results, `each` of both.
async fn fill(store: &Arc<dyn Inspect>, each: usize) -> BTreeSet<EntryId> {
    let mut ids = BTreeSet::new();
    for number in 0..each {
        let entry = entry(&format!("https://api.jikan.moe/v4/anime/{number}"), number as f64);
        ids.insert(put(store, &entry, &"x".repeat(number), DAY).await);
        let key = format!("result_cache:anisearch_anime:{number}");
        store.set(&key, "{}".into(), DAY).await.unwrap();
        ids.insert(EntryId::key(key.into_bytes()));
    }
    ids
}

fn with_prefix(prefix: &str) -> Filter {
    Filter { prefix: Some(prefix.into()), ..Filter::default() }
}

pub async fn pages_hold_every_entry_once(s: Subject) {
    let stored = fill(&s.store, 25).await;
    for want in [1, 7, 50, 100_000] {
        let found: Vec<EntryId> =
            list(&s.store, &Filter::default(), want).await.into_iter().map(|summary| summary.id).collect();
        assert_eq!(found.len(), stored.len(), "in pages of {want}");
        assert_eq!(found.into_iter().collect::<BTreeSet<_>>(), stored, "in pages of {want}");
    }
    let mut from = None;
    let mut scanned = 0;
    loop {
        let page = s.store.scan(&Filter::default(), from, 10).await.unwrap();
        assert!(page.scanned >= scanned && page.total >= page.scanned.min(50));
        scanned = page.scanned;
        from = page.next;
        if from.is_none() {
            break;
        }
    }
    assert!(scanned >= 50, "only {scanned} were looked at");
}

pub async fn removals_between_pages_skip_no_entry(s: Subject) {
    let stored = fill(&s.store, 20).await;
    let mut found = BTreeSet::new();
    let mut from = None;
    loop {
        let page = s.store.scan(&Filter::default(), from, 5).await.unwrap();
        let ids: Vec<EntryId> = page.entries.into_iter().map(|summary| summary.id).collect();
        assert_eq!(s.store.remove(&ids).await.unwrap().entries, ids.len() as u64);
        found.extend(ids);
        match page.next {
            Some(next) => from = Some(next),
            None => break,
        }
    }
    assert_eq!(found, stored);
    assert_eq!(list(&s.store, &Filter::default(), 100).await, []);
}

#[cfg(feature = "sqlite")]
pub async fn a_cursor_of_another_store_expires(s: Subject) {
    fill(&s.store, 5).await;
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("other.db");
    let other: Arc<dyn Inspect> =
        Arc::new(Sqlite::open(&file, crate::services::services(), IfMissing::Create).await.unwrap());
    fill(&other, 5).await;
    let foreign = other.scan(&Filter::default(), None, 1).await.unwrap().next.unwrap();
    let outcome = s.store.scan(&Filter::default(), Some(foreign), 1).await;
    assert!(matches!(outcome, Err(Error::CursorExpired)), "{outcome:?}");

    let own = s.store.scan(&Filter::default(), None, 1).await.unwrap().next.unwrap();
    let outcome = other.scan(&Filter::default(), Some(own), 1).await;
    assert!(matches!(outcome, Err(Error::CursorExpired)), "{outcome:?}");
    // The memory store is the one that both of the above are not.
    let memory = Memory::new(crate::services::services());
    memory.set("result_cache:p:1", "1".into(), DAY).await.unwrap();
    let foreign = other.scan(&Filter::default(), None, 1).await.unwrap().next;
    assert!(matches!(memory.scan(&Filter::default(), foreign, 1).await, Err(Error::CursorExpired)));
}

pub async fn keys_may_hold_anything(s: Subject) {
    let keys = [
        "result_cache:p:a:b:c",
        "result_cache:p:*",
        "result_cache:p:[a-z]?\\*",
        "result_cache:p:line\nbreak\ttab",
        "result_cache:p:ワンピース",
        "result_cache:p: ",
        "result_cache:p:\u{1b}[31mred",
    ];
    for key in keys {
        s.store.set(key, key.to_owned().into(), DAY).await.unwrap();
    }
    let mut odd: BTreeSet<EntryId> = keys.iter().map(|key| EntryId::key(key.as_bytes())).collect();
    let not_utf8 = b"result_cache:p:\xff\x00\xfe";
    if s.put_raw_result(not_utf8, b"raw").await {
        odd.insert(EntryId::key(&not_utf8[..]));
    }
    let mut responses = BTreeSet::new();
    for key in [&b"a:b"[..], b"*", b"new\nline", b"\xff\xfe", "鍵".as_bytes()] {
        let mut entry = entry("https://api.jikan.moe/", 0.0);
        entry.cache_key = CacheKey::new(key);
        responses.insert(put(&s.store, &entry, "{}", DAY).await);
        let found = s.store.lookup(&entry.cache_key, None).await.unwrap();
        assert_eq!(found.iter().map(|found| found.entry.id).collect::<Vec<_>>(), [entry.id]);
    }

    for key in keys {
        assert_eq!(s.store.get(key).await.unwrap().unwrap().value, key);
    }
    let listed = list(&s.store, &with_prefix("result_cache:p:"), 3).await;
    assert_eq!(listed.into_iter().map(|summary| summary.id).collect::<BTreeSet<_>>(), odd);
    // A prefix is literal: the star chooses the one key that has it.
    let starred = list(&s.store, &with_prefix("result_cache:p:*"), 3).await;
    assert_eq!(starred.len(), 1);
    assert_eq!(s.store.remove(&[starred[0].id.clone()]).await.unwrap().entries, 1);
    odd.remove(&starred[0].id);
    for id in &odd {
        assert!(s.store.raw_body(id, 100).await.unwrap().is_some(), "{id:?}");
        assert_eq!(s.store.remove(std::slice::from_ref(id)).await.unwrap().entries, 1, "{id:?}");
    }
    let left = list(&s.store, &Filter::default(), 100).await.into_iter().map(|summary| summary.id);
    let first = EntryId::key(&b"result_cache:first"[..]);
    assert_eq!(left.filter(|id| *id != first).collect::<BTreeSet<_>>(), responses);
}

pub async fn details_match_the_summary_in_the_list(s: Subject) {
    let mut posted = entry("https://graphql.anilist.co", 100.0);
    posted.request.method = "POST".into();
    let body = r#"{"data": {"Media": {"title": {"romaji": "Cowboy Bebop"}}}}"#;
    put(&s.store, &posted, body, DAY).await;
    put(&s.store, &entry("https://kitsu.io/api/edge/anime/1", 0.0), "{}", DAY).await;
    s.store.set("result_cache:anisearch_anime:1", "\"v\"".into(), DAY).await.unwrap();

    let listed = list(&s.store, &Filter::default(), 100).await;
    assert_eq!(listed.len(), 3);
    for summary in listed {
        let one = s.store.details(&summary.id).await.unwrap().unwrap();
        // Redis reports the remaining TTL, not the expiry: two replies differ by the time between them.
        let (a, b) = (summary.expires_at.unwrap(), one.summary.expires_at.unwrap());
        assert!((a - b).abs() < 1.0);
        let mut alike = one.summary.clone();
        alike.expires_at = summary.expires_at;
        alike.last_used = summary.last_used;
        assert_eq!(alike, summary);
        assert_eq!(one.entry.is_some(), summary.http.is_some());
        assert_eq!(s.store.raw_body(&summary.id, usize::MAX).await.unwrap().unwrap().len() as u64, summary.size);
        if let Some(http) = &summary.http {
            let entry = one.entry.unwrap();
            assert_eq!((entry.request.method.as_str(), entry.request.url.as_str()), (&*http.method, &*http.url));
            assert_eq!(entry.cache_key, http.cache_key);
            assert_eq!(http.title.as_deref(), (entry.request.method == "POST").then_some("Cowboy Bebop"));
            assert!(summary.last_used.is_none_or(|at| at <= clock::now() + 1.0));
            assert_eq!(one.chunks, 1);
        }
    }
    let missing = EntryId::Http(s.layout, uuid::Uuid::new_v4());
    assert_eq!(s.store.details(&missing).await.unwrap(), None);
    assert_eq!(s.store.raw_body(&missing, 10).await.unwrap(), None);
}

pub async fn an_empty_store_lists_nothing(s: Subject) {
    assert_eq!(list(&s.store, &Filter::default(), 10).await, []);
    assert_eq!(s.store.info().await.unwrap().keys, Some(0));
    assert!(s.store.info().await.unwrap().version.is_some());
    assert_eq!(s.store.health().await.backend, s.store.id());
    assert!(s.store.lookup(&CacheKey::new(&b"x"[..]), None).await.unwrap().is_empty());
}

pub async fn private_data_of_programs_is_not_listed(s: Subject) {
    let key = "animecache:runs";
    s.store.set(key, "[1]".into(), DAY).await.unwrap();
    s.store.set(key, "[1, 2]".into(), DAY).await.unwrap();
    let stored = fill(&s.store, 3).await;
    assert_eq!(s.store.get(key).await.unwrap().unwrap().value, &b"[1, 2]"[..]);
    for want in [1, 100] {
        let listed = list(&s.store, &Filter::default(), want).await.into_iter().map(|summary| summary.id);
        assert_eq!(listed.collect::<BTreeSet<_>>(), stored, "in pages of {want}");
    }
    let wholes = [Filter { key: cache_core::Glob::new("*").ok(), ..Filter::default() }, with_prefix("")];
    for filter in wholes.into_iter().chain([with_prefix("animecache"), with_prefix(key)]) {
        let listed = list(&s.store, &filter, 100).await;
        assert!(listed.iter().all(|summary| stored.contains(&summary.id)), "{filter:?}: {listed:?}");
    }
    let ids: Vec<_> = stored.into_iter().collect();
    s.store.remove(&ids).await.unwrap();
    assert!(s.store.get(key).await.unwrap().is_some(), "it outlives a flush of everything");
}
