//! Names of the settings, as in the environment of the pipeline, and parsers of their values.

use std::ffi::OsStr;
use std::path::PathBuf;
use std::time::Duration;

use cache_core::{Config, Error, PolicyKind, RedisUrl, Result, Storage, parse_duration, parse_seconds};

use crate::services::table::table;
use crate::services::token::Token;
use crate::services::{Services, base_url_problem, from_name};

/// Settings of each service; `*` stands for its name in capitals.
const OF_A_SERVICE: [&str; 5] =
    ["ANIMECACHE_TTL_*", "ANIMECACHE_POLICY_*", "ANIMECACHE_LIMIT_*", "ANIMECACHE_*_URL", "ANIMECACHE_*_TOKEN"];

/// Names that [`set`] accepts, without those of services.
pub const NAMES: [&str; 18] = [
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
    "ANIMECACHE_STORE_TIMEOUT",
    "ANIMECACHE_STORE_PATIENCE",
    "ANIMECACHE_LARGEST_ENTRY",
    "ANIMECACHE_MEMORY_TTL",
    "ANIMECACHE_FIRST_LEVEL",
    "ANIDB_CLIENT",
    "ANIDB_CLIENTVER",
    "ANIDB_PROTOVER",
];

/// Settings with two names: the name, and the older one, which counts where the other is not set.
const RENAMED: [(&str, &str); 2] =
    [("ANIMECACHE_STORE_TIMEOUT", "ANIMECACHE_STORE_PATIENCE"), ("ANIMECACHE_MEMORY_TTL", "ANIMECACHE_FIRST_LEVEL")];

/// Longest timeout, interval and time in memory.
const MAX_TIME: Duration = Duration::from_secs(86_400);
/// Shortest TTL: Redis deletes entries with a TTL of zero.
const MIN_TTL: Duration = Duration::from_secs(1);
/// Longest TTL: 10 years.
const MAX_TTL: Duration = Duration::from_secs(3_650 * 86_400);
/// Largest body to store: 4 GiB.
const MAX_ENTRY: u64 = 4 << 30;

/// The names of a setting, the one that counts first.
pub(crate) fn names_of(name: &str) -> [&str; 2] {
    let renamed = RENAMED.iter().find(|(new, old)| [*new, *old].contains(&name));
    renamed.map_or([name, name], |(new, old)| [new, old])
}

/// All names that [`set`] accepts.
pub fn names() -> impl Iterator<Item = String> {
    let of_services = table().rows().flat_map(|row| {
        let name = row.name.name().to_uppercase();
        OF_A_SERVICE.map(|setting| setting.replace('*', &name))
    });
    NAMES.into_iter().map(str::to_owned).chain(of_services)
}

/// Sets one value by its name. The error lists the allowed values.
pub fn set(cache: &mut Config, services: &mut Services, name: &str, value: &OsStr) -> Result<()> {
    // A path need not be text, and may begin or end with a space.
    if name == "HTTP_CACHE_DIR" {
        cache.sqlite = PathBuf::from(value);
        return Ok(());
    }
    let value =
        value.to_str().ok_or_else(|| Error::Config(format!("invalid value for {name}: expected UTF-8")))?.trim();
    match name {
        "ENABLE_HTTP_CACHE" => cache.enabled = boolean(name, value)?,
        "HTTP_CACHE_STORAGE" => {
            cache.storage = match value.to_ascii_lowercase().as_str() {
                "redis" => Storage::Redis,
                "sqlite" => Storage::Sqlite,
                _ => return Err(unusable(name, value, "redis or sqlite")),
            }
        }
        "REDIS_CACHE_URL" => {
            let url = RedisUrl::new(value);
            url.check()?;
            cache.redis_url = url;
        }
        "REDIS_MAX_CONNECTIONS" => {
            cache.redis_max_connections = value.parse().map_err(|_| unusable(name, value, "an integer"))?;
        }
        "REDIS_SOCKET_KEEPALIVE" => cache.redis_socket_keepalive = boolean(name, value)?,
        "REDIS_SOCKET_CONNECT_TIMEOUT" => cache.redis_connect_timeout = timeout(name, value)?,
        "REDIS_SOCKET_TIMEOUT" => cache.redis_timeout = timeout(name, value)?,
        "REDIS_RETRY_ON_TIMEOUT" => cache.redis_retry_on_timeout = boolean(name, value)?,
        "REDIS_HEALTH_CHECK_INTERVAL" => cache.redis_health_check_interval = seconds(name, value)?,
        "ANIMECACHE_STORE_TIMEOUT" | "ANIMECACHE_STORE_PATIENCE" => cache.store_timeout = timeout(name, value)?,
        "ANIMECACHE_LARGEST_ENTRY" => {
            let size = value.parse().map_err(|_| unusable(name, value, "a size in bytes"))?;
            if size > MAX_ENTRY {
                return Err(unusable(name, value, &format!("a size of at most {MAX_ENTRY} bytes")));
            }
            cache.largest_entry = size;
        }
        "ANIMECACHE_MEMORY_TTL" | "ANIMECACHE_FIRST_LEVEL" => {
            cache.memory_ttl = Some(seconds(name, value)?).filter(|time| !time.is_zero());
        }
        "ANIDB_CLIENT" => value.clone_into(&mut services.anidb_client.name),
        "ANIDB_CLIENTVER" => value.clone_into(&mut services.anidb_client.version),
        "ANIDB_PROTOVER" => value.clone_into(&mut services.anidb_client.protocol),
        _ => return set_of_service(services, name, value),
    }
    Ok(())
}

