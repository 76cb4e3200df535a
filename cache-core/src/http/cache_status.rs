//! How a response was served (RFC 9211: Cache-Status).

use crate::model::entry::EntryId;
use crate::model::key::CacheKey;

/// Source of a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CacheOutcome {
    /// The cache (fresh).
    Hit,
    /// The cache (stale).
    Stale,
    /// The cache, after validation by the origin.
    Revalidated,
    /// The origin; no stored response could be used.
    Miss,
    /// The origin; the cache was bypassed.
    Bypass,
}

impl CacheOutcome {
    /// The name in events and JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Hit => "hit",
            Self::Stale => "stale",
            Self::Revalidated => "revalidated",
            Self::Miss => "miss",
            Self::Bypass => "bypass",
        }
    }
}

/// How a response was served.
#[derive(Clone, Debug, PartialEq)]
pub struct CacheStatus {
    /// The source of the response.
    pub from: CacheOutcome,
    /// The key that it is, or would be, stored under.
    pub cache_key: CacheKey,
    /// Seconds since the origin generated or validated it; `None` if it was served by the origin.
    pub age: Option<f64>,
    /// The entry that was served.
    pub entry: Option<EntryId>,
    /// Remaining TTL in seconds; `None` if it never expires or was not served from the cache.
    pub ttl_left: Option<f64>,
}

impl CacheStatus {
    /// Served by the origin.
    pub(crate) fn by_origin(from: CacheOutcome, cache_key: CacheKey) -> Self {
        Self { from, cache_key, age: None, entry: None, ttl_left: None }
    }
}
