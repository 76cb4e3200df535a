//! What an administrator reads of entries and servers.

use crate::error::BackendId;
use crate::model::entry::Entry;
use crate::model::summary::Summary;

/// Everything about one entry but its body.
#[derive(Clone, Debug, PartialEq)]
pub struct EntryDetails {
    /// The short form.
    pub summary: Summary,
    /// The stored request and response; `None` for results and for what cannot be read.
    pub entry: Option<Entry>,
    /// How many chunks the body is stored in.
    pub chunks: u64,
    /// The Redis keys that make up the entry; empty in SQLite.
    pub keys: Vec<RedisKeyInfo>,
}

/// A Redis key as the server describes it.
#[derive(Clone, Debug, PartialEq)]
pub struct RedisKeyInfo {
    /// The key.
    pub key: Vec<u8>,
    /// Its Redis type: `hash`, `list`, …
    pub kind: String,
    /// Seconds until it expires; `None`: never.
    pub ttl: Option<f64>,
    /// Bytes of memory that it takes, by `MEMORY USAGE`; `None` where the server does not report it.
    pub bytes: Option<u64>,
}

/// The state of the server or the file.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ServerInfo {
    /// The server's or library's version.
    pub version: String,
    /// Memory in use by the whole server, or the size of the file; bytes.
    pub memory_bytes: u64,
    /// The server's `maxmemory`, and what it does at the limit; `None`: no limit.
    pub limit: Option<(u64, String)>,
    /// Keys in the whole database, of caches or not; rows in SQLite. `None`: the user may not read it.
    pub keys: Option<u64>,
    /// The server's `keyspace_hits` and `keyspace_misses` since its start, of all databases.
    pub keyspace: Option<(u64, u64)>,
}

/// The health of the storage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Health {
    /// Which storage responds now.
    pub backend: BackendId,
    /// It stands in for another one that cannot be reached.
    pub is_fallback: bool,
    /// Why the configured storage does not respond; `None`: it does.
    pub problem: Option<String>,
}
