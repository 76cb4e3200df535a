//! [`SharedAnswer`]: what the origin answered to one request, for those that waited for it.

use bytes::Bytes;
use http::HeaderMap;

use crate::model::entry::{Request, Response};
use crate::transport::error::TransportError;

/// An answer that is not in the store: it could not be stored, or there is none.
#[expect(clippy::large_enum_variant, reason = "each is allocated once, and shared")]
pub(crate) enum SharedAnswer {
    Response {
        /// The request of the leader.
        request: Request,
        /// The head, as policies see it.
        response: Response,
        fields: HeaderMap,
        body: Bytes,
    },
    /// The origin did not answer.
    Unreachable(TransportError),
}
