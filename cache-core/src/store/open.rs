//! Opening the configured store.

use std::sync::Arc;

use crate::config::{Config, Storage};
use crate::error::{Error, Result, error_chain};
use crate::store::inspect::Inspect;
use crate::store::layered::fallback::Fallback;
use crate::store::layered::read_only::ReadOnly;
use crate::store::redis::store::Redis;
use crate::store::sqlite::if_missing;
use crate::store::sqlite::store::Sqlite;

/// Behavior if Redis is unreachable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhenUnreachable {
    /// Fail.
    Fail,
    /// Use SQLite from the start to the end.
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
        Storage::Sqlite => {
            let missing = if options.creates { if_missing::IfMissing::Create } else { if_missing::IfMissing::Fail };
            Opened { store: Arc::new(open_sqlite(config, missing).await?), fallback: None }
        }
        Storage::Redis => open_redis(config, options).await?,
    };
    if options.is_read_only {
        opened.store = Arc::new(ReadOnly::new(opened.store));
    }
    Ok(opened)
}

async fn open_redis(config: &Config, options: OpenOptions) -> Result<Opened> {
    let redis = Redis::new(config)?;
    let unreachable = redis.ping().await.err();
    match (options.when_unreachable, unreachable) {
        (WhenUnreachable::UseSqlite, Some(error)) if error.is_temporary() => {
            let sqlite = open_sqlite(config, missing_fallback(options)).await?;
            Ok(Opened { store: Arc::new(sqlite), fallback: Some(error) })
        }
        (WhenUnreachable::UseSqliteMeanwhile, error) if error.as_ref().is_none_or(Error::is_temporary) => {
            let sqlite = match open_sqlite(config, missing_fallback(options)).await {
                Ok(sqlite) => sqlite,
                Err(problem) if error.is_none() => {
                    tracing::warn!(problem = error_chain(&problem), "no fallback available for Redis");
                    return Ok(Opened { store: Arc::new(redis), fallback: None });
                }
                Err(problem) => return Err(problem),
            };
            // The remaining time is for SQLite.
            let timeout = Some(config.store_timeout * 3 / 5);
            let store = Fallback::with_timeout(Arc::new(redis), Arc::new(sqlite), error.is_none(), timeout);
            Ok(Opened { store: Arc::new(store), fallback: error })
        }
        (_, Some(error)) => Err(error),
        (_, None) => Ok(Opened { store: Arc::new(redis), fallback: None }),
    }
}

fn missing_fallback(options: OpenOptions) -> if_missing::IfMissing {
    if options.creates { if_missing::IfMissing::Create } else { if_missing::IfMissing::Empty }
}

async fn open_sqlite(config: &Config, missing: if_missing::IfMissing) -> Result<Sqlite> {
    Sqlite::open(&config.sqlite_file(), config.services.clone(), missing).await
}
