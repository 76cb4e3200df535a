//! Files that are missing, locked, damaged or of another format: a clear error, or an entry in its true state.

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;

use cache_core::{
    BackendKind, EntryId, EntryState, Error, Filter, IfMissing, Inspect, ResultStore as _, Sqlite, StorageLayout,
    Summary, clock,
};
use rusqlite::Connection;

use crate::samples::{DAY, body_of, entry, eventually, list, put};
use crate::stores;

async fn open(file: &Path, missing: IfMissing) -> cache_core::Result<Sqlite> {
    Sqlite::open(file, crate::services::services(), missing).await
}

fn source(error: &Error) -> String {
    std::error::Error::source(error).map(ToString::to_string).unwrap_or_default()
}

#[tokio::test]
async fn missing_file_is_created_only_if_configured() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("none.db");
    let error = open(&file, IfMissing::Fail).await.err().unwrap();
    assert!(matches!(&error, Error::Missing { backend } if backend.kind == BackendKind::Sqlite), "{error:?}");

    let empty: Arc<dyn Inspect> = Arc::new(open(&file, IfMissing::Empty).await.unwrap());
    assert_eq!(list(&empty, &Filter::default(), 10).await, []);
    assert_eq!(empty.get("result_cache:p:1").await.unwrap(), None);
    assert_eq!(empty.health().await.problem, None);
    let refused = empty.set("result_cache:p:1", "1".into(), DAY).await;
    assert!(matches!(refused, Err(Error::Missing { .. })), "{refused:?}");
    assert!(!file.exists());

    // Another program starts to use the file.
    let other = open(&file, IfMissing::Create).await.unwrap();
    other.set("result_cache:p:1", "1".into(), DAY).await.unwrap();
    assert!(empty.get("result_cache:p:1").await.unwrap().is_some());
}

#[tokio::test]
async fn reading_a_file_does_not_change_it() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("http_cache.db");
    std::fs::copy(stores::fixture("hishel-1.0.db"), &file).unwrap();
    let before = std::fs::read(&file).unwrap();
    let store: Arc<dyn Inspect> = Arc::new(open(&file, IfMissing::Fail).await.unwrap());
    assert_eq!(list(&store, &Filter::default(), 3).await.len(), 5);
    store.info().await.unwrap();
    drop(store);
    assert!(std::fs::read(&file).unwrap() == before);
}

#[tokio::test]
async fn a_file_that_is_no_cache_is_refused_with_a_reason() {
    let directory = tempfile::tempdir().unwrap();
    let text = directory.path().join("text.db");
    std::fs::write(&text, "not a database, but long enough to look like one. ".repeat(100)).unwrap();
    let other_columns = directory.path().join("columns.db");
    Connection::open(&other_columns).unwrap().execute_batch("CREATE TABLE entries (id, title)").unwrap();
    let other_tables = directory.path().join("tables.db");
    Connection::open(&other_tables).unwrap().execute_batch("CREATE TABLE cookies (id)").unwrap();
    let cut = directory.path().join("cut.db");
    std::fs::write(&cut, &std::fs::read(stores::fixture("hishel-1.3.db")).unwrap()[..5_000]).unwrap();

    for (file, reason) in [
        (text.as_path(), "file is not a database"),
        (&other_columns, "unexpected columns"),
        (&other_tables, "table 'entries' not found"),
        (&cut, "malformed"),
        (directory.path(), "unable to open"),
    ] {
        let error = open(file, IfMissing::Fail).await.err().unwrap();
        assert!(matches!(error, Error::Refused { .. }) && !error.is_temporary(), "{error:?}");
        assert!(source(&error).contains(reason), "{}", source(&error));
    }
}

#[tokio::test]
async fn a_locked_file_is_a_temporary_error() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("http_cache.db");
    let store = open(&file, IfMissing::Create).await.unwrap();
    let other = Connection::open(&file).unwrap();
    other.execute_batch("BEGIN EXCLUSIVE").unwrap();
    let error = store.set("result_cache:p:1", "1".into(), DAY).await.unwrap_err();
    assert!(error.is_temporary(), "{error:?}");
    assert!(source(&error).contains("locked"), "{}", source(&error));
    // Readers are not locked out by a writer.
    assert_eq!(store.get("result_cache:p:1").await.unwrap(), None);
    other.execute_batch("COMMIT").unwrap();
    store.set("result_cache:p:1", "1".into(), DAY).await.unwrap();
}

