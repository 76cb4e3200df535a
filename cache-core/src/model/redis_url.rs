//! The URL of a Redis server, read as redis-py's `from_url` reads it. What redis-py reads and this crate does not is an
//! error, since a part that is dropped may name another database.

pub(crate) mod location;
mod parameters;
mod parse;
#[cfg(test)]
mod tests;
mod text;

use std::fmt;

use crate::error::{Error, Result};
use crate::model::redis_url::location::RedisLocation;
use crate::redact::Secrets;

/// A Redis URL. `Display` and `Debug` mask the password.
#[derive(Clone, PartialEq, Eq)]
pub struct RedisUrl(String);

impl RedisUrl {
    /// A URL, which may contain a password.
    pub fn new(url: impl Into<String>) -> Self {
        Self(url.into())
    }

    /// Checks that the URL can be used.
    ///
    /// # Errors
    /// [`Error::Config`] names the part that is invalid or not supported, without passwords.
    pub fn check(&self) -> Result<()> {
        self.location().map(drop)
    }

    /// The number of the database; `None` if the URL is invalid.
    pub fn database(&self) -> Option<u32> {
        Some(self.location().ok()?.database)
    }

    /// Whether TLS is used.
    pub fn is_tls(&self) -> bool {
        self.location().is_ok_and(|location| location.tls.is_some())
    }

    /// Whether the URL contains a password.
    pub fn has_secret(&self) -> bool {
        *Secrets::Masked.url(&self.0) != *self.0
    }

    /// Whether both URLs name the same database, and the same user of it.
    pub fn is_same_database(&self, other: &Self) -> bool {
        let place = |url: &Self| {
            let RedisLocation { server, username, password, database, .. } = url.location().ok()?;
            let username = username.filter(|name| name != "default");
            Some((server, username, password, database))
        };
        place(self).is_some_and(|this| place(other) == Some(this))
    }

    /// What the URL means.
    pub(crate) fn location(&self) -> Result<RedisLocation> {
        parse::parse(&self.0).map_err(|problem| Error::Config(format!("invalid Redis URL {self}: {problem}")))
    }
}

impl fmt::Display for RedisUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&Secrets::Masked.url(&self.0))
    }
}

impl fmt::Debug for RedisUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}
