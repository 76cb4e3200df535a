//! Configuration: typed values with their defaults.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::model::entry::StorageLayout;
use crate::model::redis_url::RedisUrl;
#[cfg(feature = "redis")]
use crate::model::redis_url::location::RedisLocation;
use crate::model::service::ServiceRegistry;
use crate::model::tls::{TlsOptions, TlsVerification};

/// The configured backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Storage {
    /// Redis, shared by every process (production).
    Redis,
    /// One SQLite file (development).
    Sqlite,
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
    /// The Redis server and database. Its parameters take precedence over the fields below.
    pub redis_url: RedisUrl,
    /// TLS options, which take precedence over those of the URL.
    pub redis_tls: TlsOptions,
    /// The SQLite file, or a directory that contains `http_cache.db`.
    pub sqlite: PathBuf,
    /// Has no effect: all callers share one connection.
    pub redis_max_connections: u32,
    /// Whether TCP keepalive is on.
    pub redis_socket_keepalive: bool,
    /// Timeout of connecting.
    pub redis_connect_timeout: Duration,
    /// Timeout of one reply of Redis. A cache gives up earlier, after [`Self::store_timeout`]: this one limits the
    /// commands of administration.
    pub redis_timeout: Duration,
    /// Whether an idempotent command is sent once more after [`Self::redis_timeout`].
    pub redis_retry_on_timeout: bool,
    /// A connection that was idle for longer must reply to a `PING` before it is used; zero disables the check.
    pub redis_health_check_interval: Duration,
    /// Timeout of a store operation of a cache.
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
            redis_tls: TlsOptions::default(),
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

    /// What of the Redis server's certificate is verified; `None`: TLS is not used.
    pub fn tls_verification(&self) -> Option<TlsVerification> {
        let tls = self.redis_url.location().ok().filter(|_| self.storage == Storage::Redis)?.tls?;
        Some(self.redis_tls.verification.or(tls.verification).unwrap_or_default())
    }

    /// This configuration with the parameters of its URL.
    #[cfg(feature = "redis")]
    pub(crate) fn tuned(&self, location: &RedisLocation) -> Self {
        let (mut config, tuning) = (self.clone(), &location.tuning);
        config.redis_timeout = tuning.timeout.unwrap_or(config.redis_timeout);
        config.redis_connect_timeout = tuning.connect_timeout.unwrap_or(config.redis_connect_timeout);
        config.redis_socket_keepalive = tuning.keepalive.unwrap_or(config.redis_socket_keepalive);
        config.redis_retry_on_timeout = tuning.retry_on_timeout.unwrap_or(config.redis_retry_on_timeout);
        config.redis_max_connections = tuning.max_connections.unwrap_or(config.redis_max_connections);
        config.redis_health_check_interval = tuning.health_check_interval.unwrap_or(config.redis_health_check_interval);
        config.redis_tls = config.redis_tls.or(location.tls.as_ref().unwrap_or(&TlsOptions::default()));
        config
    }
}
