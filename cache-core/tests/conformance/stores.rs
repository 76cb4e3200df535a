//! The stores of the suite, each empty and separate from others.

use std::any::Any;
#[cfg(feature = "sqlite")]
use std::path::{Path, PathBuf};
use std::sync::Arc;

#[cfg(feature = "redis")]
use cache_core::{Config, Redis, RedisUrl};
use cache_core::{EntryId, Inspect, Memory, StorageLayout};
#[cfg(feature = "sqlite")]
use cache_core::{Fallback, IfMissing, Sqlite};

#[cfg(feature = "sqlite")]
use crate::faulty_store::FaultyStore;
#[cfg(feature = "redis")]
use crate::redis_server::RedisServer;

/// An empty store under test.
pub struct Subject {
    pub store: Arc<dyn Inspect>,
    /// The layout of new responses.
    pub layout: StorageLayout,
    /// Direct access to the storage.
    pub raw: Raw,
    /// Keeps the directory of the store.
    _keep: Box<dyn Any + Send + Sync>,
}

/// Direct access to the storage, without the store.
pub enum Raw {
    None,
    #[cfg(feature = "sqlite")]
    Sqlite(PathBuf),
    #[cfg(feature = "redis")]
    Redis(String),
}

impl Subject {
    /// Writes a result without expiry under any bytes; `false`: this storage has no direct access.
    #[cfg_attr(not(feature = "sqlite"), expect(clippy::unused_async, reason = "only SQLite is awaited"))]
    pub async fn put_raw_result(&self, key: &[u8], value: &[u8]) -> bool {
        match &self.raw {
            Raw::None => {
                let _ = (key, value);
                false
            }
            #[cfg(feature = "sqlite")]
            Raw::Sqlite(file) => {
                // The first result creates the table.
                self.store.set("result_cache:first", "1".into(), std::time::Duration::from_secs(60)).await.unwrap();
                let sql = "INSERT INTO animecache_results (key, value, created_at) VALUES (?1, ?2, 0)";
                rusqlite::Connection::open(file).unwrap().execute(sql, (key, value)).unwrap();
                true
            }
            #[cfg(feature = "redis")]
            Raw::Redis(url) => {
                let mut connection = redis::Client::open(url.as_str()).unwrap().get_connection().unwrap();
                redis::cmd("SET").arg(key).arg(value).exec(&mut connection).unwrap();
                true
            }
        }
    }

    /// Whether this is a Redis user without permission for scripts.
    pub fn runs_no_scripts(&self) -> bool {
        match &self.raw {
            #[cfg(feature = "redis")]
            Raw::Redis(url) => url.contains("narrow"),
            _ => false,
        }
    }

    /// Deletes an entry without its body and index record, as a crash or an eviction might; `false`: this storage has
    /// no direct access.
    pub fn lose_heads(&self, id: &EntryId) -> bool {
        match &self.raw {
            Raw::None => {
                let _ = id;
                false
            }
            #[cfg(feature = "sqlite")]
            Raw::Sqlite(file) => {
                let sql = "PRAGMA foreign_keys = OFF; DELETE FROM entries";
                rusqlite::Connection::open(file).unwrap().execute_batch(sql).unwrap();
                true
            }
            #[cfg(feature = "redis")]
            Raw::Redis(url) => {
                let mut connection = redis::Client::open(url.as_str()).unwrap().get_connection().unwrap();
                redis::cmd("DEL").arg(&*id.redis_key()).exec(&mut connection).unwrap();
                true
            }
        }
    }
}

pub async fn memory() -> Subject {
    Subject {
        store: Arc::new(Memory::new(crate::services::services())),
        layout: StorageLayout::Pipeline,
        raw: Raw::None,
        _keep: Box::new(()),
    }
}

#[cfg(feature = "sqlite")]
pub async fn sqlite1() -> Subject {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("deeper").join("http_cache.db");
    sqlite(&file, StorageLayout::Sqlite1, directory).await
}

#[cfg(feature = "sqlite")]
pub async fn sqlite2() -> Subject {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("hishel_cache_v2.db");
    std::fs::copy(fixture("hishel-2.0.db"), &file).unwrap();
    rusqlite::Connection::open(&file).unwrap().execute_batch("DELETE FROM streams; DELETE FROM entries;").unwrap();
    sqlite(&file, StorageLayout::Sqlite2, directory).await
}

#[cfg(feature = "sqlite")]
async fn sqlite(file: &Path, layout: StorageLayout, directory: tempfile::TempDir) -> Subject {
    let store = Sqlite::open(file, crate::services::services(), IfMissing::Create).await.unwrap();
    Subject { store: Arc::new(store), layout, raw: Raw::Sqlite(file.to_owned()), _keep: Box::new(directory) }
}

#[cfg(feature = "redis")]
pub async fn redis_pipeline() -> Subject {
    redis(StorageLayout::Pipeline)
}

#[cfg(feature = "redis")]
pub async fn redis_hishel1() -> Subject {
    redis(StorageLayout::Hishel1)
}

#[cfg(feature = "redis")]
pub async fn redis_hishel2() -> Subject {
    redis(StorageLayout::Hishel2)
}

/// Over the newer protocol.
#[cfg(feature = "redis")]
pub async fn redis_resp3() -> Subject {
    let url = RedisServer::fresh_database();
    let subject = redis_at(format!("{url}?protocol=3"), StorageLayout::Pipeline);
    Subject { raw: Raw::Redis(url), ..subject }
}

/// As a user without permission for scripts and transactions.
#[cfg(feature = "redis")]
pub async fn redis_step_by_step() -> Subject {
    let url = RedisServer::fresh_database();
    let mut connection = redis::Client::open(url.as_str()).unwrap().get_connection().unwrap();
    let rules = ["on", "nopass", "~*", "&*", "+@all", "-@scripting", "-multi", "-exec"];
    redis::cmd("ACL").arg("SETUSER").arg("narrow").arg(&rules).exec(&mut connection).unwrap();
    redis_at(url.replace("redis://", "redis://narrow:any@"), StorageLayout::Pipeline)
}

#[cfg(feature = "redis")]
fn redis(layout: StorageLayout) -> Subject {
    redis_at(RedisServer::fresh_database(), layout)
}

#[cfg(feature = "redis")]
fn redis_at(url: String, layout: StorageLayout) -> Subject {
    let config = Config {
        redis_url: RedisUrl::new(url.clone()),
        write_layout: layout,
        services: crate::services::services(),
        ..Config::default()
    };
    Subject { store: Arc::new(Redis::new(&config).unwrap()), layout, raw: Raw::Redis(url), _keep: Box::new(()) }
}

#[cfg(feature = "sqlite")]
pub async fn fallback_with_its_first() -> Subject {
    let first = sqlite1().await;
    let second = Arc::new(Memory::new(crate::services::services()));
    Subject { store: Arc::new(Fallback::new(Arc::clone(&first.store), second, true)), ..first }
}

#[cfg(feature = "sqlite")]
pub async fn fallback_with_its_second() -> Subject {
    let first = FaultyStore::new(Arc::new(Memory::new(crate::services::services())));
    first.set_down(true);
    let second = sqlite1().await;
    Subject { store: Arc::new(Fallback::new(Arc::new(first), Arc::clone(&second.store), false)), ..second }
}

#[cfg(feature = "sqlite")]
pub fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}
