//! Where the cache is and how it behaves: the seed's settings, under their names and with their defaults.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::error::{Error, Result};
use crate::model::entry::Layout;
use crate::model::service::{PolicyName, Service, Services, Token};
use crate::model::url::without_secrets;

/// Which storage is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Storage {
    /// Redis, shared by every process (production).
    Redis,
    /// One SQLite file (development).
    Sqlite,
}

/// A connection URL. Prints without its password.
#[derive(Clone, PartialEq, Eq)]
pub struct RedisUrl(String);

impl RedisUrl {
    /// A URL with any secrets that it holds.
    pub fn new(url: impl Into<String>) -> Self {
        Self(url.into())
    }

    /// The URL with its secrets, for the driver alone.
    pub(crate) fn secret(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RedisUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&without_secrets(&self.0))
    }
}

impl fmt::Debug for RedisUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// All settings of the cache.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// `ENABLE_HTTP_CACHE`: off makes every look-up a miss.
    pub enabled: bool,
    /// `HTTP_CACHE_STORAGE`.
    pub storage: Storage,
    /// `REDIS_CACHE_URL`.
    pub redis_url: RedisUrl,
    /// `HTTP_CACHE_DIR`: a directory that holds `http_cache.db`, or the file itself.
    pub sqlite: PathBuf,
    /// `REDIS_MAX_CONNECTIONS`: known, and without effect, since all callers share one connection.
    pub redis_max_connections: u32,
    /// `REDIS_SOCKET_KEEPALIVE`.
    pub redis_socket_keepalive: bool,
    /// `REDIS_SOCKET_CONNECT_TIMEOUT`.
    pub redis_connect_timeout: Duration,
    /// `REDIS_SOCKET_TIMEOUT`: how long one answer may take.
    pub redis_timeout: Duration,
    /// `REDIS_RETRY_ON_TIMEOUT`: what may be repeated without harm is asked once more where the answer takes too long.
    pub redis_retry_on_timeout: bool,
    /// `REDIS_HEALTH_CHECK_INTERVAL`: a connection that was idle for longer must answer a `PING` before it is used;
    /// zero: it need not.
    pub redis_health_check_interval: Duration,
    /// `ANIMECACHE_STORE_PATIENCE`: the longest that a cache waits for one answer of its store, in seconds.
    pub store_patience: Duration,
    /// `ANIMECACHE_LARGEST_ENTRY`: larger bodies are not stored; bytes.
    pub largest_entry: u64,
    /// `ANIMECACHE_FIRST_LEVEL`: how long, in seconds, what was read may be served from memory; `None` (0, the
    /// default): never.
    pub first_level: Option<Duration>,
    /// The Redis layout that new HTTP entries are written in.
    pub write_layout: Layout,
    /// `ANIMECACHE_TTL_<SERVICE>`, `ANIMECACHE_POLICY_<SERVICE>`, `ANIMECACHE_<SERVICE>_URL` and `ANIMECACHE_<SERVICE>_TOKEN`.
    pub services: Services,
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
            store_patience: Duration::from_millis(500),
            largest_entry: 64 << 20,
            first_level: None,
            write_layout: Layout::Pipeline,
            services: Services::default(),
        }
    }
}

impl Config {
    /// The names that [`Config::set`] knows, besides those with a service in them.
    pub const NAMES: [&'static str; 16] = [
        "ENABLE_HTTP_CACHE",
        "HTTP_CACHE_STORAGE",
        "REDIS_CACHE_URL",
        "HTTP_CACHE_DIR",
        "REDIS_MAX_CONNECTIONS",
        "REDIS_SOCKET_KEEPALIVE",
        "REDIS_SOCKET_CONNECT_TIMEOUT",
        "REDIS_SOCKET_TIMEOUT",
        "REDIS_RETRY_ON_TIMEOUT",
        "REDIS_HEALTH_CHECK_INTERVAL",
        "ANIMECACHE_STORE_PATIENCE",
        "ANIMECACHE_LARGEST_ENTRY",
        "ANIMECACHE_FIRST_LEVEL",
        "ANIDB_CLIENT",
        "ANIDB_CLIENTVER",
        "ANIDB_PROTOVER",
    ];

