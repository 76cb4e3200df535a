//! What is in a cache: entries, and how they are named.
//!
//! All times are Unix seconds (`f64`), as hishel stores them.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::model::headers::Headers;
use crate::model::key::{CacheKey, HTTP_PREFIX, ResultKey};
use crate::model::metadata::HishelMetadata;

/// Which of the two caches an entry belongs to.
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

/// How an HTTP entry is laid out in its store.
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

    /// The id as this layout writes it: with dashes, except in hishel's own Redis layouts.
    pub fn id_text(self, id: Uuid) -> String {
        match self {
            Self::Hishel1 | Self::Hishel2 => id.simple().to_string(),
            _ => id.hyphenated().to_string(),
        }
    }
}

/// What names one entry for good.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum EntryId {
    /// An HTTP entry: its entry, its body and its place in the index.
    Http(StorageLayout, Uuid),
    /// A result, or a Redis key of ours that belongs to no entry; the whole Redis key.
    Key(Box<[u8]>),
}

impl EntryId {
    /// The id of the entry under a Redis key.
    pub fn key(bytes: impl Into<Box<[u8]>>) -> Self {
        Self::Key(bytes.into())
    }

    /// The id as text; bytes that are not UTF-8 are replaced. For people: ids are compared as values.
    pub fn text(&self) -> Cow<'_, str> {
        match self {
            Self::Http(layout, id) => Cow::Owned(layout.id_text(*id)),
            Self::Key(key) => String::from_utf8_lossy(key),
        }
    }

    /// The Redis key that stands for the entry (SQLite entries have the pipeline's name for it).
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

impl fmt::Display for EntryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text())
    }
}

/// Whether an entry can be served, and if not, why.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum EntryState {
    /// Whole and not expired.
    Live,
    /// Without the mark that the body is whole: still being written, cut short, or its body is gone.
    Incomplete,
    /// Marked as deleted, taken out of the index, or expired and kept for hishel's grace of 180 s.
    Deleted,
    /// Bytes that cannot be understood, or a key of the wrong type.
    Corrupt,
    /// A key under our prefixes that no entry owns.
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

    /// The state of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }
}

/// One stored HTTP response without its body: hishel's "pair".
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// Its id.
    pub id: Uuid,
    /// The key that it is stored under.
    pub cache_key: CacheKey,
    /// The request that it answers.
    pub request: Request,
    /// The response.
    pub response: Response,
    /// When it was stored; `None` in hishel 2's layouts, which do not say.
    pub created_at: Option<f64>,
    /// When it was marked as deleted.
    pub deleted_at: Option<f64>,
}

impl Entry {
    /// hishel's mark for a soft deletion.
    pub fn is_deleted(&self) -> bool {
        self.deleted_at.is_some_and(|at| at > 0.0)
    }

    /// The order of the responses under a key; those last of which it is not known when they were stored.
    pub(crate) fn newest_first(&self, other: &Self) -> Ordering {
        other.created_at.unwrap_or(0.0).total_cmp(&self.created_at.unwrap_or(0.0))
    }
}

/// The stored part of a request. Its body is not stored.
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

/// The stored part of a response besides its body.
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
