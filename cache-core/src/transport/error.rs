//! [`SendError`]: why a request to the origin failed.

use std::fmt;

use crate::error::BoxError;

/// An error while contacting the origin.
#[derive(Debug)]
pub struct SendError {
    problem: Problem,
    source: BoxError,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Problem {
    Timeout,
    Connect,
    Broken,
}

impl SendError {
    /// A timeout expired.
    pub fn timeout(source: impl Into<BoxError>) -> Self {
        Self { problem: Problem::Timeout, source: source.into() }
    }

    /// The origin is unreachable.
    pub fn connect(source: impl Into<BoxError>) -> Self {
        Self { problem: Problem::Connect, source: source.into() }
    }

    /// The response was truncated or invalid.
    pub fn broken(source: impl Into<BoxError>) -> Self {
        Self { problem: Problem::Broken, source: source.into() }
    }

    /// The body ended before its announced length.
    pub(crate) fn cut() -> Self {
        Self::broken("body shorter than Content-Length")
    }

    /// Whether a timeout expired.
    pub fn is_timeout(&self) -> bool {
        self.problem == Problem::Timeout
    }

    /// Whether the origin was unreachable.
    pub fn is_connect(&self) -> bool {
        self.problem == Problem::Connect
    }
}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.problem {
            Problem::Timeout => "request to the origin timed out",
            Problem::Connect => "cannot connect to the origin",
            Problem::Broken => "connection to the origin was interrupted",
        })
    }
}

impl std::error::Error for SendError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&*self.source)
    }
}
