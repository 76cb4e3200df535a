//! [`TransportError`]: why a request to the origin failed.

use std::fmt;

use crate::error::{BoxError, error_chain};

/// An error while contacting the origin.
#[derive(Debug)]
pub struct TransportError {
    kind: TransportErrorKind,
    source: BoxError,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum TransportErrorKind {
    Timeout,
    Connect,
    Broken,
}

impl TransportError {
    /// A timeout expired.
    pub fn timeout(source: impl Into<BoxError>) -> Self {
        Self { kind: TransportErrorKind::Timeout, source: source.into() }
    }

    /// The origin is unreachable.
    pub fn connect(source: impl Into<BoxError>) -> Self {
        Self { kind: TransportErrorKind::Connect, source: source.into() }
    }

    /// The response was truncated or invalid.
    pub fn broken(source: impl Into<BoxError>) -> Self {
        Self { kind: TransportErrorKind::Broken, source: source.into() }
    }

    /// The body ended before its announced length.
    pub(crate) fn cut() -> Self {
        Self::broken("body shorter than Content-Length")
    }

    /// The same error, for another caller.
    pub(crate) fn repeat(&self) -> Self {
        Self { kind: self.kind, source: error_chain(&*self.source).into() }
    }

    /// Whether a timeout expired.
    pub fn is_timeout(&self) -> bool {
        self.kind == TransportErrorKind::Timeout
    }

    /// Whether the origin was unreachable.
    pub fn is_connect(&self) -> bool {
        self.kind == TransportErrorKind::Connect
    }
}

impl fmt::Display for TransportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.kind {
            TransportErrorKind::Timeout => "request to the origin timed out",
            TransportErrorKind::Connect => "cannot connect to the origin",
            TransportErrorKind::Broken => "connection to the origin was interrupted",
        })
    }
}

impl std::error::Error for TransportError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&*self.source)
    }
}