#[tokio::test]
async fn a_deleted_file_is_made_again_as_at_first() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("deeper").join("http_cache.db");
    let store: Arc<dyn Inspect> = Arc::new(open(&file, IfMissing::Create).await.unwrap());
    let stored = entry("https://api.jikan.moe/v4/anime/1", 0.0);
    put(&store, &stored, "{}", DAY).await;
    for removes_log in [true, false] {
        if removes_log {
            std::fs::remove_dir_all(file.parent().unwrap()).unwrap();
        } else {
            std::fs::remove_file(&file).unwrap();
        }
        assert!(store.lookup(&stored.cache_key, Some(DAY)).await.unwrap().is_empty());
        let id = put(&store, &stored, "again", DAY).await;
        assert_eq!(body_of(&*store, &id).await.unwrap(), "again");
        let other = open(&file, IfMissing::Fail).await.unwrap();
        assert_eq!(body_of(&other, &id).await.unwrap(), "again", "other programs find it");
    }
}

#[tokio::test]
async fn a_deleted_file_of_another_program_stays_deleted() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("http_cache.db");
    drop(open(&file, IfMissing::Create).await.unwrap());
    let store: Arc<dyn Inspect> = Arc::new(open(&file, IfMissing::Fail).await.unwrap());
    let stored = entry("https://api.jikan.moe/v4/anime/1", 0.0);
    let id = put(&store, &stored, "{}", DAY).await;
    let mut writer = store.insert(stored.clone(), Some(DAY)).await.unwrap();
    writer.write("{}".into()).await.unwrap();
    std::fs::remove_file(&file).unwrap();

    let is_missing = |error: Option<Error>| assert!(matches!(error, Some(Error::Missing { .. })), "{error:?}");
    is_missing(store.lookup(&stored.cache_key, Some(DAY)).await.err());
    is_missing(store.body(&id).await.err());
    is_missing(store.set("result_cache:p:1", "1".into(), DAY).await.err());
    is_missing(writer.commit().await.err());
    assert!(store.health().await.problem.is_some());
    assert!(!file.exists());
}

#[tokio::test]
async fn a_replaced_file_is_reopened() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("http_cache.db");
    let store: Arc<dyn Inspect> = Arc::new(open(&file, IfMissing::Create).await.unwrap());
    let stored = entry("https://api.jikan.moe/v4/anime/1", 0.0);
    put(&store, &stored, "old", DAY).await;
    // As at a new start, and as a program with another layout.
    for part in ["", "-wal", "-shm"] {
        std::fs::remove_file(format!("{}{part}", file.display())).unwrap();
    }
    std::fs::copy(stores::fixture("hishel-2.0.db"), &file).unwrap();

    assert!(store.lookup(&stored.cache_key, None).await.unwrap().is_empty());
    let id = put(&store, &stored, "new", DAY).await;
    assert_eq!(id, EntryId::Http(StorageLayout::Sqlite2, stored.id));
    assert_eq!(body_of(&*store, &id).await.unwrap(), "new");
    let other = open(&file, IfMissing::Fail).await.unwrap();
    assert_eq!(body_of(&other, &id).await.unwrap(), "new", "whoever opens the file finds it");
}

