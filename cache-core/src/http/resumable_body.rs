//! Streaming of stored bodies, with recovery: if the store loses a body while it is read, it is fetched again.
//!
//! The response is fetched once for all callers that were reading it. If the new body begins with the delivered bytes,
//! the stream continues after them; otherwise it ends with an error. It is never silently short.

use std::collections::VecDeque;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::{Buf as _, Bytes};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use sha2::{Digest as _, Sha256};

use crate::http::body::Body;
use crate::http::context::Context;
use crate::http::error::FetchError;
use crate::http::recorder::drain;
use crate::http::response::CachedResponse;
use crate::model::entry::{EntryId, Response};
use crate::model::stats::Counters;
use crate::policy::decision::BodyRange;
use crate::transport::error::TransportError;
use crate::transport::traits::BodyStream;

/// The number of delivered bytes kept unhashed: a body that is read to its end costs no hashing.
const UNHASHED: usize = 1 << 20;

/// Fetches a response again after its body was lost while it was read.
#[async_trait]
pub(crate) trait Refetch: Send + Sync {
    /// The whole response. `lost`: the stored responses that must not be served, since their bodies are lost.
    async fn refetch(&self, lost: &[EntryId]) -> Result<CachedResponse, FetchError>;
}

/// What is needed to recover a lost body.
pub(crate) struct Recovery {
    pub(crate) context: Arc<Context>,
    /// The head of the response.
    pub(crate) head: Response,
    pub(crate) refetch: Arc<dyn Refetch>,
}

/// A part of a stored body.
pub(crate) fn resumable(chunks: BodyStream, part: BodyRange, id: EntryId, recovery: Recovery) -> BodyStream {
    let (first, left) = match part {
        BodyRange::Full => (0, None),
        BodyRange::None => (0, Some(0)),
        BodyRange::Range(first, last) => (first, Some((last + 1).saturating_sub(first))),
    };
    let body = ResumableBody {
        chunks: Some(chunks),
        first,
        skip: first,
        left,
        delivered: DeliveredPrefix::default(),
        served: 0,
        recovery,
        source: Some(id),
        lost: Vec::new(),
    };
    Box::pin(stream::unfold(body, |mut body| async move {
        let chunk = body.next().await?;
        if chunk.is_err() {
            body.chunks = None;
        }
        Some((chunk, body))
    }))
}

struct ResumableBody {
    /// `None`: it has ended.
    chunks: Option<BodyStream>,
    /// Where the part begins.
    first: u64,
    /// Bytes before the part that are still to be skipped.
    skip: u64,
    /// Bytes of the part that are still to come; `None`: all up to the end of the body.
    left: Option<u64>,
    delivered: DeliveredPrefix,
    /// Delivered bytes that came from the store.
    served: u64,
    recovery: Recovery,
    /// The stored response being read; `None`: the body comes from the origin and cannot be resumed.
    source: Option<EntryId>,
    /// IDs of stored responses that lost their body while it was read. A refetch never serves one of them again, so the
    /// number of refetches is bounded.
    lost: Vec<EntryId>,
}

impl ResumableBody {
    async fn next(&mut self) -> Option<Result<Bytes, TransportError>> {
        loop {
            if self.left == Some(0) {
                return None;
            }
            let problem = match self.chunks.as_mut()?.next().await {
                Some(Ok(chunk)) => match self.next_part(chunk) {
                    None => continue,
                    Some(chunk) => {
                        self.delivered.push(&chunk);
                        if self.source.is_some() {
                            self.served += chunk.len() as u64;
                        }
                        return Some(Ok(chunk));
                    }
                },
                None if self.left.is_none() && self.skip == 0 => return None,
                None => TransportError::cut(),
                Some(Err(problem)) => problem,
            };
            match self.resume(problem).await {
                Ok(rest) => self.chunks = Some(rest),
                Err(error) => return Some(Err(error)),
            }
        }
    }

    /// The bytes of a chunk that belong to the part.
    fn next_part(&mut self, mut chunk: Bytes) -> Option<Bytes> {
        let skipped = self.skip.min(chunk.len() as u64);
        self.skip -= skipped;
        chunk.advance(skipped as usize);
        if let Some(left) = &mut self.left {
            chunk.truncate((*left).min(chunk.len() as u64) as usize);
            *left -= chunk.len() as u64;
        }
        (!chunk.is_empty()).then_some(chunk)
    }

    /// Fetches the body again until one begins with what was delivered; returns its rest.
    async fn resume(&mut self, mut problem: TransportError) -> Result<BodyStream, TransportError> {
        while let Some(lost) = self.source.take() {
            self.lost.push(lost);
            let Recovery { context, head, refetch } = &self.recovery;
            let cached_response = refetch.refetch(&self.lost).await?;
            if !cached_response.is_same_representation(head) {
                drain(context, cached_response.into_body());
                return Err(TransportError::broken("stored body was deleted and replaced by another response"));
            }
            self.source.clone_from(&cached_response.cache_status().entry);
            match self.remaining(cached_response.into_body()).await {
                Ok(rest) => return Ok(rest),
                Err(error) => problem = error,
            }
        }
        Err(problem)
    }

    async fn remaining(&mut self, mut body: Body) -> Result<BodyStream, TransportError> {
        // The bytes before the part were not delivered, so they need not be compared.
        let (mut skip, mut compared) = (self.first, 0);
        let (length, expected) = self.delivered.digest();
        let mut hash = Sha256::new();
        let mut rest = Bytes::new();
        while skip > 0 || compared < length {
            let Some(mut chunk) = body.next().await.transpose()? else { return Err(TransportError::cut()) };
            let skipped = skip.min(chunk.len() as u64);
            skip -= skipped;
            chunk.advance(skipped as usize);
            let same = (length - compared).min(chunk.len() as u64);
            hash.update(chunk.split_to(same as usize));
            compared += same;
            rest = chunk;
        }
        self.skip = 0;
        if hash.finalize()[..] != expected {
            // The next refetch would return the same body.
            self.source = None;
            drain(&self.recovery.context, body);
            return Err(TransportError::broken("stored body was deleted and the origin now returns a different one"));
        }
        let rest = stream::iter((!rest.is_empty()).then_some(Ok(rest)));
        Ok(Box::pin(rest.chain(body.map_err(TransportError::from))))
    }
}

impl Drop for ResumableBody {
    fn drop(&mut self) {
        let bytes = self.served;
        self.recovery.context.count(Counters { bytes, ..Counters::default() });
    }
}

/// The bytes delivered so far: the last ones, and a hash of those before.
#[derive(Default)]
struct DeliveredPrefix {
    length: u64,
    hash: Sha256,
    recent: VecDeque<Bytes>,
    recent_length: usize,
}

impl DeliveredPrefix {
    fn push(&mut self, chunk: &Bytes) {
        self.length += chunk.len() as u64;
        self.recent_length += chunk.len();
        self.recent.push_back(chunk.clone());
        while self.recent_length > UNHASHED
            && let Some(oldest) = self.recent.pop_front()
        {
            self.recent_length -= oldest.len();
            self.hash.update(&oldest);
        }
    }

    /// Its length and its hash.
    fn digest(&mut self) -> (u64, Vec<u8>) {
        for chunk in self.recent.drain(..) {
            self.hash.update(&chunk);
        }
        self.recent_length = 0;
        (self.length, self.hash.clone().finalize().to_vec())
    }
}
