//! A body recorded while it passes: pieces go to a task that writes, and the caller is never slowed for long.
//!
//! Only a body that came to its end is committed. Cut off by the origin or dropped by the caller, its writer is dropped,
//! and no reader ever sees it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use futures_util::{StreamExt as _, stream};
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use crate::error::Error;
use crate::format::content_coding;
use crate::http::cache::Inner;
use crate::http::request::Judge;
use crate::http::response::coding;
use crate::model::entry::{Entry, EntryId};
use crate::model::stats::Counts;
use crate::runtime::single_flight::Lead;
use crate::transport::error::SendError;
use crate::transport::traits::Incoming;

/// How many pieces may wait for the store.
const QUEUE: usize = 8;

/// A store that takes in less than this is not waited for: bytes a second.
const SLOWEST: f64 = (16 << 20) as f64;

/// Who waits for a recording goes on without it where it pauses for longer: its reader may be in no hurry, or wait for
/// the same response himself.
const PAUSE: Duration = Duration::from_secs(2);

/// What is to be stored, and what comes with it.
pub(crate) struct Order {
    pub(crate) entry: Entry,
    pub(crate) keep: Duration,
    /// Removed once the new entry is there.
    pub(crate) replaces: Vec<EntryId>,
    /// Must be content with the whole body before it is stored.
    pub(crate) judge: Option<Judge>,
    /// When the caller asked.
    pub(crate) started: Instant,
    /// Others wait for this.
    pub(crate) lead: Option<Lead>,
}

enum Piece {
    Part(Bytes),
    End,
}

/// The caller's end of a body being stored.
pub(crate) struct Recording {
    pieces: mpsc::Sender<Piece>,
    committed: oneshot::Receiver<()>,
    patience: Duration,
    /// For how long the body may still be held up in all.
    budget: Duration,
    room: u64,
    /// Nobody could store this body: it is too large, or the store too slow.
    is_given_up: Arc<AtomicBool>,
}

impl Recording {
    /// Starts the task that writes.
    pub(crate) fn begin(cache: &Arc<Inner>, order: Order) -> Self {
        let (pieces, incoming) = mpsc::channel(QUEUE);
        let (done, committed) = oneshot::channel();
        let is_given_up = Arc::<AtomicBool>::default();
        cache.core.tasks.spawn(write(Arc::clone(cache), order, incoming, Arc::clone(&is_given_up), done));
        let patience = cache.core.store.patience();
        Self { pieces, committed, patience, budget: patience, room: cache.core.largest_entry, is_given_up }
    }

    /// Hands on a piece; `None`: nobody stores this body any more.
    async fn push(mut self, piece: &Bytes) -> Option<Self> {
        let Some(room) = self.room.checked_sub(piece.len() as u64) else {
            self.is_given_up.store(true, Ordering::Release);
            return None;
        };
        self.room = room;
        self.budget += Duration::from_secs(1).mul_f64(piece.len() as f64 / SLOWEST);
        let start = Instant::now();
        let sent = timeout(self.budget, self.pieces.send(Piece::Part(piece.clone()))).await;
        self.budget = self.budget.saturating_sub(start.elapsed());
        if sent.is_err() {
            self.is_given_up.store(true, Ordering::Release);
        }
        matches!(sent, Ok(Ok(()))).then_some(self)
    }

    /// The body has come to its end: it is in the store when this returns, or the store took too long.
    pub(crate) async fn end(self) {
        let (pieces, committed) = (self.pieces, self.committed);
        match timeout(self.budget.max(self.patience), pieces.send(Piece::End)).await {
            Ok(Ok(())) => drop(timeout(self.patience, committed).await),
            Ok(Err(_)) => {}
            Err(_) => self.is_given_up.store(true, Ordering::Release),
        }
    }
}

