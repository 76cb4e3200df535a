//! [`Body`] of a response, as the caller reads it.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use futures_util::{Stream, StreamExt as _};

use crate::http::error::FetchError;
use crate::transport::traits::Incoming;

/// A stream of body chunks. If it ends with an error, the body is incomplete.
pub struct Body {
    kind: Kind,
    /// It is stored while it is read.
    is_recorded: bool,
}

enum Kind {
    /// In memory already; `None`: it was read.
    Whole(Option<Bytes>),
    Chunks(Incoming),
}

impl Body {
    /// A body that is, or is not, stored while it is read.
    pub(crate) fn passing(chunks: Incoming, is_recorded: bool) -> Self {
        Self { kind: Kind::Chunks(chunks), is_recorded }
    }

    pub(crate) fn is_recorded(&self) -> bool {
        self.is_recorded
    }

    /// Collects the rest of the body.
    pub async fn bytes(self) -> Result<Bytes, FetchError> {
        let mut chunks = match self.kind {
            Kind::Whole(body) => return Ok(body.unwrap_or_default()),
            Kind::Chunks(chunks) => chunks,
        };
        let Some(first) = chunks.next().await.transpose()? else { return Ok(Bytes::new()) };
        let Some(second) = chunks.next().await.transpose()? else { return Ok(first) };
        let mut all = BytesMut::from(first);
        all.extend_from_slice(&second);
        while let Some(piece) = chunks.next().await.transpose()? {
            all.extend_from_slice(&piece);
        }
        Ok(all.freeze())
    }
}

impl From<Bytes> for Body {
    fn from(body: Bytes) -> Self {
        Self { kind: Kind::Whole(Some(body).filter(|body| !body.is_empty())), is_recorded: false }
    }
}

impl From<Incoming> for Body {
    fn from(chunks: Incoming) -> Self {
        Self::passing(chunks, false)
    }
}

impl Stream for Body {
    type Item = Result<Bytes, FetchError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        match &mut self.kind {
            Kind::Whole(body) => Poll::Ready(body.take().map(Ok)),
            Kind::Chunks(chunks) => chunks.poll_next_unpin(context).map_err(FetchError::Origin),
        }
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            Kind::Whole(body) => f.debug_tuple("Body").field(&body.as_ref().map_or(0, Bytes::len)).finish(),
            Kind::Chunks(_) => f.debug_tuple("Body").finish_non_exhaustive(),
        }
    }
}