    /// Every name that [`Config::set`] knows.
    pub fn names() -> impl Iterator<Item = String> {
        let of_services = Service::ALL.into_iter().filter(|service| *service != Service::Other).flat_map(|service| {
            let name = service.name().to_uppercase();
            [
                format!("ANIMECACHE_TTL_{name}"),
                format!("ANIMECACHE_POLICY_{name}"),
                format!("ANIMECACHE_LIMIT_{name}"),
                format!("ANIMECACHE_{name}_URL"),
                format!("ANIMECACHE_{name}_TOKEN"),
            ]
        });
        Self::NAMES.into_iter().map(str::to_owned).chain(of_services)
    }

    /// The settings of an environment: `lookup` gives the value of a name. An unusable value keeps the default, as
    /// in the pipeline, with a warning: a cache may not break the program that uses it.
    pub fn from_env(lookup: impl Fn(&str) -> Option<String>) -> Self {
        let mut config = Self::default();
        for name in Self::names() {
            if let Some(value) = lookup(&name)
                && let Err(error) = config.set(&name, &value)
            {
                tracing::warn!(%error, "using the default value");
            }
        }
        config
    }

    /// Sets one value by its name. The error says what is allowed.
    pub fn set(&mut self, name: &str, value: &str) -> Result<()> {
        let value = value.trim();
        match name {
            "ENABLE_HTTP_CACHE" => self.enabled = boolean(name, value)?,
            "HTTP_CACHE_STORAGE" => {
                self.storage = match value.to_ascii_lowercase().as_str() {
                    "redis" => Storage::Redis,
                    "sqlite" => Storage::Sqlite,
                    _ => return Err(unusable(name, value, "redis or sqlite")),
                }
            }
            "REDIS_CACHE_URL" => self.redis_url = RedisUrl::new(value),
            "HTTP_CACHE_DIR" => self.sqlite = PathBuf::from(value),
            "REDIS_MAX_CONNECTIONS" => {
                self.redis_max_connections = value.parse().map_err(|_| unusable(name, value, "an integer"))?;
            }
            "REDIS_SOCKET_KEEPALIVE" => self.redis_socket_keepalive = boolean(name, value)?,
            "REDIS_SOCKET_CONNECT_TIMEOUT" => self.redis_connect_timeout = timeout(name, value)?,
            "REDIS_SOCKET_TIMEOUT" => self.redis_timeout = timeout(name, value)?,
            "REDIS_RETRY_ON_TIMEOUT" => self.redis_retry_on_timeout = boolean(name, value)?,
            "REDIS_HEALTH_CHECK_INTERVAL" => self.redis_health_check_interval = seconds(name, value)?,
            "ANIMECACHE_STORE_PATIENCE" => self.store_patience = timeout(name, value)?,
            "ANIMECACHE_LARGEST_ENTRY" => {
                self.largest_entry = value.parse().map_err(|_| unusable(name, value, "a size in bytes"))?;
            }
            "ANIMECACHE_FIRST_LEVEL" => {
                self.first_level = Some(seconds(name, value)?).filter(|time| !time.is_zero());
            }
            "ANIDB_CLIENT" => value.clone_into(&mut self.services.anidb_client.name),
            "ANIDB_CLIENTVER" => value.clone_into(&mut self.services.anidb_client.version),
            "ANIDB_PROTOVER" => value.clone_into(&mut self.services.anidb_client.protocol),
            _ => return self.set_of_service(name, value),
        }
        Ok(())
    }