/// A body that is stored while it passes, where somebody stores it. With its length announced, one that ends before
/// ends with an error.
pub(crate) fn passing(body: Incoming, length: Option<u64>, recording: Option<Recording>) -> Incoming {
    Box::pin(stream::unfold(Passing { body: Some(body), left: length, recording }, |mut passing| async move {
        let piece = passing.next().await?;
        if piece.is_err() {
            passing.body = None;
            passing.recording = None;
        }
        Some((piece, passing))
    }))
}

struct Passing {
    /// `None`: it ended with an error.
    body: Option<Incoming>,
    /// What is still to come, where that was announced.
    left: Option<u64>,
    recording: Option<Recording>,
}

impl Passing {
    async fn next(&mut self) -> Option<Result<Bytes, SendError>> {
        let piece = match self.body.as_mut()?.next().await {
            Some(Ok(piece)) => piece,
            Some(Err(error)) => return Some(Err(error)),
            None if self.left.is_some_and(|left| left > 0) => return Some(Err(SendError::cut())),
            None => {
                if let Some(recording) = self.recording.take() {
                    recording.end().await;
                }
                return None;
            }
        };
        if let Some(recording) = self.recording.take() {
            self.recording = recording.push(&piece).await;
        }
        if let Some(left) = &mut self.left {
            // More than was announced is no body that anybody should keep.
            let Some(rest) = left.checked_sub(piece.len() as u64) else { return Some(Err(SendError::cut())) };
            *left = rest;
            // Who was told the length knows that this is the end, and may ask again at once.
            if rest == 0
                && let Some(recording) = self.recording.take()
            {
                recording.end().await;
            }
        }
        Some(Ok(piece))
    }
}

/// A body that is kept until it is known whether it may be stored.
struct Judged {
    judge: Judge,
    coding: Option<String>,
    body: BytesMut,
}

impl Judged {
    fn is_good(&self) -> bool {
        (self.judge)(&content_coding::decoded(&self.body, self.coding.as_deref()))
    }
}

async fn write(
    cache: Arc<Inner>,
    order: Order,
    mut pieces: mpsc::Receiver<Piece>,
    is_given_up: Arc<AtomicBool>,
    done: oneshot::Sender<()>,
) {
    let Order { entry, keep, replaces, judge, started, mut lead } = order;
    let key = entry.cache_key.clone();
    let mut judged = judge.map(|judge| Judged {
        judge,
        coding: coding(&entry.response.headers).map(str::to_owned),
        body: BytesMut::new(),
    });
    let store = cache.store(&key);
    let stored = match store.begin(entry, Some(keep)).await {
        None => Ok(false),
        Some(mut writer) => loop {
            let next = pieces.recv();
            let piece = match lead.take() {
                None => next.await,
                Some(leading) => match timeout(PAUSE, next).await {
                    Err(_) => continue,
                    Ok(piece) => {
                        lead = Some(leading);
                        piece
                    }
                },
            };
            match piece {
                Some(Piece::Part(piece)) => {
                    if let Some(judged) = &mut judged {
                        judged.body.extend_from_slice(&piece);
                    }
                    if let Err(error) = writer.push(piece).await {
                        break Err(error);
                    }
                }
                Some(Piece::End) if judged.as_ref().is_some_and(|judged| !judged.is_good()) => break Ok(false),
                Some(Piece::End) => break writer.commit().await.map(|_| true),
                None if is_given_up.load(Ordering::Acquire) => break Ok(false),
                // Cut off: it may still be stored, so the next of those who wait may try.
                None => return,
            }
        },
    };
    let was_stored = matches!(stored, Ok(true));
    if was_stored {
        cache.count(Counts { stores: 1, ..Counts::default() });
        let seconds = started.elapsed().as_secs_f64();
        tracing::debug!(service = %cache.service, %key, ttl = keep.as_secs_f64(), seconds, "store");
    }
    if was_stored && !replaces.is_empty() {
        store.ask("remove", |store| async move { store.remove(&replaces).await }).await;
    }
    let _ = done.send(());
    if let Some(lead) = lead {
        // A flush in the middle is nothing against the response: one of those who wait fetches it again for all.
        lead.land(was_stored || matches!(stored, Err(Error::Removed { .. }))).await;
    }
}
