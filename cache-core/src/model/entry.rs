//! The data model of cached entries.
//!
//! Times are Unix seconds (`f64`), as in hishel.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::model::headers::Headers;
use crate::model::key::{CacheKey, HTTP_PREFIX, ResultKey};
use crate::model::metadata::HishelMetadata;
use crate::redact::Secrets;

/// Kind of an entry: response or result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum CacheKind {
    /// A stored HTTP response.
    Http,
    /// The stored result of a function.
    Result,
}

impl CacheKind {
    /// The name in selectors and JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Result => "result",
        }
    }
}

/// Storage layout of a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum StorageLayout {
    /// The pipeline's own Redis layout (A).
    Pipeline,
    /// The Redis layout of hishel 1.2 and 1.3 (B).
    Hishel1,
    /// The Redis layout of hishel 2 (D).
    Hishel2,
    /// The SQLite layout of hishel 1 (C).
    Sqlite1,
    /// The SQLite layout of hishel 2 (E).
    Sqlite2,
}

impl StorageLayout {
    /// The name in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pipeline => "pipeline",
            Self::Hishel1 | Self::Hishel2 => "hishel",
            Self::Sqlite1 | Self::Sqlite2 => "sqlite",
        }
    }

    /// The ID as this layout writes it: with dashes, except in hishel's own Redis layouts.
    pub fn id_text(self, id: Uuid) -> String {
        match self {
            Self::Hishel1 | Self::Hishel2 => id.simple().to_string(),
            _ => id.hyphenated().to_string(),
        }
    }
}

/// Permanent ID of an entry.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum EntryId {
    /// A response: its entry, its body and its index record.
    Http(StorageLayout, Uuid),
    /// A result, or a Redis key under a cache prefix that belongs to no entry; the whole Redis key.
    Key(Box<[u8]>),
}

impl EntryId {
    /// The ID of the entry under a Redis key.
    pub fn key(bytes: impl Into<Box<[u8]>>) -> Self {
        Self::Key(bytes.into())
    }

    /// The ID as text, for display only: bytes that are not UTF-8 are replaced.
    pub fn text(&self) -> Cow<'_, str> {
        match self {
            Self::Http(layout, id) => Cow::Owned(layout.id_text(*id)),
            Self::Key(key) => String::from_utf8_lossy(key),
        }
    }

    /// The Redis key of the entry. Entries in SQLite get the key that the pipeline would use.
    pub fn redis_key(&self) -> Cow<'_, [u8]> {
        match self {
            Self::Http(layout, id) => Cow::Owned(format!("{HTTP_PREFIX}:entry:{}", layout.id_text(*id)).into_bytes()),
            Self::Key(key) => Cow::Borrowed(key),
        }
    }

    /// Which cache the entry belongs to.
    pub fn kind(&self) -> CacheKind {
        match self {
            Self::Key(key) if ResultKey::parse(key).is_some() => CacheKind::Result,
            Self::Http(..) | Self::Key(_) => CacheKind::Http,
        }
    }
}

/// Without credentials, which a key may contain.
impl fmt::Display for EntryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Http(..) => f.pad(&self.text()),
            Self::Key(key) => fmt::Display::fmt(&Secrets::Masked.key_bytes(key), f),
        }
    }
}

/// State of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum EntryState {
    /// Complete and not expired.
    Live,
    /// The body has no end marker: being written, interrupted, or deleted.
    Incomplete,
    /// Marked as deleted, removed from the index, or expired and kept for hishel's grace of 180 s.
    Deleted,
    /// Undecodable data or wrong key type.
    Corrupt,
    /// A cache key that belongs to no entry.
    Orphan,
}

impl EntryState {
    /// All states.
    pub const ALL: [Self; 5] = [Self::Live, Self::Incomplete, Self::Deleted, Self::Corrupt, Self::Orphan];

    /// The name in selectors and JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Incomplete => "incomplete",
            Self::Deleted => "deleted",
            Self::Corrupt => "corrupt",
            Self::Orphan => "orphan",
        }
    }

    /// The state with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }
}

/// A cached HTTP response without its body (hishel's entry).
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// The ID.
    pub id: Uuid,
    /// The key that it is stored under.
    pub cache_key: CacheKey,
    /// The request that it answers.
    pub request: Request,
    /// The response.
    pub response: Response,
    /// When it was stored; `None` in hishel 2's layouts, which do not record it.
    pub created_at: Option<f64>,
    /// When it was marked as deleted.
    pub deleted_at: Option<f64>,
}

impl Entry {
    /// hishel's mark for a soft deletion.
    pub fn is_deleted(&self) -> bool {
        self.deleted_at.is_some_and(|at| at > 0.0)
    }

    /// Sorts the responses under a key by storage time, newest first; responses without a storage time come last.
    pub(crate) fn newest_first(&self, other: &Self) -> Ordering {
        other.created_at.unwrap_or(0.0).total_cmp(&self.created_at.unwrap_or(0.0))
    }
}

/// Request metadata of an entry. The body of the request is not stored.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Request {
    /// The method.
    pub method: String,
    /// The URL as sent.
    pub url: String,
    /// The header fields.
    pub headers: Headers,
    /// hishel's metadata.
    #[serde(default, skip_serializing_if = "HishelMetadata::is_absent")]
    pub extra: HishelMetadata,
}

/// Response metadata of an entry.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Response {
    /// The status code.
    pub status_code: u16,
    /// The header fields.
    pub headers: Headers,
    /// hishel's metadata.
    #[serde(default, skip_serializing_if = "HishelMetadata::is_absent")]
    pub extra: HishelMetadata,
}
