//! A stored body on its way to the caller, mended where the store loses it in the middle.
//!
//! What the caller has got already cannot be taken back. So the response is fetched again, once for all who were reading
//! it: where its beginning is what was delivered, its rest is the rest; else the body ends with an error, never silently
//! short.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::{Buf as _, Bytes};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use sha2::{Digest as _, Sha256};

use crate::http::body::Body;
use crate::http::cache::Inner;
use crate::http::plan::Plan;
use crate::model::entry::{EntryId, Response};
use crate::model::stats::Counts;
use crate::policy::decision::Part;
use crate::transport::error::SendError;
use crate::transport::traits::Incoming;

/// This much of what was delivered is kept as it is: a body that is read to its end costs no hashing.
const UNHASHED: usize = 1 << 20;

/// Whom to ask for a body again.
pub(crate) struct Again {
    pub(crate) cache: Arc<Inner>,
    pub(crate) plan: Arc<Plan>,
    /// The head of the response whose body it is.
    pub(crate) head: Response,
}

/// These bytes of a stored body.
pub(crate) fn replayed(pieces: Incoming, part: Part, id: EntryId, again: Again) -> Incoming {
    let (first, left) = match part {
        Part::Whole => (0, None),
        Part::None => (0, Some(0)),
        Part::Range(first, last) => (first, Some((last + 1).saturating_sub(first))),
    };
    let replay = Replay {
        pieces: Some(pieces),
        first,
        skip: first,
        left,
        delivered: Delivered::default(),
        served: 0,
        again,
        source: Some(id),
        lost: Vec::new(),
    };
    Box::pin(stream::unfold(replay, |mut replay| async move {
        let piece = replay.next().await?;
        if piece.is_err() {
            replay.pieces = None;
        }
        Some((piece, replay))
    }))
}

struct Replay {
    /// `None`: it has ended.
    pieces: Option<Incoming>,
    /// Where the part begins.
    first: u64,
    /// How much is still to be left out before it.
    skip: u64,
    /// How much of it is still to come, where that is known.
    left: Option<u64>,
    delivered: Delivered,
    /// How much of that came from the store; bytes.
    served: u64,
    again: Again,
    /// The stored response being read; `None`: what comes is the origin's, which nobody can mend.
    source: Option<EntryId>,
    /// Those that were, and were lost. Each was another one, so that this ends when nobody stores them any more.
    lost: Vec<EntryId>,
}

impl Replay {
    async fn next(&mut self) -> Option<Result<Bytes, SendError>> {
        loop {
            if self.left == Some(0) {
                return None;
            }
            let problem = match self.pieces.as_mut()?.next().await {
                Some(Ok(piece)) => match self.part_of(piece) {
                    None => continue,
                    Some(piece) => {
                        self.delivered.push(&piece);
                        if self.source.is_some() {
                            self.served += piece.len() as u64;
                        }
                        return Some(Ok(piece));
                    }
                },
                None if self.left.is_none() && self.skip == 0 => return None,
                None => SendError::cut(),
                Some(Err(problem)) => problem,
            };
            match self.mend(problem).await {
                Ok(rest) => self.pieces = Some(rest),
                Err(error) => return Some(Err(error)),
            }
        }
    }

    /// What of a piece belongs to the part.
    fn part_of(&mut self, mut piece: Bytes) -> Option<Bytes> {
        let skipped = self.skip.min(piece.len() as u64);
        self.skip -= skipped;
        piece.advance(skipped as usize);
        if let Some(left) = &mut self.left {
            piece.truncate((*left).min(piece.len() as u64) as usize);
            *left -= piece.len() as u64;
        }
        (!piece.is_empty()).then_some(piece)
    }

    /// Asks for the body again until one comes whose beginning is what was delivered; what follows that.
    async fn mend(&mut self, mut problem: SendError) -> Result<Incoming, SendError> {
        while let Some(lost) = self.source.take() {
            self.lost.push(lost);
            let Again { cache, plan, head } = &self.again;
            let fetched = cache.answer_again(plan, &self.lost, head).await?;
            self.source.clone_from(&fetched.served().entry);
            match self.rest_of(fetched.into_body()).await {
                Ok(rest) => return Ok(rest),
                Err(error) => problem = error,
            }
        }
        Err(problem)
    }

    async fn rest_of(&mut self, mut body: Body) -> Result<Incoming, SendError> {
        // What lies before the part comes with it; nobody has seen that, so it need not be compared.
        let (mut skip, mut compared) = (self.first, 0);
        let (length, expected) = self.delivered.digest();
        let mut hash = Sha256::new();
        let mut rest = Bytes::new();
        while skip > 0 || compared < length {
            let Some(mut piece) = body.next().await.transpose()? else { return Err(SendError::cut()) };
            let skipped = skip.min(piece.len() as u64);
            skip -= skipped;
            piece.advance(skipped as usize);
            let same = (length - compared).min(piece.len() as u64);
            hash.update(piece.split_to(same as usize));
            compared += same;
            rest = piece;
        }
        self.skip = 0;
        if hash.finalize()[..] != expected {
            // So it would be the next time.
            self.source = None;
            self.again.cache.read_on(body);
            return Err(SendError::broken("stored body was deleted and the origin now returns a different one"));
        }
        let rest = stream::iter((!rest.is_empty()).then_some(Ok(rest)));
        Ok(Box::pin(rest.chain(body.map_err(SendError::from))))
    }
}

impl Drop for Replay {
    fn drop(&mut self) {
        let bytes = self.served;
        self.again.cache.count(Counts { bytes, ..Counts::default() });
    }
}

/// What the caller got so far: the hash of it, and its end as it is.
#[derive(Default)]
struct Delivered {
    length: u64,
    hash: Sha256,
    recent: VecDeque<Bytes>,
    recent_length: usize,
}

impl Delivered {
    fn push(&mut self, piece: &Bytes) {
        self.length += piece.len() as u64;
        self.recent_length += piece.len();
        self.recent.push_back(piece.clone());
        while self.recent_length > UNHASHED
            && let Some(oldest) = self.recent.pop_front()
        {
            self.recent_length -= oldest.len();
            self.hash.update(&oldest);
        }
    }

    /// Its length and its hash.
    fn digest(&mut self) -> (u64, Vec<u8>) {
        for piece in self.recent.drain(..) {
            self.hash.update(&piece);
        }
        self.recent_length = 0;
        (self.length, self.hash.clone().finalize().to_vec())
    }
}
