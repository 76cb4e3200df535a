//! Tests of reads, and of their latency, while another program writes to the file.

use std::path::Path;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use futures_util::FutureExt as _;

use crate::model::entry::{Entry, Request, Response};
use crate::model::key::CacheKey;
use crate::model::service::ServiceRegistry;
use crate::store::sqlite::database::Database;
use crate::store::sqlite::if_missing::IfMissing;
use crate::store::sqlite::rows::Reader;
use crate::store::sqlite::schema::BUSY_TIMEOUT;
use crate::store::sqlite::store::{QUICK_READ, Sqlite};
use crate::store::traits::ResponseStore as _;

/// A new file with one entry under the cache key `key`.
async fn with_an_entry(file: &Path) -> Sqlite {
    let store = Sqlite::open(file, ServiceRegistry::default(), IfMissing::Create).await.unwrap();
    let entry = Entry {
        id: uuid::Uuid::new_v4(),
        cache_key: CacheKey::new(*b"key"),
        request: Request { method: "GET".into(), url: "https://api.example.com/".into(), ..Request::default() },
        response: Response { status_code: 200, ..Response::default() },
        created_at: None,
        deleted_at: None,
    };
    let writer = store.insert(entry, Some(Duration::from_secs(100))).await.unwrap();
    writer.commit().await.unwrap();
    store
}

#[tokio::test]
async fn a_hit_waits_for_the_lock_on_a_thread_of_its_own() {
    let directory = tempfile::tempdir().unwrap();
    let (ours, file) = (directory.path().join("ours.db"), directory.path().join("http_cache.db"));
    let _ours = with_an_entry(&ours).await;
    // A copy has the journal mode of a file that hishel created: no program reads while another one writes.
    rusqlite::Connection::open(&ours).unwrap().execute("VACUUM INTO ?1", [file.to_str().unwrap()]).unwrap();
    let other = rusqlite::Connection::open(&file).unwrap();
    let store = Sqlite::open(&file, ServiceRegistry::default(), IfMissing::Fail).await.unwrap();
    let key = CacheKey::new(*b"key");
    assert_eq!(store.lookup(&key, None).await.unwrap().len(), 1);

    store.is_quick.store(true, Ordering::Relaxed);
    other.execute_batch("BEGIN EXCLUSIVE").unwrap();
    let begun = Instant::now();
    let mut hit = pin!(store.lookup(&key, None));
    assert!(hit.as_mut().now_or_never().is_none());
    assert!(begun.elapsed() < BUSY_TIMEOUT);
    other.execute_batch("COMMIT").unwrap();
    assert_eq!(hit.await.unwrap().len(), 1);
}

#[tokio::test]
async fn hits_run_on_the_callers_thread_only_while_quick() {
    let directory = tempfile::tempdir().unwrap();
    let store = with_an_entry(&directory.path().join("http_cache.db")).await;
    let here = thread::current().id();
    let place = || store.read_quickly("saying where", |_, _| Ok(thread::current().id()));
    // The first one finds out.
    assert_ne!(place().await.unwrap(), here);
    while place().await.unwrap() != here {}

    let slow = |_: &Database, _: &Reader<'_>| {
        let begun = Instant::now();
        while begun.elapsed() <= QUICK_READ {}
        Ok(())
    };
    store.read_quickly("being slow", slow).await.unwrap();
    assert_ne!(place().await.unwrap(), here);
}

#[tokio::test]
async fn hits_meanwhile_leave_one_write_to_be_done() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("http_cache.db");
    drop(with_an_entry(&file).await);
    let store = Sqlite::open(&file, ServiceRegistry::default(), IfMissing::Fail).await.unwrap();

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

    // If the file is missing when a write runs, that write is lost, but none after it.
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
