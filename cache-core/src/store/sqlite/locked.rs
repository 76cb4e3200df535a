//! Tests: a file that another program is writing to.

use std::sync::Arc;
use std::time::Duration;

use crate::entry::{Entry, Request, Response};
use crate::key::CacheKey;
use crate::service::Services;
use crate::store::Store as _;
use crate::store::sqlite::{Missing, Sqlite};

#[tokio::test]
async fn hits_meanwhile_leave_one_write_to_be_done() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("http_cache.db");
    let store = Sqlite::open(&file, Services::default(), Missing::Create).await.unwrap();
    let entry = Entry {
        id: uuid::Uuid::new_v4(),
        cache_key: CacheKey::new(*b"key"),
        request: Request { method: "GET".into(), url: "https://api.jikan.moe/".into(), ..Request::default() },
        response: Response { status_code: 200, ..Response::default() },
        created_at: None,
        deleted_at: None,
    };
    let writer = store.begin(entry, Some(Duration::from_secs(100))).await.unwrap();
    writer.commit().await.unwrap();

    let other = rusqlite::Connection::open(&file).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let day = Duration::from_secs(86_400);
    for _ in 0..100 {
        assert_eq!(store.lookup(&CacheKey::new(*b"key"), Some(day)).await.unwrap().len(), 1);
    }
    // The store itself, the write that waits for the lock, and the one behind that.
    assert!(Arc::strong_count(&store.renewals) <= 3, "{}", Arc::strong_count(&store.renewals));
    other.execute_batch("COMMIT").unwrap();
    store.writer.run("waiting", |_| Ok(())).await.unwrap();
    let found = store.lookup(&CacheKey::new(*b"key"), None).await.unwrap();
    assert!(found[0].expires_at.unwrap() > crate::clock::now() + 1_000.0);

    // Where the file is gone when its turn comes, that write is lost, but none after it.
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    store.writer.run_later("waiting for the lock", |database| {
        database?.change()?;
        Ok(())
    });
    let week = 7 * day;
    store.lookup(&CacheKey::new(*b"key"), Some(week)).await.unwrap();
    let elsewhere = directory.path().join("elsewhere");
    std::fs::rename(&file, &elsewhere).unwrap();
    other.execute_batch("COMMIT").unwrap();
    store.writer.run("waiting", |_| Ok(())).await.unwrap_err();
    std::fs::rename(&elsewhere, &file).unwrap();
    store.lookup(&CacheKey::new(*b"key"), Some(week)).await.unwrap();
    store.writer.run("waiting", |_| Ok(())).await.unwrap();
    let found = store.lookup(&CacheKey::new(*b"key"), None).await.unwrap();
    assert!(found[0].expires_at.unwrap() > crate::clock::now() + 2.0 * day.as_secs_f64());
}
