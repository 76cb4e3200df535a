//! Details of entries and servers, for administration.

use crate::error::BackendId;
use crate::model::capabilities::Capabilities;
use crate::model::entry::Entry;
use crate::model::summary::Summary;

/// Details of an entry, without its body.
#[derive(Clone, Debug, PartialEq)]
pub struct EntryDetails {
    /// The summary.
    pub summary: Summary,
    /// The stored request and response; `None` for results and for entries that cannot be read.
    pub entry: Option<Entry>,
    /// The number of chunks of the body.
    pub chunks: u64,
    /// The Redis keys that make up the entry; empty in SQLite.
    pub keys: Vec<RedisKeyInfo>,
}

/// A Redis key of an entry.
#[derive(Clone, Debug, PartialEq)]
pub struct RedisKeyInfo {
    /// The key.
    pub key: Vec<u8>,
    /// Its Redis type: `hash`, `list`, …
    pub kind: String,
    /// Seconds until it expires; `None`: never.
    pub ttl: Option<f64>,
    /// Memory usage in bytes (`MEMORY USAGE`); `None` if the server does not report it.
    pub bytes: Option<u64>,
}

/// Information about the server or file. What is not known is `None`: a user may lack permission to ask.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ServerInfo {
    /// The server's or library's version.
    pub version: Option<String>,
    /// Memory in use by the whole server, or the size of the file; bytes.
    pub memory_bytes: Option<u64>,
    /// Bytes of a SQLite file that are free for new entries; `None` for servers.
    pub free_bytes: Option<u64>,
    /// The server's memory limit; `None` for a file, too.
    pub limit: Option<MemoryLimit>,
    /// Keys in the whole database, of caches or not; rows in SQLite. `None`: the user lacks permission.
    pub keys: Option<u64>,
    /// The server's `keyspace_hits` and `keyspace_misses` since its start, of all databases.
    pub keyspace: Option<(u64, u64)>,
    /// What the server is and allows; `None` for a file.
    pub server: Option<Capabilities>,
}

/// A server's memory limit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MemoryLimit {
    /// None is set.
    Unlimited,
    /// `maxmemory`.
    Limited {
        /// The limit in bytes.
        bytes: u64,
        /// `maxmemory-policy`.
        policy: String,
    },
}

/// Health of a store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Health {
    /// The backend in use.
    pub backend: BackendId,
    /// Whether it is the fallback for an unreachable backend.
    pub is_fallback: bool,
    /// Why the configured backend does not respond; `None`: it does.
    pub problem: Option<String>,
    /// What the server in use is and allows; `None` for a file, and before the first connection.
    pub server: Option<Box<Capabilities>>,
}
