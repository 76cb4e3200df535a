//! TODO

use crate::error::BoxError;
use crate::transport::error::SendError;

/// Why a caller gets no response. That the cache cannot be used is never a reason.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FetchError {
    /// What was asked cannot be a request: its URL, a field, or a body that cannot be written as JSON.
    #[error("invalid request")]
    Request(#[source] BoxError),
    /// The origin did not answer, or not to the end.
    #[error(transparent)]
    Origin(#[from] SendError),
    /// The body is not the JSON that was asked for.
    #[error("cannot deserialize the body")]
    Json(#[source] BoxError),
}

impl FetchError {
    pub(crate) fn request(source: impl Into<BoxError>) -> Self {
        Self::Request(source.into())
    }

    /// Whether time ran out.
    pub fn is_timeout(&self) -> bool {
        matches!(self, Self::Origin(error) if error.is_timeout())
    }

    /// Whether the origin could not be reached at all.
    pub fn is_connect(&self) -> bool {
        matches!(self, Self::Origin(error) if error.is_connect())
    }
}