#[tokio::test]
async fn a_file_damaged_under_the_store_is_an_error() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("http_cache.db");
    {
        let store: Arc<dyn Inspect> = Arc::new(open(&file, IfMissing::Create).await.unwrap());
        for number in 0..200 {
            let url = format!("https://api.jikan.moe/v4/anime/{number}");
            put(&store, &entry(&url, 0.0), &"x".repeat(2_000), DAY).await;
        }
    }
    eventually(async || !directory.path().join("http_cache.db-wal").exists()).await;
    // The schema stays; the trees of the tables do not.
    let mut bytes = std::fs::read(&file).unwrap();
    bytes[8_192..].fill(0xa5);
    std::fs::write(&file, &bytes).unwrap();
    let store: Arc<dyn Inspect> = Arc::new(open(&file, IfMissing::Fail).await.unwrap());
    let stored = entry("https://api.jikan.moe/v4/anime/1", 0.0);
    for outcome in [
        store.lookup(&stored.cache_key, Some(DAY)).await.map(drop),
        store.scan(&Filter::default(), None, 1_000).await.map(drop),
        store.insert(stored, Some(DAY)).await.unwrap().commit().await.map(drop),
    ] {
        assert!(matches!(&outcome, Err(Error::Refused { .. })), "{outcome:?}");
    }
}

/// A file of layout C with one complete entry, changed by `sql`.
async fn damaged(sql: &str) -> (Arc<dyn Inspect>, EntryId, stores::Subject) {
    let subject = stores::sqlite1().await;
    let id = put(&subject.store, &entry("https://api.jikan.moe/v4/anime/1", 0.0), "{}", DAY).await;
    put(&subject.store, &entry("https://api.jikan.moe/v4/anime/2", 0.0), "{}", DAY).await;
    let stores::Raw::Sqlite(file) = &subject.raw else { unreachable!("a SQLite subject") };
    let connection = Connection::open(file).unwrap();
    connection.pragma_update(None, "foreign_keys", false).unwrap();
    connection.execute_batch(sql).unwrap();
    (Arc::clone(&subject.store), id, subject)
}

#[tokio::test]
async fn a_damaged_entry_is_listed_and_can_be_removed() {
    for (sql, state) in [
        ("UPDATE entries SET data = x'c1' WHERE rowid = 1", EntryState::Corrupt),
        ("UPDATE entries SET data = x'' WHERE rowid = 1", EntryState::Corrupt),
        ("UPDATE entries SET data = 'text' WHERE rowid = 1", EntryState::Corrupt),
        ("UPDATE entries SET data = 17 WHERE rowid = 1", EntryState::Corrupt),
        ("UPDATE entries SET data = SUBSTR(data, 1, 100) WHERE rowid = 1", EntryState::Corrupt),
        ("UPDATE entries SET data = CAST(data || x'00' AS BLOB) WHERE rowid = 1", EntryState::Corrupt),
        ("UPDATE entries SET id = x'0102' WHERE rowid = 1", EntryState::Corrupt),
        ("UPDATE entries SET id = NULL WHERE rowid = 1", EntryState::Corrupt),
        ("UPDATE entries SET id = 'sixteen letters.' WHERE rowid = 1", EntryState::Corrupt),
        (
            "DELETE FROM streams WHERE chunk_number = -1 AND entry_id = (SELECT id FROM entries WHERE rowid = 1)",
            EntryState::Incomplete,
        ),
        ("DELETE FROM streams WHERE entry_id = (SELECT id FROM entries WHERE rowid = 1)", EntryState::Incomplete),
        (
            "UPDATE streams SET chunk_number = 5 WHERE chunk_number = 0 AND entry_id = (SELECT id FROM entries WHERE rowid = 1)",
            EntryState::Incomplete,
        ),
        ("DELETE FROM entries WHERE rowid = 1", EntryState::Orphan),
    ] {
        let (store, id, _keep) = damaged(sql).await;
        let found = list(&store, &Filter::default(), 1).await;
        let live = found.iter().filter(|summary| summary.state == EntryState::Live).count();
        let odd: Vec<&Summary> = found.iter().filter(|summary| summary.state == state).collect();
        // An entry that lost its id leaves its body behind as an orphan.
        let orphans = found.iter().filter(|summary| summary.state == EntryState::Orphan).count();
        assert_eq!((live, odd.len()), (1, 1), "{sql}: {found:?}");
        assert!(found.len() == 2 || orphans == 1 && found.len() == 3, "{sql}: {found:?}");

        assert_eq!(body_of(&*store, &id).await, None, "{sql}");
        let one = store.details(&odd[0].id).await.unwrap().unwrap();
        assert_eq!(one.summary.state, state, "{sql}");
        assert_eq!(one.summary.problem.is_some(), state != EntryState::Incomplete, "{sql}");
        store.raw_body(&odd[0].id, 10).await.unwrap();
        let ids: Vec<EntryId> = found
            .iter()
            .filter(|summary| summary.state != EntryState::Live)
            .map(|summary| summary.id.clone())
            .collect();
        assert_eq!(store.remove(&ids).await.unwrap().entries, ids.len() as u64, "{sql}");
        let left = list(&store, &Filter::default(), 10).await;
        assert_eq!(left.iter().map(|summary| summary.state).collect::<Vec<_>>(), [EntryState::Live], "{sql}");
    }
}

