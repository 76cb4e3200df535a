//! The parameters of a Redis URL, by their names in redis-py.

use std::path::PathBuf;
use std::time::Duration;

use crate::model::duration::parse_seconds;
use crate::model::redis_url::location::{RedisLocation, RedisServer, RedisTuning};
use crate::model::redis_url::text::{decode, number};
use crate::model::tls::{TlsOptions, TlsVerification};

/// Longest timeout and interval.
const MAX_TIMEOUT: Duration = Duration::from_secs(86_400);

/// The parameters of one URL.
#[derive(Default)]
pub(crate) struct Parameters {
    database: Option<u32>,
    username: Option<String>,
    password: Option<String>,
    is_resp3: bool,
    is_tls: bool,
    tls: TlsOptions,
    checks_name: Option<bool>,
    tuning: RedisTuning,
}

impl Parameters {
    /// Reads a query. If a name occurs twice, the first value counts, as in redis-py.
    pub(crate) fn read(query: Option<&str>, is_tls: bool) -> Result<Self, String> {
        let mut parameters = Self { is_tls, ..Self::default() };
        let mut names = Vec::new();
        for part in query.unwrap_or_default().split('&').filter(|part| !part.is_empty()) {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            let text = |text: &str| decode(&text.replace('+', " ")).ok_or("its query is not UTF-8");
            let (name, value) = (text(name)?, text(value)?);
            if value.is_empty() {
                return Err(format!("parameter '{}' has no value", name.escape_debug()));
            }
            if !names.contains(&name) {
                parameters.set(&name, value)?;
                names.push(name);
            }
        }
        Ok(parameters)
    }

    fn set(&mut self, name: &str, value: String) -> Result<(), String> {
        let unusable = |expected: &str| format!("parameter '{name}': expected {expected}");
        match name {
            "db" => self.database = Some(number(&value).ok_or_else(|| unusable("the number of a database"))?),
            "username" => self.username = Some(value),
            "password" => self.password = Some(value),
            "protocol" => {
                self.is_resp3 = match &*value {
                    "2" => false,
                    "3" => true,
                    _ => return Err(unusable("2 or 3")),
                }
            }
            "socket_timeout" => self.tuning.timeout = Some(timeout(&value).ok_or_else(|| unusable(TIMEOUT))?),
            "socket_connect_timeout" => {
                self.tuning.connect_timeout = Some(timeout(&value).ok_or_else(|| unusable(TIMEOUT))?);
            }
            "socket_keepalive" => self.tuning.keepalive = Some(boolean(&value).ok_or_else(|| unusable(BOOLEAN))?),
            "retry_on_timeout" => {
                self.tuning.retry_on_timeout = Some(boolean(&value).ok_or_else(|| unusable(BOOLEAN))?);
            }
            "max_connections" => {
                self.tuning.max_connections = Some(number(&value).ok_or_else(|| unusable("an integer"))?);
            }
            "health_check_interval" => {
                let seconds = number(&value).map(Duration::from_secs).filter(|interval| *interval <= MAX_TIMEOUT);
                self.tuning.health_check_interval = Some(seconds.ok_or_else(|| unusable("seconds, at most 86400"))?);
            }
            _ => return self.set_tls(name, value),
        }
        Ok(())
    }

    fn set_tls(&mut self, name: &str, value: String) -> Result<(), String> {
        let unusable = |expected: &str| format!("parameter '{name}': expected {expected}");
        match name {
            "ssl_ca_certs" => self.tls.ca_file = Some(PathBuf::from(value)),
            "ssl_ca_path" => self.tls.ca_directory = Some(PathBuf::from(value)),
            "ssl_certfile" => self.tls.certificate = Some(PathBuf::from(value)),
            "ssl_keyfile" => self.tls.key = Some(PathBuf::from(value)),
            "sni" => self.tls.server_name = Some(value),
            "ssl_cert_reqs" => {
                self.tls.verification = match &*value {
                    "none" => Some(TlsVerification::None),
                    // For a client both mean the same.
                    "optional" | "required" => None,
                    _ => return Err(unusable("none, optional or required")),
                }
            }
            "ssl_check_hostname" => self.checks_name = Some(boolean(&value).ok_or_else(|| unusable(BOOLEAN))?),
            _ => return Err(format!("unknown parameter '{}'", name.escape_debug())),
        }
        if self.is_tls {
            return Ok(());
        }
        Err(format!("parameter '{name}' requires TLS: use rediss://"))
    }

    /// The location with these parameters. The query wins over the path, and the user information over the query.
    pub(crate) fn location(
        mut self,
        server: RedisServer,
        username: Option<String>,
        password: Option<String>,
        database: u32,
    ) -> Result<RedisLocation, String> {
        if self.tls.verification.is_none() && self.checks_name == Some(false) {
            self.tls.verification = Some(TlsVerification::AnyName);
        }
        if self.tls.key.is_some() && self.tls.certificate.is_none() {
            return Err("parameter 'ssl_keyfile' requires 'ssl_certfile'".to_owned());
        }
        let username = username.or(self.username);
        // A user alone is signed in with an empty password, as in redis-py.
        let password = password.or(self.password).or_else(|| username.as_ref().map(|_| String::new()));
        Ok(RedisLocation {
            server,
            username,
            password,
            database: self.database.unwrap_or(database),
            is_resp3: self.is_resp3,
            tls: self.is_tls.then_some(self.tls),
            tuning: self.tuning,
        })
    }
}

const BOOLEAN: &str = "true or false";
const TIMEOUT: &str = "a number of seconds greater than 0 and at most 86400";

/// redis-py takes every other word for true, also misspelt ones.
fn boolean(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "t" | "yes" | "y" | "1" => Some(true),
        "false" | "f" | "no" | "n" | "0" => Some(false),
        _ => None,
    }
}

fn timeout(text: &str) -> Option<Duration> {
    parse_seconds(text).filter(|time| !time.is_zero() && *time <= MAX_TIMEOUT)
}
