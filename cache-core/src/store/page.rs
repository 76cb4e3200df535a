//! TODO

use crate::model::entry::EntryId;
use crate::model::summary::Summary;

/// One page of a scan.
#[derive(Debug, Default)]
pub struct Page {
    /// What matched.
    pub entries: Vec<Summary>,
    /// Where the next page begins; `None`: this was the last one.
    pub next: Option<Cursor>,
    /// About how many keys of the whole database (rows in SQLite) were looked at since the first page.
    pub scanned: u64,
    /// About how many there are in all.
    pub total: u64,
    /// How many of those looked at for this page are under our prefixes.
    pub keys: u64,
}

/// Where a scan goes on; of the store that gave it, for one use.
#[derive(Debug)]
pub struct Cursor(pub(crate) Position);

#[derive(Debug)]
pub(crate) enum Position {
    Redis(Box<crate::store::redis::scan::Progress>),
    Sqlite(crate::store::sqlite::scan::Position),
    Memory(EntryId, u64),
}
