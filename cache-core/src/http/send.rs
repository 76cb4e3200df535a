//! Whoever asks the origin what the cache cannot answer.

use std::fmt;
use std::pin::Pin;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::Stream;

use crate::error::BoxError;

/// A body as it arrives. An error ends it: what came before is not the whole body.
pub type Incoming = Pin<Box<dyn Stream<Item = Result<Bytes, SendError>> + Send>>;

/// Sends requests to their origin.
#[async_trait]
pub trait Sender: Send + Sync + 'static {
    /// Sends a request; ready when the head of the response is there.
    ///
    /// Bodies must come as they were sent: a content coding is the cache's to undo. A request may carry a [`Timeout`],
    /// and the response of a redirect that was followed a [`FinalUrl`], as extensions.
    async fn send(&self, request: http::Request<Bytes>) -> Result<http::Response<Incoming>, SendError>;
}

/// The longest that a request may take, its response's body included; an extension of a request.
#[derive(Clone, Copy, Debug)]
pub struct Timeout(pub Duration);

/// The URL that answered, where redirects were followed; an extension of a response.
#[derive(Clone, Debug)]
pub struct FinalUrl(pub String);

/// Why the origin gave no answer, or not all of it.
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
    /// The origin did not answer in time.
    pub fn timeout(source: impl Into<BoxError>) -> Self {
        Self { problem: Problem::Timeout, source: source.into() }
    }

    /// There is no connection to the origin.
    pub fn connect(source: impl Into<BoxError>) -> Self {
        Self { problem: Problem::Connect, source: source.into() }
    }

    /// The answer broke off or cannot be understood.
    pub fn broken(source: impl Into<BoxError>) -> Self {
        Self { problem: Problem::Broken, source: source.into() }
    }

    /// The body ended before its announced length.
    pub(super) fn cut() -> Self {
        Self::broken("body shorter than Content-Length")
    }

    /// Whether time ran out.
    pub fn is_timeout(&self) -> bool {
        self.problem == Problem::Timeout
    }

    /// Whether the origin could not be reached at all.
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
