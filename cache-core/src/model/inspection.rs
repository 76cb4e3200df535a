//! TODO

use futures_util::TryStreamExt as _;

use crate::error::Backend;
use crate::model::entry::Entry;
use crate::model::summary::Summary;

/// Everything about one entry but its body.
#[derive(Clone, Debug, PartialEq)]
pub struct Inspected {
    /// The short form.
    pub summary: Summary,
    /// The stored request and response; `None` for results and for what cannot be read.
    pub entry: Option<Entry>,
    /// How many pieces the body is stored in.
    pub chunks: u64,
    /// The Redis keys that make up the entry; empty in SQLite.
    pub keys: Vec<KeyFact>,
}

/// A Redis key as the server sees it.
#[derive(Clone, Debug, PartialEq)]
pub struct KeyFact {
    /// The key.
    pub key: Vec<u8>,
    /// Its Redis type: `hash`, `list`, …
    pub kind: String,
    /// Seconds until it expires; `None`: never.
    pub ttl: Option<f64>,
    /// Bytes of memory that it takes, by `MEMORY USAGE`; `None` where the server does not tell.
    pub bytes: Option<u64>,
}

/// Facts about the server or the file.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Info {
    /// The server's or library's version.
    pub version: String,
    /// Memory in use by the whole server, or the size of the file; bytes.
    pub memory_bytes: u64,
    /// The server's `maxmemory`, and what it does at the limit; `None`: no limit.
    pub limit: Option<(u64, String)>,
    /// Keys in the whole database, ours or not; rows in SQLite. `None`: that may not be asked for.
    pub keys: Option<u64>,
    /// The server's own `keyspace_hits` and `keyspace_misses` since its start, of everything it serves.
    pub keyspace: Option<(u64, u64)>,
}

/// How the storage is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Health {
    /// Which storage answers now.
    pub backend: Backend,
    /// It stands in for another one that cannot be reached.
    pub is_fallback: bool,
    /// Why the storage asked for does not answer; `None`: it does.
    pub problem: Option<String>,
}
