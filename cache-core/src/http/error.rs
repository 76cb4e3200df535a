//! [`FetchError`]: why a request through the cache failed.

use crate::error::BoxError;
use crate::transport::error::TransportError;

/// An error of a request. Cache failures are never reported here.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FetchError {
    /// The request is invalid: its URL, a header field, or a body that cannot be written as JSON.
    #[error("invalid request")]
    Request(#[source] BoxError),
    /// The origin did not respond, or its response was truncated.
    #[error(transparent)]
    Origin(#[from] TransportError),
    /// The body is longer than [`Body::MAX_BYTES`](crate::Body::MAX_BYTES); read it as a stream.
    #[error("body is longer than {limit} bytes")]
    TooLarge {
        /// The limit.
        limit: usize,
    },
    /// The body is not the expected JSON.
    #[error("cannot deserialize the body")]
    Json(#[source] BoxError),
}

impl FetchError {
    pub(crate) fn request(source: impl Into<BoxError>) -> Self {
        Self::Request(source.into())
    }

    /// Whether a timeout expired.
    pub fn is_timeout(&self) -> bool {
        matches!(self, Self::Origin(error) if error.is_timeout())
    }

    /// Whether the origin was unreachable.
    pub fn is_connect(&self) -> bool {
        matches!(self, Self::Origin(error) if error.is_connect())
    }
}

impl From<FetchError> for TransportError {
    /// For a response that continues the body of another one.
    fn from(error: FetchError) -> Self {
        match error {
            FetchError::Origin(error) => error,
            other => Self::broken(other),
        }
    }
}
