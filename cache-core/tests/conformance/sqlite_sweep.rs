//! A SQLite file does not grow for ever: expired entries are deleted after writes.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use cache_core::{Entry, EntryState, Filter, IfMissing, Inspect, Sqlite, StorageLayout, clock};
use rusqlite::Connection;
use uuid::Uuid;

use crate::pair::encode_pair;
use crate::samples::{DAY, entry, eventually, list, put};
use crate::stores::{self, Raw, Subject};

fn file(subject: &Subject) -> &Path {
    let Raw::Sqlite(file) = &subject.raw else { unreachable!("a SQLite subject") };
    file
}

fn count(file: &Path, table: &str) -> u64 {
    let sql = format!("SELECT COUNT(*) FROM {table}");
    Connection::open(file).unwrap().query_row(&sql, [], |row| row.get::<_, i64>(0)).unwrap() as u64
}

/// Stores enough entries for the sweep to reach every row.
async fn go_round(subject: &Subject, rows: u64) {
    for number in 0..rows {
        subject.store.set(&format!("result_cache:p:{number}"), "1".into(), DAY).await.unwrap();
    }
}

#[tokio::test]
async fn expired_results_make_room_for_new_ones() {
    let subject = stores::sqlite1().await;
    for number in 0..500 {
        let key = format!("result_cache:p:{number}");
        subject.store.set(&key, "1".into(), Duration::ZERO).await.unwrap();
    }
    assert!(count(file(&subject), "animecache_results") < 100);
}

/// Puts an entry of layout C beside the store, stored `ago` seconds before now, with these body rows.
fn insert_old(connection: &Connection, ago: f64, ttl: f64, rows: &[i64]) -> Uuid {
    let mut old: Entry = entry("https://api.jikan.moe/v4/anime/1", ago);
    old.request.extra.set_ttl(ttl);
    let sql = "INSERT INTO entries (id, cache_key, data, created_at) VALUES (?1, ?2, ?3, ?4)";
    let key = old.cache_key.as_bytes();
    connection.execute(sql, (old.id.as_bytes(), key, encode_pair(&old), old.created_at)).unwrap();
    for row in rows {
        let sql = "INSERT INTO streams (entry_id, chunk_number, chunk_data) VALUES (?1, ?2, x'7b7d')";
        connection.execute(sql, (old.id.as_bytes(), row)).unwrap();
    }
    old.id
}

#[tokio::test]
async fn dead_entries_make_room_and_others_stay() {
    let subject = stores::sqlite1().await;
    let live = entry("https://kitsu.io/api/edge/anime/1", 3_000_000.0);
    let live = put(&subject.store, &live, "{}", DAY).await;
    let connection = Connection::open(file(&subject)).unwrap();
    for _ in 0..150 {
        insert_old(&connection, 86_400.0, 60.0, &[0, -1]);
    }
    // Kept: it may still be read or written.
    let just_expired = insert_old(&connection, 100.0, 60.0, &[0, -1]);
    let unfinished = insert_old(&connection, 1_000.0, 2_000.0, &[0]);
    connection
        .execute("UPDATE entries SET data = x'c1' WHERE id = ?1", [insert_old(&connection, 1e6, 60.0, &[]).as_bytes()])
        .unwrap();
    // Kept: hishel may take long to write it, and the file does not say whether it still does.
    let slow = insert_old(&connection, 86_400.0, 1e6, &[0]);
    connection.pragma_update(None, "foreign_keys", false).unwrap();
    connection
        .execute("INSERT INTO streams (entry_id, chunk_number, chunk_data) VALUES (RANDOMBLOB(16), 0, x'7b7d')", [])
        .unwrap();
    drop(connection);

    go_round(&subject, 200).await;
    let entries =
        list(&subject.store, &Filter { kind: Some(cache_core::CacheKind::Http), ..Filter::default() }, 100).await;
    let mut found: Vec<_> = entries.iter().map(|entry| (entry.state, entry.id.clone())).collect();
    found.sort_by_key(|(state, _)| state.name());
    assert_eq!(
        found.iter().map(|(state, _)| *state).collect::<Vec<_>>(),
        [EntryState::Corrupt, EntryState::Deleted, EntryState::Incomplete, EntryState::Incomplete, EntryState::Live]
    );
    let of = |id| cache_core::EntryId::Http(StorageLayout::Sqlite1, id);
    assert_eq!((&found[1].1, &found[4].1), (&of(just_expired), &live));
    assert!([&found[2].1, &found[3].1].into_iter().all(|id| [of(unfinished), of(slow)].contains(id)));
    assert_eq!(count(file(&subject), "streams"), 2 + 2 + 1 + 1);
    assert_eq!(count(file(&subject), "animecache_results"), 200);
}

