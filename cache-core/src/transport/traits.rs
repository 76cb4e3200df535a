//! The [`Transport`] trait, which sends requests to the origin.

use std::pin::Pin;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::Stream;

use crate::transport::error::TransportError;

/// A stream of body chunks. If it ends with an error, the body is incomplete.
pub type BodyStream = Pin<Box<dyn Stream<Item = Result<Bytes, TransportError>> + Send>>;

/// Sends requests to the origin.
#[async_trait]
pub trait Transport: Send + Sync + 'static {
    /// Sends a request; returns as soon as the head of the response arrives.
    ///
    /// Implementations must not decode response bodies. A request may have a [`RequestTimeout`], and the response of a
    /// redirect that was followed a [`FinalUrl`], as extensions.
    async fn send(&self, request: http::Request<Bytes>) -> Result<http::Response<BodyStream>, TransportError>;
}

/// The timeout of a request, including the body of its response; an extension of a request.
#[derive(Clone, Copy, Debug)]
pub struct RequestTimeout(pub Duration);

/// The URL of the response, if redirects were followed; an extension of a response.
#[derive(Clone, Debug)]
pub struct FinalUrl(pub String);