#[tokio::test]
async fn soft_deleted_entries_are_listed_and_not_served() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("http_cache.db");
    std::fs::copy(stores::fixture("hishel-2.0.db"), &file).unwrap();
    let connection = Connection::open(&file).unwrap();
    connection
        .execute_batch(
            "UPDATE entries SET expires_at = 4e9; UPDATE entries SET expires_at = 0 WHERE rowid <= 2;
             UPDATE entries SET chunk_count = NULL WHERE rowid = 2;
             DELETE FROM streams WHERE entry_id = (SELECT id FROM entries WHERE rowid = 3);",
        )
        .unwrap();
    let store: Arc<dyn Inspect> = Arc::new(open(&file, IfMissing::Fail).await.unwrap());
    let found = list(&store, &Filter::default(), 5).await;
    let states: Vec<EntryState> = found.iter().map(|summary| summary.state).take(4).collect();
    assert_eq!(states, [EntryState::Deleted, EntryState::Incomplete, EntryState::Incomplete, EntryState::Live]);
    for summary in &found {
        assert_eq!(body_of(&*store, &summary.id).await.is_some(), summary.state == EntryState::Live);
        assert!(matches!(summary.id, EntryId::Http(StorageLayout::Sqlite2, _)));
        assert_eq!((summary.created_at, summary.last_used.is_some()), (None, true));
    }
    assert_eq!(store.expire(&[found[0].id.clone()], Some(DAY)).await.unwrap(), 0);
    assert!(clock::now() < 4e9);
}

/// The directory of a file whose result is read by a user without write permission.
const READER: &str = "ANIMECACHE_TEST_READS";

#[tokio::test]
async fn a_file_of_another_user_is_looked_at_anew_each_time() {
    if let Some(file) = std::env::var_os(READER) {
        return read_and_report(Path::new(&file)).await;
    }
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("http_cache.db");
    let write = async |value: &'static str| {
        let store = open(&file, IfMissing::Create).await.unwrap();
        store.set("result_cache:p:1", value.into(), DAY).await.unwrap();
        drop(store);
        eventually(async || !directory.path().join("http_cache.db-wal").exists()).await;
    };
    write("1").await;
    std::fs::set_permissions(directory.path(), PermissionsExt::from_mode(0o755)).unwrap();
    let mut reader = std::process::Command::new("setpriv");
    reader.args(["--reuid=65534", "--regid=65534", "--clear-groups"]).arg(std::env::current_exe().unwrap());
    let name = "opening::a_file_of_another_user_is_looked_at_anew_each_time";
    reader.args([name, "--exact", "--nocapture"]).env(READER, &file);
    let Ok(mut reader) = reader.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn() else {
        return;
    };
    let mut lines = BufReader::new(reader.stdout.take().unwrap()).lines().map_while(Result::ok);
    let mut said = |wanted: &str| lines.any(|line| line.ends_with(wanted));
    // Another user cannot be had everywhere.
    if !said("read 1") {
        return;
    }
    write("2").await;
    writeln!(reader.stdin.take().unwrap()).unwrap();
    assert!(said("read 2"), "it was changed by its owner");
    assert!(reader.wait().unwrap().success());
}

async fn read_and_report(file: &Path) {
    let store = open(file, IfMissing::Fail).await.unwrap();
    for _ in 0..2 {
        let value = store.get("result_cache:p:1").await.unwrap().unwrap().value;
        println!("\nread {}", std::str::from_utf8(&value).unwrap());
        std::io::stdin().read_line(&mut String::new()).unwrap();
    }
}
