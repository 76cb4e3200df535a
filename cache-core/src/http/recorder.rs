//! Storing a body while it is streamed to the caller: a task writes the chunks, and delays the caller by a bounded
//! time.
//!
//! Only a complete body is committed: if it is truncated or the caller drops it, the writer is dropped, too.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use futures_util::{StreamExt as _, stream};
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use crate::error::{Error, Result};
use crate::format::content_coding;
use crate::http::body::Body;
use crate::http::context::Context;
use crate::http::request::BodyValidator;
use crate::http::response::coding;
use crate::model::entry::{Entry, EntryId};
use crate::model::generation::Generation;
use crate::model::key::CacheKey;
use crate::model::stats::Counters;
use crate::runtime::guarded_store::GuardedWriter;
use crate::runtime::single_flight::Leader;
use crate::transport::error::TransportError;
use crate::transport::traits::BodyStream;

/// How many chunks may wait for the store.
const QUEUE: usize = 8;

/// The caller waits for a store that writes at this rate or faster; bytes per second.
const MIN_BYTES_PER_SECOND: f64 = (16 << 20) as f64;

/// Waiters stop waiting for a body that makes no progress for this long: its reader may be slow, or may itself be
/// waiting for the same key (a deadlock).
const PAUSE: Duration = Duration::from_secs(2);

/// A response to be stored.
pub(crate) struct RecordRequest {
    pub(crate) entry: Entry,
    pub(crate) retention: Duration,
    /// The generation of the key when the response was requested.
    pub(crate) generation: Generation,
    /// Removed once the new entry is visible.
    pub(crate) replaces: Vec<EntryId>,
    /// Must accept the whole body before it is stored.
    pub(crate) body_validator: Option<BodyValidator>,
    /// When the request arrived.
    pub(crate) started: Instant,
    /// The leader of the fetch, if others wait for it.
    pub(crate) leader: Option<Leader>,
}

enum Message {
    Chunk(Bytes),
    End,
}

/// Sends a body to the task that stores it.
pub(crate) struct BodyRecorder {
    messages: mpsc::Sender<Message>,
    committed: oneshot::Receiver<()>,
    timeout: Duration,
    /// How much longer the body may be delayed in all.
    budget: Duration,
    capacity: u64,
    /// The body cannot be stored: it is too large, or the store is too slow.
    is_abandoned: Arc<AtomicBool>,
    context: Arc<Context>,
}

impl BodyRecorder {
    /// Starts the task that writes.
    pub(crate) fn begin(context: &Arc<Context>, order: RecordRequest) -> Self {
        let (messages, incoming) = mpsc::channel(QUEUE);
        let (done, committed) = oneshot::channel();
        let is_abandoned = Arc::<AtomicBool>::default();
        context.core.tasks.spawn(record(Arc::clone(context), order, incoming, Arc::clone(&is_abandoned), done));
        let timeout = context.core.store.timeout();
        let (capacity, context) = (context.core.largest_entry, Arc::clone(context));
        Self { messages, committed, timeout, budget: timeout, capacity, is_abandoned, context }
    }

    /// Sends a chunk; `None`: the body is not stored any more.
    async fn send(mut self, chunk: &Bytes) -> Option<Self> {
        let Some(room) = self.capacity.checked_sub(chunk.len() as u64) else {
            self.is_abandoned.store(true, Ordering::Release);
            return None;
        };
        self.capacity = room;
        self.budget += Duration::from_secs(1).mul_f64(chunk.len() as f64 / MIN_BYTES_PER_SECOND);
        let start = Instant::now();
        let sent = timeout(self.budget, self.messages.send(Message::Chunk(chunk.clone()))).await;
        self.budget = self.budget.saturating_sub(start.elapsed());
        if sent.is_err() {
            self.is_abandoned.store(true, Ordering::Release);
        }
        matches!(sent, Ok(Ok(()))).then_some(self)
    }

    /// The body is complete: when this returns it is stored, or the store timed out, or it was slow before.
    pub(crate) async fn end(self) {
        let (messages, committed) = (self.messages, self.committed);
        if self.context.core.store.is_slow_to_write() {
            // The caller does not wait for it; the queue may be full.
            self.context.core.tasks.spawn(async move { drop(messages.send(Message::End).await) });
            return;
        }
        match timeout(self.budget.max(self.timeout), messages.send(Message::End)).await {
            Ok(Ok(())) => drop(timeout(self.timeout, committed).await),
            Ok(Err(_)) => {}
            Err(_) => self.is_abandoned.store(true, Ordering::Release),
        }
    }
}

/// A body that is also sent to the recorder, if there is one. It ends with an error if it is shorter or longer than its
/// declared `length`.
pub(crate) fn tee(body: BodyStream, length: Option<u64>, recording: Option<BodyRecorder>) -> BodyStream {
    Box::pin(stream::unfold(Tee { body: Some(body), left: length, recorder: recording }, |mut tee| async move {
        let chunk = tee.next().await?;
        if chunk.is_err() {
            tee.body = None;
            tee.recorder = None;
        }
        Some((chunk, tee))
    }))
}

