//! Errors, classified by how a caller can react.
//!
//! Driver errors are boxed, so that no driver type is part of the API.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// The result of every fallible call of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A boxed cause.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Kind of backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BackendKind {
    /// One Redis server.
    Redis,
    /// One SQLite file.
    Sqlite,
    /// In-memory, for tests.
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

/// A backend, with its URL (password removed) or path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BackendId {
    /// The kind of backend.
    pub kind: BackendKind,
    /// Its URL without password, or its path.
    pub location: Arc<str>,
}

impl fmt::Display for BackendId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self.kind {
            BackendKind::Redis => "Redis",
            BackendKind::Sqlite => "SQLite",
            BackendKind::Memory => "memory",
        };
        write!(f, "{name} at {}", self.location)
    }
}

/// Scope of a refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefusalScope {
    /// The operation, whatever the entry.
    All,
    /// Every write of every client: a replica, a full memory, a failed snapshot.
    Writes,
    /// The keys of some entries; others may be allowed.
    Keys,
}

/// What is wrong with a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CertificateProblem {
    /// The server's certificate was issued by an unknown issuer.
    UnknownIssuer,
    /// The server's certificate was issued for another name.
    OtherName,
    /// The server's certificate cannot be used for another reason: it has expired, for example.
    Invalid,
    /// The server requires a certificate of the client.
    ClientRequired,
    /// The server rejected the certificate of the client.
    ClientRejected,
}

impl fmt::Display for CertificateProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::UnknownIssuer => "its certificate is from an unknown issuer",
            Self::OtherName => "its certificate is for another name",
            Self::Invalid => "its certificate is invalid",
            Self::ClientRequired => "it requires a client certificate",
            Self::ClientRejected => "it rejected the client certificate",
        })
    }
}

/// An error of the store.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The backend is unreachable or still loading.
    #[error("{backend} is unreachable")]
    Unavailable {
        /// The backend that was called.
        backend: BackendId,
        /// The driver's error.
        #[source]
        source: BoxError,
    },
    /// No response within the limit.
    #[error("{backend}: timed out after {limit:?} {}", during(.operation))]
    Timeout {
        /// The backend that was called.
        backend: BackendId,
        /// The operation.
        operation: &'static str,
        /// The time limit.
        limit: Duration,
    },
    /// The backend responded with an error: a wrong password, no memory left, a read-only replica or file.
    #[error("{backend} rejected {}", rejected(.operation))]
    Refused {
        /// The backend that was called.
        backend: BackendId,
        /// The operation.
        operation: &'static str,
        /// Which other operations it would refuse.
        scope: RefusalScope,
        /// The driver's error.
        #[source]
        source: BoxError,
    },
    /// TLS failed because of a certificate. Retrying does not help.
    #[error("{backend}: {problem}")]
    Certificate {
        /// The backend that was called.
        backend: BackendId,
        /// What is wrong.
        problem: CertificateProblem,
        /// The driver's error.
        #[source]
        source: BoxError,
    },
    /// The database does not exist.
    #[error("{backend} does not exist")]
    Missing {
        /// The backend that was called.
        backend: BackendId,
    },
    /// Stored data cannot be decoded.
    #[error("cannot decode {what}")]
    Corrupt {
        /// The entry or key, safe to print.
        what: String,
        /// What is wrong with it.
        #[source]
        source: CodecError,
    },
    /// An entry was removed, evicted or replaced while it was read or written.
    #[error("{what} was deleted from {backend} during the operation")]
    Removed {
        /// The backend that was called.
        backend: BackendId,
        /// The part that is gone, safe to print.
        what: String,
    },
    /// A page was requested with a cursor of another backend or of an older scan.
    #[error("the listing is no longer valid; start again")]
    CursorExpired,
    /// A change was planned for one backend and another one responds now.
    #[error("the backend changed to {now}; nothing was done there")]
    BackendChanged {
        /// The backend in use now.
        now: BackendId,
    },
    /// A change was requested of a cache that was opened read-only.
    #[error("{0} is read-only")]
    ReadOnly(BackendId),
    /// Keyspace notifications are not enabled, and enabling them was not allowed.
    #[error("keyspace notifications are not enabled on {backend}: notify-keyspace-events lacks {missing}")]
    NotificationsOff {
        /// The backend that was called.
        backend: BackendId,
        /// The event classes that are off, in the notation of the server's setting.
        missing: String,
    },
    /// A file of entries cannot be written or read.
    #[error("{what}")]
    File {
        /// What failed.
        what: &'static str,
        /// Why.
        #[source]
        source: BoxError,
    },
    /// The layout does not support the operation.
    #[error("{0}")]
    Unsupported(&'static str),
    /// An invalid setting; the message names it and the valid values.
    #[error("{0}")]
    Config(String),
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

impl Error {
    /// The operation of a call that failed before it was sent.
    pub(crate) const CONNECTING: &'static str = "connecting";

    /// Whether the same operation would fail for every other entry, too. It would not if a layout does not support the
    /// operation, or if the user has permission for some keys only.
    pub(crate) fn concerns_all(&self) -> bool {
        !matches!(self, Self::Unsupported(_) | Self::Refused { scope: RefusalScope::Keys, .. })
    }

    /// Returns whether retrying later may succeed.
    pub fn is_temporary(&self) -> bool {
        matches!(self, Self::Unavailable { .. } | Self::Timeout { .. })
    }
}

/// An error and its causes in one line. If a message ends with the text of its cause, as with some drivers, the text
/// appears once.
pub fn error_chain(error: &(dyn std::error::Error + 'static)) -> String {
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

/// Why stored bytes cannot be decoded.
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
