//! [`Body`] of a response, as the caller reads it.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use futures_util::{Stream, StreamExt as _};

use crate::http::error::FetchError;
use crate::transport::traits::BodyStream;

/// A stream of body chunks. If it ends with an error, the body is incomplete.
pub struct Body {
    kind: BodyKind,
    /// It is stored while it is read.
    is_recorded: bool,
}

enum BodyKind {
    /// In memory already; `None`: it was read.
    Full(Option<Bytes>),
    Chunks(BodyStream),
}

impl Body {
    /// A body that is, or is not, stored while it is read.
    pub(crate) fn tee(chunks: BodyStream, is_recorded: bool) -> Self {
        Self { kind: BodyKind::Chunks(chunks), is_recorded }
    }

    pub(crate) fn is_recorded(&self) -> bool {
        self.is_recorded
    }

    /// The longest body that is collected: 64 MiB.
    pub const MAX_BYTES: usize = 64 << 20;

    /// Collects the rest of the body. Fails with [`FetchError::TooLarge`] beyond [`Self::MAX_BYTES`]: what an origin sends,
    /// and what it decodes to, has no other limit.
    pub async fn bytes(self) -> Result<Bytes, FetchError> {
        let mut chunks = match self.kind {
            BodyKind::Full(body) => return Ok(body.unwrap_or_default()),
            BodyKind::Chunks(chunks) => chunks,
        };
        let Some(first) = chunks.next().await.transpose()? else { return Ok(Bytes::new()) };
        let Some(second) = chunks.next().await.transpose()? else { return Ok(first) };
        let mut all = BytesMut::from(first);
        all.extend_from_slice(&second);
        while let Some(chunk) = chunks.next().await.transpose()? {
            if all.len() + chunk.len() > Self::MAX_BYTES {
                return Err(FetchError::TooLarge { limit: Self::MAX_BYTES });
            }
            all.extend_from_slice(&chunk);
        }
        Ok(all.freeze())
    }
}

impl From<Bytes> for Body {
    fn from(body: Bytes) -> Self {
        Self { kind: BodyKind::Full(Some(body).filter(|body| !body.is_empty())), is_recorded: false }
    }
}

impl From<BodyStream> for Body {
    fn from(chunks: BodyStream) -> Self {
        Self::tee(chunks, false)
    }
}

impl Stream for Body {
    type Item = Result<Bytes, FetchError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        match &mut self.kind {
            BodyKind::Full(body) => Poll::Ready(body.take().map(Ok)),
            BodyKind::Chunks(chunks) => chunks.poll_next_unpin(context).map_err(FetchError::Origin),
        }
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            BodyKind::Full(body) => f.debug_tuple("Body").field(&body.as_ref().map_or(0, Bytes::len)).finish(),
            BodyKind::Chunks(_) => f.debug_tuple("Body").finish_non_exhaustive(),
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::stream;

    use super::*;

    #[tokio::test]
    async fn body_beyond_the_limit_is_not_collected() {
        let endless = stream::repeat_with(|| Ok(Bytes::from(vec![0; 1 << 20])));
        let body = Body::from(Box::pin(endless) as BodyStream);
        assert!(matches!(body.bytes().await, Err(FetchError::TooLarge { limit: 67_108_864 })));
    }
}