fn set_of_service(services: &mut Services, name: &str, value: &str) -> Result<()> {
    let unknown = || Error::Config(format!("unknown setting '{name}'"));
    let rest = name.strip_prefix("ANIMECACHE_").ok_or_else(unknown)?;
    let service = |name: &str| from_name(&name.to_lowercase()).ok_or_else(unknown);
    if let Some(of) = rest.strip_prefix("TTL_") {
        services.set_ttl(service(of)?, ttl(name, value)?);
    } else if let Some(of) = rest.strip_prefix("POLICY_") {
        let policy = PolicyKind::from_name(&value.to_ascii_lowercase());
        let policy = policy.ok_or_else(|| unusable(name, value, PolicyKind::CHOICES))?;
        services.set_policy(service(of)?, policy);
    } else if let Some(of) = rest.strip_prefix("LIMIT_") {
        let limit = value.parse().map_err(|expected| unusable(name, value, expected))?;
        services.set_limit(service(of)?, limit);
    } else if let Some(of) = rest.strip_suffix("_URL") {
        if let Some(expected) = base_url_problem(value) {
            return Err(unusable(name, value, expected));
        }
        services.set_url(service(of)?, value);
    } else if let Some(of) = rest.strip_suffix("_TOKEN") {
        services.set_token(service(of)?, Token::new(value));
    } else {
        return Err(unknown());
    }
    Ok(())
}

fn unusable(name: &str, value: &str, allowed: &str) -> Error {
    Error::Config(format!("invalid value '{}' for {name}: expected {allowed}", value.escape_debug()))
}

/// A value as text; bytes that are not UTF-8 are escaped.
pub(crate) fn readable(value: &OsStr) -> String {
    let mut text = String::new();
    for chunk in value.as_encoded_bytes().utf8_chunks() {
        text.push_str(chunk.valid());
        text.extend(chunk.invalid().iter().flat_map(|byte| byte.escape_ascii()).map(char::from));
    }
    text
}

/// The words that pydantic takes.
fn boolean(name: &str, value: &str) -> Result<bool> {
    match value.to_ascii_lowercase().as_str() {
        "true" | "t" | "yes" | "y" | "on" | "1" => Ok(true),
        "false" | "f" | "no" | "n" | "off" | "0" => Ok(false),
        _ => Err(unusable(name, value, "true or false")),
    }
}

fn seconds(name: &str, value: &str) -> Result<Duration> {
    let time = parse_seconds(value).ok_or_else(|| unusable(name, value, "a number of seconds"))?;
    if time > MAX_TIME { Err(unusable(name, value, "a number of seconds, at most 86400")) } else { Ok(time) }
}

/// A number of seconds above zero.
fn timeout(name: &str, value: &str) -> Result<Duration> {
    let limit = seconds(name, value)?;
    if limit.is_zero() { Err(unusable(name, value, "a number of seconds greater than 0")) } else { Ok(limit) }
}