struct Tee {
    /// `None`: it ended with an error.
    body: Option<BodyStream>,
    /// Bytes still to come, if the length was declared.
    left: Option<u64>,
    recorder: Option<BodyRecorder>,
}

impl Tee {
    async fn next(&mut self) -> Option<Result<Bytes, TransportError>> {
        let chunk = match self.body.as_mut()?.next().await {
            Some(Ok(chunk)) => chunk,
            Some(Err(error)) => return Some(Err(error)),
            None if self.left.is_some_and(|left| left > 0) => return Some(Err(TransportError::cut())),
            None => {
                if let Some(recording) = self.recorder.take() {
                    recording.end().await;
                }
                return None;
            }
        };
        if let Some(recording) = self.recorder.take() {
            self.recorder = recording.send(&chunk).await;
        }
        if let Some(left) = &mut self.left {
            // A body that is longer than declared is invalid.
            let Some(rest) = left.checked_sub(chunk.len() as u64) else { return Some(Err(TransportError::cut())) };
            *left = rest;
            // A caller that knows the length may send its next request without polling for the end.
            if rest == 0
                && let Some(recording) = self.recorder.take()
            {
                recording.end().await;
            }
        }
        Some(Ok(chunk))
    }
}

/// A body that is kept in memory until its validator has seen all of it.
struct Validation {
    judge: BodyValidator,
    coding: Option<String>,
    body: BytesMut,
}

impl Validation {
    fn is_valid(&self) -> bool {
        (self.judge)(&content_coding::decode_body(&self.body, self.coding.as_deref()))
    }
}

/// Stores a body as its chunks arrive, and releases its waiters.
async fn record(
    context: Arc<Context>,
    order: RecordRequest,
    mut messages: mpsc::Receiver<Message>,
    is_given_up: Arc<AtomicBool>,
    done: oneshot::Sender<()>,
) {
    let RecordRequest { entry, retention, generation, replaces, body_validator, started, mut leader } = order;
    let key = entry.cache_key.clone();
    let validation = body_validator.map(|body_validator| Validation {
        judge: body_validator,
        coding: coding(&entry.response.headers).map(str::to_owned),
        body: BytesMut::new(),
    });
    let store = context.store(&key);
    let stored = match store.insert(entry, Some(retention)).await {
        None => Ok(false),
        Some(mut writer) => {
            writer.expect_generation(generation);
            match write(writer, validation, &mut messages, &mut leader).await {
                Some(stored) => stored,
                None if is_given_up.load(Ordering::Acquire) => Ok(false),
                // Truncated: the response may still be storable, so the next waiter becomes the leader.
                None => return,
            }
        }
    };
    let was_stored = matches!(stored, Ok(true));
    if was_stored {
        on_stored(&context, &key, retention, started);
        context.remove(&key, replaces).await;
    }
    let _ = done.send(());
    if let Some(leader) = leader {
        // If the entry was flushed while the body was written, one of the waiters fetches it for all.
        leader.complete(was_stored || matches!(stored, Err(Error::Removed { .. }))).await;
    }
}

/// Writes the body and commits it, unless its validator rejects it; returns whether it was stored. `None`: the body was
/// truncated.
async fn write(
    mut writer: GuardedWriter,
    mut validation: Option<Validation>,
    messages: &mut mpsc::Receiver<Message>,
    leader: &mut Option<Leader>,
) -> Option<Result<bool>> {
    loop {
        match next_message(messages, leader).await? {
            Message::Chunk(chunk) => {
                if let Some(validation) = &mut validation {
                    validation.body.extend_from_slice(&chunk);
                }
                if let Err(error) = writer.write(chunk).await {
                    return Some(Err(error));
                }
            }
            Message::End if validation.as_ref().is_some_and(|validation| !validation.is_valid()) => {
                return Some(Ok(false));
            }
            Message::End => return Some(writer.commit().await.map(|_| true)),
        }
    }
}

/// The next message. Where it takes longer than [`PAUSE`], the waiters are released first.
async fn next_message(messages: &mut mpsc::Receiver<Message>, leader: &mut Option<Leader>) -> Option<Message> {
    if leader.is_some() {
        match timeout(PAUSE, messages.recv()).await {
            Ok(message) => return message,
            Err(_) => drop(leader.take()),
        }
    }
    messages.recv().await
}

fn on_stored(context: &Context, key: &CacheKey, retention: Duration, started: Instant) {
    context.count(Counters { stores: 1, ..Counters::default() });
    let seconds = started.elapsed().as_secs_f64();
    tracing::debug!(service = %context.service, %key, ttl = retention.as_secs_f64(), seconds, "store");
}

/// Drains a recorded body without a caller, so that it is stored and its waiters need not fetch it again. Stops if it
/// becomes too long to be stored.
pub(crate) fn drain(context: &Context, mut body: Body) {
    if body.is_recorded() {
        let largest = context.core.largest_entry;
        context.core.tasks.spawn(async move {
            let mut read = 0;
            while read <= largest
                && let Some(Ok(chunk)) = body.next().await
            {
                read += chunk.len() as u64;
            }
        });
    }
}