    fn set_of_service(&mut self, name: &str, value: &str) -> Result<()> {
        let unknown = || Error::Config(format!("unknown setting '{name}'"));
        let rest = name.strip_prefix("ANIMECACHE_").ok_or_else(unknown)?;
        let service = |name: &str| Service::from_name(&name.to_lowercase()).ok_or_else(unknown);
        if let Some(of) = rest.strip_prefix("TTL_") {
            self.services.set_ttl(service(of)?, duration(name, value)?);
        } else if let Some(of) = rest.strip_prefix("POLICY_") {
            let policy = PolicyName::from_name(&value.to_ascii_lowercase());
            let policy = policy.ok_or_else(|| unusable(name, value, PolicyName::CHOICES))?;
            self.services.set_policy(service(of)?, policy);
        } else if let Some(of) = rest.strip_prefix("LIMIT_") {
            let limit = value.parse().map_err(|expected| unusable(name, value, expected))?;
            self.services.set_limit(service(of)?, limit);
        } else if let Some(of) = rest.strip_suffix("_URL") {
            self.services.set_url(service(of)?, value);
        } else if let Some(of) = rest.strip_suffix("_TOKEN") {
            self.services.set_token(service(of)?, Token::new(value));
        } else {
            return Err(unknown());
        }
        Ok(())
    }

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

fn unusable(name: &str, value: &str, allowed: &str) -> Error {
    Error::Config(format!("invalid value '{}' for {name}: expected {allowed}", value.escape_debug()))
}

fn boolean(name: &str, value: &str) -> Result<bool> {
    match value.to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" => Ok(true),
        "false" | "0" | "no" => Ok(false),
        _ => Err(unusable(name, value, "true or false")),
    }
}

fn seconds(name: &str, value: &str) -> Result<Duration> {
    let number: f64 = value.parse().map_err(|_| unusable(name, value, "a number of seconds"))?;
    Duration::try_from_secs_f64(number).map_err(|_| unusable(name, value, "a number of seconds"))
}

/// Seconds in which something may happen at all.
fn timeout(name: &str, value: &str) -> Result<Duration> {
    let limit = seconds(name, value)?;
    if limit.is_zero() { Err(unusable(name, value, "a number of seconds greater than 0")) } else { Ok(limit) }
}

/// `24h`, `90m` or a plain number of seconds.
fn duration(name: &str, value: &str) -> Result<Duration> {
    seconds(name, value).or_else(|_| {
        humantime::parse_duration(value).map_err(|_| unusable(name, value, "a duration such as 24h or 90m"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_overrides_the_defaults() {
        let config = Config::from_env(|name| {
            Some(
                match name {
                    "ENABLE_HTTP_CACHE" => "False",
                    "REDIS_SOCKET_TIMEOUT" => "2.5",
                    "REDIS_MAX_CONNECTIONS" => "many",
                    "ANIMECACHE_TTL_ANIDB" => "7d",
                    "ANIMECACHE_JIKAN_URL" => "http://127.0.0.1:8999",
                    _ => return None,
                }
                .to_owned(),
            )
        });
        assert!(!config.enabled);
        assert_eq!(config.redis_timeout, Duration::from_millis(2500));
        assert_eq!(config.redis_max_connections, 100);
        assert_eq!(config.services.ttl(Service::AniDb), Duration::from_secs(7 * 86_400));
        assert_eq!(config.services.of_url("http://127.0.0.1:8999/v4"), Service::Jikan);
        assert_eq!(Config { enabled: true, ..Config::from_env(|_| None) }, Config::default());
    }

    #[test]
    fn an_unusable_value_is_named_with_what_is_allowed() {
        let error = Config::default().set("HTTP_CACHE_STORAGE", "disk").unwrap_err();
        assert_eq!(error.to_string(), "invalid value 'disk' for HTTP_CACHE_STORAGE: expected redis or sqlite");
        let error = Config::default().set("REDIS_SOCKET_TIMEOUT", "0").unwrap_err();
        assert_eq!(
            error.to_string(),
            "invalid value '0' for REDIS_SOCKET_TIMEOUT: expected a number of seconds greater than 0"
        );
    }

    #[test]
    fn a_token_is_kept_and_never_printed() {
        let config = Config::from_env(|name| (name == "ANIMECACHE_ANIME_PLANET_TOKEN").then(|| "hunter2".to_owned()));
        assert_eq!(config.services.token(Service::AnimePlanet).unwrap().secret(), "hunter2");
        assert!(config.services.token(Service::Jikan).is_none());
        assert!(!format!("{config:?}").contains("hunter2"), "{config:?}");
    }

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
