//! TODO

use std::pin::Pin;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use futures_util::{Stream, TryStreamExt as _};

use crate::error::Result;
use crate::model::entry::{Entry, EntryId};

/// The pieces of a stored body. An error ends it: the rest is gone, and what came before is not the whole body.
pub type StoredBody = Pin<Box<dyn Stream<Item = Result<Bytes>> + Send>>;

/// Every piece of a stored body as one.
pub async fn whole(body: StoredBody) -> Result<Bytes> {
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

/// A live and whole response that a look-up found.
#[derive(Clone, Debug)]
pub struct Found {
    /// What names it.
    pub id: EntryId,
    /// Its heads. Shared, since a first level in memory hands it out many times.
    pub entry: Arc<Entry>,
    /// When it expires, in Unix seconds; `None`: never.
    pub expires_at: Option<f64>,
    /// Its whole body, where that came along (it is short); else ask [`Store::body`].
    pub body: Option<Bytes>,
}

/// A live result that was found.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredResult {
    /// Its JSON.
    pub value: Bytes,
    /// When it expires, in Unix seconds; `None`: never, as far as the storage says.
    pub expires_at: Option<f64>,
}

/// What became of a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claim {
    /// It is the holder's.
    Granted,
    /// Another holder has it.
    Held,
    /// Nobody has it, and the last holder said that waiting for others is of no use.
    Alone,
}

/// What [`Store::remove`] did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Removed {
    /// Entries that were there and are gone now.
    pub entries: u64,
    /// Redis keys that are gone now (rows in SQLite): entries, bodies and emptied indexes.
    pub keys: u64,
}

impl std::ops::AddAssign for Removed {
    fn add_assign(&mut self, other: Self) {
        self.entries += other.entries;
        self.keys += other.keys;
    }
}
