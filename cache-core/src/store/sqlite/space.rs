//! The space of the file: its bound, what is free in it, and giving free pages back to the file system.

use std::time::Duration;

use rusqlite::Connection;

use crate::store::sqlite::failure::{Failure, is_locked};
use crate::store::sqlite::schema::BUSY_TIMEOUT;

/// The largest size of the file, in bytes: this crate does not store beyond it. Other programs may.
pub(crate) const MAX_FILE_BYTES: u64 = 4 << 30;

/// Above this share of the bound, the oldest entries make room.
const FULL: f64 = 0.9;

/// The number of pages that are given back at once: other programs write in between.
const PAGES: u32 = 256;

/// `PRAGMA auto_vacuum` of a file that can give pages back without being rewritten.
const INCREMENTAL: i64 = 2;

/// The size of the file and of its free pages, in bytes.
#[derive(Clone, Copy)]
pub(crate) struct FileSpace {
    pub(crate) size: u64,
    pub(crate) free: u64,
}

impl FileSpace {
    pub(crate) fn read(connection: &Connection) -> Result<Self, Failure> {
        let pragma = |name: &str| -> Result<u64, Failure> {
            Ok(connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0))?.max(0) as u64)
        };
        let page = pragma("page_size")?;
        Ok(Self { size: pragma("page_count")? * page, free: pragma("freelist_count")? * page })
    }

    pub(crate) fn is_nearly_full(self, bound: u64) -> bool {
        (self.size - self.free.min(self.size)) as f64 > bound as f64 * FULL
    }
}

/// Lets a new file give pages back. Must come before the first table and the journal mode.
pub(crate) fn prepare(connection: &Connection) -> Result<(), Failure> {
    Ok(connection.pragma_update(None, "auto_vacuum", INCREMENTAL)?)
}

/// Refuses to let the file grow beyond `bound` bytes through this connection. A larger file stays as it is.
pub(crate) fn limit(connection: &Connection, bound: u64) -> Result<(), Failure> {
    let page: i64 = connection.pragma_query_value(None, "page_size", |row| row.get(0))?;
    let pages = i64::try_from(bound).unwrap_or(i64::MAX) / page.max(1);
    Ok(connection.pragma_update(None, "max_page_count", pages)?)
}

/// Gives free pages back where the file allows it, and removes deleted content from the write-ahead log. Not within a
/// transaction, and not while another program writes.
pub(crate) fn give_back(connection: &Connection) -> Result<(), Failure> {
    connection.busy_timeout(Duration::ZERO)?;
    let outcome = shrink(connection);
    connection.busy_timeout(BUSY_TIMEOUT)?;
    match outcome {
        Err(Failure::Sqlite(error)) if is_locked(&error) => Ok(()),
        outcome => outcome,
    }
}

fn shrink(connection: &Connection) -> Result<(), Failure> {
    let mode: i64 = connection.pragma_query_value(None, "auto_vacuum", |row| row.get(0))?;
    if mode == INCREMENTAL {
        while FileSpace::read(connection)?.free > 0 {
            let mut statement = connection.prepare(&format!("PRAGMA incremental_vacuum({PAGES})"))?;
            let mut rows = statement.query([])?;
            // Each row is a page.
            while rows.next()?.is_some() {}
        }
    }
    connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use crate::model::change::{Change, Target};
    use crate::model::entry::EntryId;
    use crate::model::service::ServiceRegistry;
    use crate::store::inspect::Inspect as _;
    use crate::store::sqlite::if_missing::IfMissing;
    use crate::store::sqlite::store::Sqlite;
    use crate::store::traits::{Backend as _, ResultStore as _};
    use std::time::Duration;

    const DAY: Duration = Duration::from_secs(86_400);

    fn contains(file: &std::path::Path, text: &[u8]) -> bool {
        ["", "-wal"].iter().any(|part| {
            let bytes = std::fs::read(format!("{}{part}", file.display())).unwrap_or_default();
            bytes.windows(text.len()).any(|window| window == text)
        })
    }

    async fn remove(store: &Sqlite, ids: &[EntryId]) {
        let targets: Vec<_> = ids.iter().cloned().map(Target::any).collect();
        store.apply(&store.id().into(), Change::Remove, &targets).await.unwrap();
    }

    #[tokio::test]
    async fn what_was_flushed_is_neither_kept_nor_readable() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("http_cache.db");
        let store = Sqlite::open(&file, ServiceRegistry::default(), IfMissing::Create).await.unwrap();
        let keys: Vec<String> = (0..200).map(|number| format!("result_cache:p:{number}")).collect();
        for key in &keys {
            let value = format!("{{\"token\":\"S3CR3T\"}}{}", " ".repeat(20_000));
            store.set(key, Bytes::from(value), DAY).await.unwrap();
        }
        let before = store.info().await.unwrap();
        assert!(before.memory_bytes > Some(4_000_000) && contains(&file, b"S3CR3T"));
        let ids: Vec<_> = keys.iter().map(|key| EntryId::key(key.as_bytes())).collect();
        remove(&store, &ids).await;

        let after = store.info().await.unwrap();
        assert!(after.memory_bytes < Some(200_000) && after.free_bytes == Some(0), "{after:?}");
        assert!(std::fs::metadata(&file).unwrap().len() < 200_000);
        assert!(!contains(&file, b"S3CR3T"));
    }

    #[tokio::test]
    async fn a_file_made_elsewhere_says_how_much_is_free() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("http_cache.db");
        std::fs::copy(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/hishel-1.3.db"), &file).unwrap();
        let store = Sqlite::open(&file, ServiceRegistry::default(), IfMissing::Fail).await.unwrap();
        store.set("result_cache:p:1", Bytes::from("S3CR3T".repeat(100_000)), DAY).await.unwrap();
        remove(&store, &[EntryId::key(&b"result_cache:p:1"[..])]).await;
        assert!(store.info().await.unwrap().free_bytes > Some(500_000));
        assert!(!contains(&file, b"S3CR3T"));
    }

    #[tokio::test]
    async fn the_file_stays_within_its_bound() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("http_cache.db");
        let store = Sqlite::open(&file, ServiceRegistry::default(), IfMissing::Create).await.unwrap();
        let bound = 2_000_000;
        store.writer.run("limiting", move |database| database.set_max_bytes(bound)).await.unwrap();
        for number in 0..300 {
            // The hard bound may refuse some, before the next step of the sweep has made room.
            let _ = store.set(&format!("result_cache:p:{number}"), Bytes::from(vec![b'x'; 50_000]), DAY).await;
            let info = store.info().await.unwrap();
            assert!(info.memory_bytes <= Some(bound), "{info:?}");
        }
        store.set("result_cache:p:last", Bytes::from("1"), DAY).await.unwrap();
        assert!(store.info().await.unwrap().keys.unwrap() > 10);
    }
}