/// Marked as deleted two hours ago, and stored without a TTL.
fn mark_deleted(connection: &Connection, url: &str) {
    let mut gone = entry(url, 86_400.0);
    gone.deleted_at = Some(clock::now() - 7_200.0);
    let sql = "INSERT INTO entries (id, cache_key, data, created_at, deleted_at) VALUES (?1, ?2, ?3, ?4, ?5)";
    let key = gone.cache_key.as_bytes();
    let row = (gone.id.as_bytes(), key, encode_pair(&gone), gone.created_at, gone.deleted_at);
    connection.execute(sql, row).unwrap();
}

#[tokio::test]
async fn entries_of_hishel_without_a_ttl_are_live_and_stay() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("http_cache.db");
    std::fs::copy(stores::fixture("hishel-1.3.db"), &file).unwrap();
    let connection = Connection::open(&file).unwrap();
    mark_deleted(&connection, "https://api.jikan.moe/v4/anime/1");
    let store: Arc<dyn Inspect> =
        Arc::new(Sqlite::open(&file, crate::services::services(), IfMissing::Fail).await.unwrap());
    let before = list(&store, &Filter::default(), 100).await;
    let live: Vec<_> = before.iter().filter(|entry| entry.state == EntryState::Live).collect();
    assert_eq!(live.len(), 9);
    assert!(live.iter().all(|entry| entry.is_expiry_unknown()));

    for number in 0..100 {
        store.set(&format!("result_cache:p:{number}"), "1".into(), DAY).await.unwrap();
        for entry in &live {
            let found = store.lookup(&entry.http.as_ref().unwrap().cache_key, Some(DAY)).await.unwrap();
            assert!(!found.is_empty() && found[0].expires_at.is_none(), "a hit does not shorten what has no end");
        }
    }
    // Gone: the one with a TTL of its own, years ago, and the one that was marked.
    let http = Filter { kind: Some(cache_core::CacheKind::Http), ..Filter::default() };
    let after = list(&store, &http, 100).await;
    assert_eq!(
        after.iter().map(|entry| &entry.id).collect::<Vec<_>>(),
        live.iter().map(|entry| &entry.id).collect::<Vec<_>>()
    );

    let ids: Vec<_> = live.iter().map(|entry| entry.id.clone()).collect();
    assert_eq!(store.expire(&ids, Some(DAY)).await.unwrap(), 9);
    let changed = list(&store, &http, 100).await;
    assert!(changed.iter().all(|entry| entry.ttl(clock::now()).is_some_and(|ttl| ttl > 86_000.0)));
}

#[tokio::test]
async fn in_layout_e_too() {
    let subject = stores::sqlite2().await;
    for number in 0..20 {
        put(&subject.store, &entry(&format!("https://kitsu.io/{number}"), 0.0), "{}", DAY).await;
    }
    let now = clock::now();
    Connection::open(file(&subject))
        .unwrap()
        .execute_batch(&format!(
            "UPDATE entries SET expires_at = 0 WHERE rowid <= 5;
             UPDATE entries SET expires_at = {} WHERE rowid BETWEEN 6 AND 10;
             UPDATE entries SET expires_at = {} WHERE rowid = 11;
             UPDATE entries SET expires_at = 0, chunk_count = NULL, last_accessed_at = {} WHERE rowid = 12;
             UPDATE entries SET expires_at = 0, chunk_count = NULL, last_accessed_at = {now} WHERE rowid = 13;",
            now - 1_000.0,
            now - 10.0,
            now - 10_000.0,
        ))
        .unwrap();
    go_round(&subject, 64).await;
    assert_eq!(count(file(&subject), "entries"), 20 - 10);
    assert_eq!(count(file(&subject), "streams"), 20 - 10);
}

#[tokio::test]
async fn a_dropped_store_closes_its_file() {
    let subject = stores::sqlite1().await;
    let file = file(&subject).to_owned();
    let stored = entry("https://kitsu.io/", 0.0);
    let id = put(&subject.store, &stored, &"x".repeat(1_000_000), DAY).await;
    let body = subject.store.body(&id).await.unwrap();
    let mut writer = subject.store.insert(entry("https://kitsu.io/2", 0.0), Some(DAY)).await.unwrap();
    writer.write(vec![b'x'; 3_000_000].into()).await.unwrap();
    assert!(has_open(&file));
    let Subject { store, .. } = subject;
    drop((store, writer));
    // Current readers may continue.
    assert_eq!(cache_core::collect_body(body.unwrap()).await.unwrap().len(), 1_000_000);
    eventually(async || !has_open(&file)).await;
    // All data is in one file, which may be moved or deleted.
    assert_eq!(std::fs::read_dir(file.parent().unwrap()).unwrap().count(), 1);
}

/// Whether this process has a file, or its journal, open.
fn has_open(file: &Path) -> bool {
    let open = std::fs::read_dir("/proc/self/fd").unwrap();
    open.flatten()
        .filter_map(|fd| std::fs::read_link(fd.path()).ok())
        .any(|open| open.starts_with(file) || open.to_string_lossy().starts_with(&*file.to_string_lossy()))
}
