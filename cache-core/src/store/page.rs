//! A page of a scan, and where the next one begins.

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
    /// About how many keys of the whole database (rows in SQLite) were read since the first page.
    pub scanned: u64,
    /// About how many there are in all.
    pub total: u64,
    /// How many of those read for this page are under the prefixes of the caches.
    pub keys: u64,
}

/// Where a scan goes on, for one use. Only the store that returned it can read it.
#[derive(Debug)]
pub struct Cursor(Box<dyn Any + Send>);

impl Cursor {
    pub(crate) fn new<T: Any + Send>(position: T) -> Self {
        Self(Box::new(position))
    }

    /// The position inside; fails where another kind of store returned the cursor.
    pub(crate) fn into_position<T: Any>(self) -> Result<T> {
        self.0.downcast().map(|position| *position).map_err(|_| Error::CursorExpired)
    }
}
