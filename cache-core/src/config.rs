//! Configuration: typed values with their defaults.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::model::entry::StorageLayout;
use crate::model::service::ServiceRegistry;
use crate::model::url::redact;

/// The configured backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Storage {
    /// Redis, shared by every process (production).
    Redis,
    /// One SQLite file (development).
    Sqlite,
}

/// A Redis URL. `Display` and `Debug` mask the password.
#[derive(Clone, PartialEq, Eq)]
pub struct RedisUrl(String);

impl RedisUrl {
    /// A URL, which may contain a password.
    pub fn new(url: impl Into<String>) -> Self {
        Self(url.into())
    }

    /// The URL with its password, for the driver only.
    #[cfg(feature = "redis")]
    pub(crate) fn secret(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RedisUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&redact(&self.0))
    }
}

impl fmt::Debug for RedisUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// Cache configuration.
///
/// ```
/// use cache_core::{Config, RedisUrl};
///
/// let config = Config { redis_url: RedisUrl::new("redis://cache.example:6379/1"), ..Config::default() };
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// Whether the cache is enabled. If not, every lookup is a miss, and nothing is stored.
    pub enabled: bool,
    /// The backend.
    pub storage: Storage,
    /// The Redis server and database.
    pub redis_url: RedisUrl,
    /// The SQLite file, or a directory that contains `http_cache.db`.
    pub sqlite: PathBuf,
    /// Has no effect: all callers share one connection.
    pub redis_max_connections: u32,
    /// Whether TCP keepalive is on.
    pub redis_socket_keepalive: bool,
    /// Timeout of connecting.
    pub redis_connect_timeout: Duration,
    /// Timeout of one reply of Redis.
    pub redis_timeout: Duration,
    /// Whether an idempotent command is sent once more after a timeout.
    pub redis_retry_on_timeout: bool,
    /// A connection that was idle for longer must reply to a `PING` before it is used; zero disables the check.
    pub redis_health_check_interval: Duration,
    /// Timeout of a store operation.
    pub store_timeout: Duration,
    /// Largest body to store, in bytes.
    pub largest_entry: u64,
    /// How long entries are served from memory; `None` disables it.
    pub memory_ttl: Option<Duration>,
    /// The Redis layout of new responses.
    pub write_layout: StorageLayout,
    /// The services, with the settings of each.
    pub services: ServiceRegistry,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            enabled: true,
            storage: Storage::Redis,
            redis_url: RedisUrl::new("redis://localhost:6379/0"),
            sqlite: PathBuf::from("data/http_cache"),
            redis_max_connections: 100,
            redis_socket_keepalive: true,
            redis_connect_timeout: Duration::from_secs(5),
            redis_timeout: Duration::from_secs(10),
            redis_retry_on_timeout: true,
            redis_health_check_interval: Duration::from_secs(30),
            store_timeout: Duration::from_millis(500),
            largest_entry: 64 << 20,
            memory_ttl: None,
            write_layout: StorageLayout::Pipeline,
            services: ServiceRegistry::default(),
        }
    }
}

impl Config {
    /// The SQLite file: `http_cache.db` in the configured directory, or the configured file.
    pub fn sqlite_file(&self) -> PathBuf {
        let is_file = self.sqlite.is_file() || self.sqlite.extension().is_some();
        if is_file && !self.sqlite.is_dir() {
            self.sqlite.clone()
        } else {
            self.sqlite.join(Path::new("http_cache.db"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_never_printed() {
        for (url, shown) in [
            ("redis://localhost:6379/0", "redis://localhost:6379/0"),
            ("redis://:hunter2@localhost/0", "redis://:***@localhost/0"),
            ("rediss://me:hunter2@host:1/0?x=1", "rediss://me:***@host:1/0?x=1"),
            ("redis://me:p@ss/w:rd@host", "redis://me:***@host"),
            (":hunter2@localhost:6379", ":***@localhost:6379"),
            ("unix:///run/redis.sock?db=1&password=hunter2&x=1", "unix:///run/redis.sock?db=1&password=***&x=1"),
            ("unix:///run/redis.sock?pass=hunter2&pass=hunter3", "unix:///run/redis.sock?pass=***&pass=***"),
        ] {
            assert_eq!(RedisUrl::new(url).to_string(), shown);
            assert_eq!(format!("{:?}", RedisUrl::new(url)), shown);
        }
    }
}
