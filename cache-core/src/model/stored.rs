//! What a store returns: responses, results, bodies, leases.

use std::pin::Pin;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use futures_util::{Stream, TryStreamExt as _};

use crate::error::Result;
use crate::model::entry::{Entry, EntryId};

/// The chunks of a stored body. An error ends it: the rest is gone, and the chunks before are not the complete body.
pub type StoredBody = Pin<Box<dyn Stream<Item = Result<Bytes>> + Send>>;

/// Collects a stored body.
pub async fn collect_body(body: StoredBody) -> Result<Bytes> {
    let mut pieces: Vec<Bytes> = body.try_collect().await?;
    match pieces.len() {
        1 => Ok(pieces.remove(0)),
        _ => Ok(pieces
            .iter()
            .fold(BytesMut::new(), |mut all, piece| {
                all.extend_from_slice(piece);
                all
            })
            .freeze()),
    }
}

/// A live, complete response that a lookup returned.
#[derive(Clone, Debug)]
pub struct StoredResponse {
    /// Its id.
    pub id: EntryId,
    /// Its head. Shared, since a tier in memory returns it many times.
    pub entry: Arc<Entry>,
    /// When it expires, in Unix seconds; `None`: never.
    pub expires_at: Option<f64>,
    /// Its complete body, where it is short enough to come along; otherwise the store has it
    /// ([`ResponseStore::body`](crate::ResponseStore::body)).
    pub body: Option<Bytes>,
}

/// A live result.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredResult {
    /// Its JSON.
    pub value: Bytes,
    /// When it expires, in Unix seconds; `None`: never, or unknown to the storage.
    pub expires_at: Option<f64>,
}

/// The state of a lease after an attempt to acquire it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeaseState {
    /// The caller owns it.
    Acquired,
    /// Another owner has it.
    HeldByOther,
    /// It has no owner, and the last one could not store the response: waiting for others is pointless.
    Uncacheable,
}

/// What a removal removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RemoveStats {
    /// Entries that existed and are gone.
    pub entries: u64,
    /// Redis keys that are gone (rows in SQLite): entries, bodies and emptied indexes.
    pub keys: u64,
}

impl std::ops::AddAssign for RemoveStats {
    fn add_assign(&mut self, other: Self) {
        self.entries += other.entries;
        self.keys += other.keys;
    }
}
