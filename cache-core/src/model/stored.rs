//! What a store returns: responses, results, bodies, leases.

use std::pin::Pin;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use futures_util::{Stream, TryStreamExt as _};

use crate::error::Result;
use crate::model::entry::{Entry, EntryId};

/// The chunks of a stored body. If it ends with an error, the body is incomplete.
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

/// A response found by [`ResponseStore::lookup`](crate::ResponseStore::lookup).
#[derive(Clone, Debug)]
pub struct StoredResponse {
    /// Its ID.
    pub id: EntryId,
    /// Its head. Shared, since an in-memory cache returns it many times.
    pub entry: Arc<Entry>,
    /// When it expires, in Unix seconds; `None`: never.
    pub expires_at: Option<f64>,
    /// Its complete body, if it is short; otherwise see [`ResponseStore::body`](crate::ResponseStore::body).
    pub body: Option<Bytes>,
}

/// A stored result.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredResult {
    /// Its JSON.
    pub value: Bytes,
    /// When it expires, in Unix seconds; `None`: never, or the storage does not report it.
    pub expires_at: Option<f64>,
}

impl StoredResult {
    /// The longest value that is read from a store: 64 MiB. Whatever else has access to the store may write longer ones.
    pub const MAX_BYTES: usize = 64 << 20;

    /// The result, unless it is too long.
    pub(crate) fn within_limit(self) -> Option<Self> {
        Some(self).filter(|stored| stored.value.len() <= Self::MAX_BYTES)
    }
}

/// State of a lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeaseState {
    /// The caller acquired it.
    Acquired,
    /// Held by another owner.
    HeldByOther,
    /// Not needed: the response could not be stored, so waiting is pointless.
    Uncacheable,
}

/// Number of deleted entries and keys.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RemoveStats {
    /// Entries that existed and were deleted.
    pub entries: u64,
    /// Deleted Redis keys (rows in SQLite): entries, bodies and emptied indexes.
    pub keys: u64,
}

impl std::ops::AddAssign for RemoveStats {
    fn add_assign(&mut self, other: Self) {
        self.entries += other.entries;
        self.keys += other.keys;
    }
}
