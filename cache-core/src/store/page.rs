//! [`Page`] and [`Cursor`] of a scan.

use std::any::Any;

use crate::error::{Error, Result};
use crate::model::summary::Summary;

/// One page of a scan.
#[derive(Debug, Default)]
pub struct Page {
    /// The entries that matched.
    pub entries: Vec<Summary>,
    /// Where the next page begins; `None`: this was the last one.
    pub next: Option<Cursor>,
    /// The approximate number of keys of the whole database (rows in SQLite) that were read since the first page.
    pub scanned: u64,
    /// The approximate number of all keys.
    pub total: u64,
    /// The number of entries that may not be read, and are therefore not in `entries`.
    pub denied: u64,
    /// The number of keys under the cache prefixes that were read for this page.
    pub keys: u64,
    /// Entries whose body could not be searched: it is damaged, or too long to be decoded.
    pub left_out: u64,
}

/// Position in a scan, valid once and for the store that returned it.
#[derive(Debug)]
pub struct Cursor(Box<dyn Any + Send>);

impl Cursor {
    pub(crate) fn new<T: Any + Send>(position: T) -> Self {
        Self(Box::new(position))
    }

    /// The position inside. Fails if another kind of store returned the cursor.
    pub(crate) fn into_position<T: Any>(self) -> Result<T> {
        self.0.downcast().map(|position| *position).map_err(|_| Error::CursorExpired)
    }
}