/// `24h` or `90m`. A number alone is refused, as by the options of commands.
fn ttl(name: &str, value: &str) -> Result<Duration> {
    let ttl =
        parse_duration(value).map_err(|expected| unusable(name, value, expected.trim_start_matches("expected ")))?;
    if (MIN_TTL..=MAX_TTL).contains(&ttl) { Ok(ttl) } else { Err(unusable(name, value, "a duration from 1s to 3650d")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::services::{anidb, anime_planet, jikan};

    fn fails(name: &str, value: &str) -> Error {
        set(&mut Config::default(), &mut Services::default(), name, OsStr::new(value)).unwrap_err()
    }

    /// The settings of an environment; an invalid value keeps the default.
    fn from_env(lookup: impl Fn(&str) -> Option<String>) -> (Config, Services) {
        let (mut cache, mut services) = (Config::default(), Services::default());
        for name in names() {
            if let Some(value) = lookup(&name) {
                let _ = set(&mut cache, &mut services, &name, OsStr::new(&value));
            }
        }
        (services.config(&cache), services)
    }

    #[test]
    fn the_environment_overrides_the_defaults() {
        let (config, services) = from_env(|name| {
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
        assert_eq!(services.ttl(anidb()), Duration::from_secs(7 * 86_400));
        assert_eq!(config.services.by_url("http://127.0.0.1:8999/v4"), jikan());
        let (config, services) = from_env(|_| None);
        assert_eq!(services, Services::default());
        assert_eq!(config, services.config(&Config::default()));
    }

    #[test]
    fn an_unusable_value_is_named_with_what_is_allowed() {
        let error = fails("HTTP_CACHE_STORAGE", "disk");
        assert_eq!(error.to_string(), "invalid value 'disk' for HTTP_CACHE_STORAGE: expected redis or sqlite");
        let error = fails("REDIS_SOCKET_TIMEOUT", "0");
        assert_eq!(
            error.to_string(),
            "invalid value '0' for REDIS_SOCKET_TIMEOUT: expected a number of seconds greater than 0"
        );
    }

    #[test]
    fn every_time_and_size_has_a_maximum() {
        for (name, value, expected) in [
            ("REDIS_SOCKET_TIMEOUT", "1e19", "a number of seconds"),
            ("REDIS_SOCKET_CONNECT_TIMEOUT", "86401", "a number of seconds, at most 86400"),
            ("REDIS_HEALTH_CHECK_INTERVAL", "inf", "a number of seconds"),
            ("ANIMECACHE_STORE_TIMEOUT", "1e19", "a number of seconds"),
            ("ANIMECACHE_MEMORY_TTL", "1e12", "a number of seconds"),
            ("ANIMECACHE_LARGEST_ENTRY", "4294967297", "a size of at most 4294967296 bytes"),
            ("ANIMECACHE_TTL_ANISEARCH", "1e17", "a duration such as 6h, 90m or '2d 12h'"),
            ("ANIMECACHE_TTL_ANISEARCH", "11y", "a duration from 1s to 3650d"),
            ("ANIMECACHE_TTL_JIKAN", "0s", "a duration from 1s to 3650d"),
            ("ANIMECACHE_TTL_JIKAN", "1ms", "a duration from 1s to 3650d"),
            ("ANIMECACHE_TTL_JIKAN", "3600", "a duration with a unit, such as 3600s, 3600m or 3600h"),
            ("ANIMECACHE_JIKAN_URL", "ftp://h", "an http:// or https:// URL without a fragment"),
        ] {
            assert_eq!(
                fails(name, value).to_string(),
                format!("invalid value '{value}' for {name}: expected {expected}")
            );
        }
        set(&mut Config::default(), &mut Services::default(), "ANIMECACHE_TTL_JIKAN", OsStr::new("3650d")).unwrap();
    }

    #[test]
    #[cfg(unix)]
    fn text_must_be_utf_8_and_a_path_need_not_be() {
        use std::os::unix::ffi::OsStrExt as _;
        let (mut cache, mut services) = (Config::default(), Services::default());
        let path = OsStr::from_bytes(b" caf\xe9");
        set(&mut cache, &mut services, "HTTP_CACHE_DIR", path).unwrap();
        assert_eq!(cache.sqlite.as_os_str(), path);
        let url = OsStr::from_bytes(b"redis://caf\xe9/5");
        let error = set(&mut cache, &mut services, "REDIS_CACHE_URL", url).unwrap_err();
        assert_eq!(error.to_string(), "invalid value for REDIS_CACHE_URL: expected UTF-8");
        assert_eq!(cache.redis_url, Config::default().redis_url);
    }

    #[test]
    fn a_token_is_kept_and_never_printed() {
        let (config, services) =
            from_env(|name| (name == "ANIMECACHE_ANIME_PLANET_TOKEN").then(|| "hunter2".to_owned()));
        assert_eq!(services.token(anime_planet()).unwrap().secret(), "hunter2");
        assert!(services.token(jikan()).is_none());
        assert!(!format!("{config:?}{services:?}").contains("hunter2"), "{config:?}{services:?}");
    }
}
