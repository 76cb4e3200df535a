//! Opening the configured store.

#[cfg(not(all(feature = "redis", feature = "sqlite")))]
use std::future::{Ready, ready};
use std::sync::Arc;

use crate::config::{Config, Storage};
#[cfg(all(feature = "redis", feature = "sqlite"))]
use crate::error::error_chain;
use crate::error::{Error, Result};
use crate::store::inspect::Inspect;
#[cfg(all(feature = "redis", feature = "sqlite"))]
use crate::store::layered::fallback::Fallback;
use crate::store::layered::read_only::ReadOnly;
#[cfg(feature = "redis")]
use crate::store::redis::store::Redis;
#[cfg(feature = "sqlite")]
use crate::store::sqlite::if_missing::IfMissing;
#[cfg(feature = "sqlite")]
use crate::store::sqlite::store::Sqlite;

/// Behavior if Redis is unreachable. Without the feature `sqlite`, every choice is [`Self::Fail`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhenUnreachable {
    /// Fail.
    Fail,
    /// Use SQLite from the start to the end, if there is a file or [`OpenOptions::creates`].
    UseSqlite,
    /// Use SQLite while Redis is unreachable, now or later.
    UseSqliteMeanwhile,
}

/// Options of [`open`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenOptions {
    /// Behavior if Redis is unreachable.
    pub when_unreachable: WhenUnreachable,
    /// Reject all modifications.
    pub is_read_only: bool,
    /// Create a missing SQLite file. Programs that only read a cache do not leave files behind.
    pub creates: bool,
}

/// An open store.
pub struct Opened {
    /// The store.
    pub store: Arc<dyn Inspect>,
    /// Why Redis is not used, if it is configured.
    pub fallback: Option<Error>,
}

/// Opens the configured store.
pub async fn open(config: &Config, options: OpenOptions) -> Result<Opened> {
    let mut opened = match config.storage {
        Storage::Sqlite => open_sqlite_only(config, options).await?,
        Storage::Redis => open_redis(config, options).await?,
    };
    if options.is_read_only {
        opened.store = Arc::new(ReadOnly::new(opened.store));
    }
    Ok(opened)
}

#[cfg(feature = "redis")]
async fn open_redis(config: &Config, options: OpenOptions) -> Result<Opened> {
    let redis = Redis::new(config)?;
    let unreachable = redis.ping().await.err();
    match (options.when_unreachable, unreachable) {
        #[cfg(feature = "sqlite")]
        (WhenUnreachable::UseSqlite, Some(error)) if error.is_temporary() => {
            // A missing file would look like an empty cache.
            let missing = if options.creates { IfMissing::Create } else { IfMissing::Fail };
            match open_sqlite(config, missing).await {
                Ok(sqlite) => Ok(Opened { store: Arc::new(sqlite), fallback: Some(error) }),
                Err(Error::Missing { .. }) => Err(error),
                Err(problem) => Err(problem),
            }
        }
        #[cfg(feature = "sqlite")]
        (WhenUnreachable::UseSqliteMeanwhile, error) if error.as_ref().is_none_or(Error::is_temporary) => {
            let missing = if options.creates { IfMissing::Create } else { IfMissing::Empty };
            let sqlite = match open_sqlite(config, missing).await {
                Ok(sqlite) => sqlite,
                Err(problem) if error.is_none() => {
                    tracing::warn!(problem = error_chain(&problem), "no fallback available for Redis");
                    return Ok(Opened { store: Arc::new(redis), fallback: None });
                }
                Err(problem) => return Err(problem),
            };
            // The remaining time is for SQLite.
            let timeout = Some(config.store_timeout / 5 * 3);
            let store = Fallback::with_timeout(Arc::new(redis), Arc::new(sqlite), error.is_none(), timeout);
            Ok(Opened { store: Arc::new(store), fallback: error })
        }
        (_, Some(error)) => Err(error),
        (_, None) => Ok(Opened { store: Arc::new(redis), fallback: None }),
    }
}

#[cfg(not(feature = "redis"))]
fn open_redis(_: &Config, _: OpenOptions) -> Ready<Result<Opened>> {
    ready(Err(built_without("redis")))
}

#[cfg(feature = "sqlite")]
async fn open_sqlite_only(config: &Config, options: OpenOptions) -> Result<Opened> {
    let missing = if options.creates { IfMissing::Create } else { IfMissing::Fail };
    Ok(Opened { store: Arc::new(open_sqlite(config, missing).await?), fallback: None })
}

#[cfg(not(feature = "sqlite"))]
fn open_sqlite_only(_: &Config, _: OpenOptions) -> Ready<Result<Opened>> {
    ready(Err(built_without("sqlite")))
}

#[cfg(feature = "sqlite")]
async fn open_sqlite(config: &Config, missing: IfMissing) -> Result<Sqlite> {
    Sqlite::open(&config.sqlite_file(), config.services.clone(), missing).await
}

#[cfg(not(all(feature = "redis", feature = "sqlite")))]
fn built_without(storage: &str) -> Error {
    Error::Config(format!("storage '{storage}' is unavailable: built without the '{storage}' feature"))
}

#[cfg(all(test, not(all(feature = "redis", feature = "sqlite"))))]
mod tests {
    use super::*;

    #[tokio::test]
    async fn storage_without_its_feature_is_a_config_error() {
        let options = OpenOptions { when_unreachable: WhenUnreachable::Fail, is_read_only: false, creates: false };
        for (storage, name, is_compiled) in
            [(Storage::Redis, "redis", cfg!(feature = "redis")), (Storage::Sqlite, "sqlite", cfg!(feature = "sqlite"))]
        {
            if !is_compiled {
                let error = open(&Config { storage, ..Config::default() }, options).await.err().expect("cannot open");
                let message = format!("storage '{name}' is unavailable: built without the '{name}' feature");
                assert!(matches!(&error, Error::Config(text) if *text == message), "{error:?}");
            }
        }
    }
}
