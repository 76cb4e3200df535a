//! [`Archive`]: reading entries as they are stored, and putting them back.

use std::pin::Pin;

use async_trait::async_trait;
use bytes::Bytes;
#[cfg(any(feature = "redis", feature = "sqlite"))]
use futures_util::stream;
use futures_util::stream::Stream;

use crate::error::{Error, Result};
use crate::model::entry::EntryId;
use crate::model::record::Record;
#[cfg(any(feature = "redis", feature = "sqlite"))]
use crate::model::record::{Octets, ResultRecord};
use crate::model::stored::StoredBody;
use crate::store::traits::Backend;

/// The elements of a body, as they are to be stored.
pub type RecordBody<'a> = Pin<Box<dyn Stream<Item = Result<Bytes>> + Send + 'a>>;

/// A longer value is a body of its own; bytes.
#[cfg(any(feature = "redis", feature = "sqlite"))]
const MAX_INLINE: usize = 1 << 20;

/// An entry as it is stored.
pub struct StoredRecord {
    /// All but the body.
    pub record: Record,
    /// The elements of the body. It fails with [`Error::Removed`] if the entry is removed or replaced meanwhile.
    pub body: Option<StoredBody>,
}

impl From<Record> for StoredRecord {
    fn from(record: Record) -> Self {
        Self { record, body: None }
    }
}

/// The record of a result.
#[cfg(any(feature = "redis", feature = "sqlite"))]
pub(crate) fn of_value(key: &[u8], created_at: Option<f64>, expires_at: Option<f64>, value: Bytes) -> StoredRecord {
    let key = Octets(key.to_vec());
    if value.len() <= MAX_INLINE {
        let value = Some(Octets(value.to_vec()));
        return Record::Result(ResultRecord { key, created_at, expires_at, value }).into();
    }
    let record = Record::Result(ResultRecord { key, created_at, expires_at, value: None });
    StoredRecord { record, body: Some(Box::pin(stream::iter([Ok(value)]))) }
}

/// What came of putting a record back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Restored {
    /// It is there again, with so many keys or rows.
    Restored {
        /// Keys, or rows of entries and results.
        keys: u64,
    },
    /// It would have expired by now.
    Expired,
    /// Another value was stored under its key.
    Newer,
    /// It is there, or a part of it that is not its own.
    Present,
}

/// Reading entries as they are stored, and putting them back.
#[async_trait]
pub trait Archive: Backend {
    /// Reads an entry in any state. Nothing: there is no such entry. What is no whole entry has a record for each key.
    async fn read_stored(&self, _id: &EntryId) -> Result<Vec<StoredRecord>> {
        Err(Error::Unsupported("this cache cannot be saved to a file"))
    }

    /// Puts a record back, in the order in which a store writes an entry, with the TTL that is left. What is there is
    /// never changed. May be called again after it was interrupted. If the body fails, nothing is put back.
    async fn restore(&self, _record: &Record, _body: RecordBody<'_>) -> Result<Restored> {
        Err(Error::Unsupported("this cache cannot be filled from a file"))
    }
}
