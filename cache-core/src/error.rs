//! What can go wrong in a cache, told apart by what the caller should do next.
//!
//! Driver errors are boxed, so that no driver's type is part of the public API.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// The result of every fallible call of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A boxed cause.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Which kind of storage answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BackendKind {
    /// One Redis server.
    Redis,
    /// One SQLite file.
    Sqlite,
    /// A map in this process; for tests.
    Memory,
}

impl BackendKind {
    /// The name used in JSON and on screens.
    pub fn name(self) -> &'static str {
        match self {
            Self::Redis => "redis",
            Self::Sqlite => "sqlite",
            Self::Memory => "memory",
        }
    }
}

/// The storage that a call went to, named so that a person recognises it. Never holds a password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backend {
    /// The kind of storage.
    pub kind: BackendKind,
    /// Its URL without secrets, or its path.
    pub location: Arc<str>,
}

impl fmt::Display for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self.kind {
            BackendKind::Redis => "Redis",
            BackendKind::Sqlite => "SQLite",
            BackendKind::Memory => "memory",
        };
        write!(f, "{name} at {}", self.location)
    }
}

/// Why a call failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No connection, a broken connection, or a server that is still loading.
    #[error("{backend} is unreachable")]
    Unavailable {
        /// The backend that was asked.
        backend: Backend,
        /// The driver's error.
        #[source]
        source: BoxError,
    },
    /// No answer within the limit.
    #[error("{backend}: timed out after {limit:?} {}", during(.operation))]
    Timeout {
        /// The backend that was asked.
        backend: Backend,
        /// What it was asked to do.
        operation: &'static str,
        /// How long was waited.
        limit: Duration,
    },
    /// The backend answered with an error: a wrong password, no memory left, a read-only replica or file.
    #[error("{backend} rejected {}", rejected(.operation))]
    Refused {
        /// The backend that was asked.
        backend: Backend,
        /// What it was asked to do.
        operation: &'static str,
        /// The driver's error.
        #[source]
        source: BoxError,
    },
    /// There is nothing to open at this place.
    #[error("{backend} does not exist")]
    Missing {
        /// The backend that was asked.
        backend: Backend,
    },
    /// Stored bytes that cannot be understood.
    #[error("cannot decode {what}")]
    Corrupt {
        /// The entry or key, safe to print.
        what: String,
        /// What is wrong with it.
        #[source]
        source: CodecError,
    },
    /// What was being read or written was removed or evicted before that had come to its end, or was replaced.
    #[error("{what} was deleted from {backend} during the operation")]
    Removed {
        /// The backend that was asked.
        backend: Backend,
        /// The part that is gone, safe to print.
        what: String,
    },
    /// A page was asked for with a cursor of another backend or of an older list.
    #[error("the listing is no longer valid; start again")]
    CursorExpired,
    /// A change was planned for one backend and another one answers now.
    #[error("the backend changed to {now}; nothing was done there")]
    BackendChanged {
        /// The backend in use now.
        now: Backend,
    },
    /// A change was asked of a cache opened for reading only.
    #[error("{0} is read-only")]
    ReadOnly(Backend),
    /// A server that does not tell what a watch needs to know, and nobody allowed to make it tell.
    #[error("keyspace notifications are not enabled on {backend}: notify-keyspace-events lacks {missing}")]
    NotificationsOff {
        /// The backend that was asked.
        backend: Backend,
        /// The classes of events that are off, as the server's setting names them.
        missing: String,
    },
    /// The layout cannot hold what was asked.
    #[error("{0}")]
    Unsupported(&'static str),
    /// A setting that cannot be used; says which and what is allowed.
    #[error("{0}")]
    Config(String),
}

impl Error {
    /// The operation of a call that did not come as far as being sent.
    pub(crate) const CONNECTING: &'static str = "connecting";

    /// Whether it may be about one entry alone, so that others can still be dealt with: a layout that cannot hold what
    /// was asked, or a user who has the right to some keys only.
    pub(crate) fn is_about_one_entry(&self) -> bool {
        match self {
            Self::Unsupported(_) => true,
            Self::Refused { source, .. } => source.downcast_ref().is_some_and(lacks_right_to_keys),
            _ => false,
        }
    }

    /// Whether the same call may succeed later without anybody doing anything; what retry and fallback ask.
    pub fn is_temporary(&self) -> bool {
        matches!(self, Self::Unavailable { .. } | Self::Timeout { .. })
    }
}

/// An operation as a part of a sentence: a gerund, or the name of a Redis command.
fn during(operation: &str) -> String {
    let is_command = operation.starts_with(|first: char| first.is_ascii_uppercase());
    format!("{} {operation}", if is_command { "in" } else { "while" })
}

/// An operation as the object of a rejection.
fn rejected(operation: &str) -> &str {
    if operation == Error::CONNECTING { "the connection" } else { operation }
}

/// Whether a server refused a command for the keys in it; it may allow the same with others.
pub(crate) fn lacks_right_to_keys(error: &redis::RedisError) -> bool {
    // It says either "to run the 'x' command" or "to access one of the keys".
    error.code() == Some("NOPERM") && error.detail().is_some_and(|detail| detail.contains(" key"))
}

/// An error with its causes in one line. Some drivers repeat in a message what its cause says: told once.
pub fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let cause_text = cause.to_string();
        if !text.ends_with(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        next = cause.source();
    }
    text
}

/// Why stored bytes cannot be understood.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CodecError {
    /// Not the MessagePack map that hishel writes.
    #[error("not a hishel entry: {0}")]
    Pair(String),
    /// Bytes are left over behind a complete value.
    #[error("trailing bytes after the entry")]
    Trailing,
    /// A part of the entry is missing.
    #[error("missing {0}")]
    Missing(&'static str),
}
