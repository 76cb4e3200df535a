//! Whoever asks the origin what the cache cannot answer.

use std::pin::Pin;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::Stream;

use crate::transport::error::SendError;

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
