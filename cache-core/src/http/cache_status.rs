//! TODO

use crate::model::entry::EntryId;
use crate::model::key::CacheKey;

/// Where a response came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ServedFrom {
    /// The store, still good.
    Hit,
    /// The store, past its freshness lifetime.
    Stale,
    /// The store, after the origin said that it is still good.
    Revalidated,
    /// The origin, since nothing stored could answer.
    Miss,
    /// The origin: the cache was not asked.
    Bypass,
}

impl ServedFrom {
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

/// How a request was answered.
#[derive(Clone, Debug, PartialEq)]
pub struct Served {
    /// Where the response came from.
    pub from: ServedFrom,
    /// The key that it is, or would be, stored under.
    pub cache_key: CacheKey,
    /// Seconds since the origin generated or validated it; `None` where it came just now.
    pub age: Option<f64>,
    /// The stored response that was served.
    pub entry: Option<EntryId>,
    /// How long the store keeps it, in seconds; `None`: for ever, or it was not served from there.
    pub ttl_left: Option<f64>,
}

impl Served {
    /// Answered by the origin.
    pub(crate) fn by_origin(from: ServedFrom, cache_key: CacheKey) -> Self {
        Self { from, cache_key, age: None, entry: None, ttl_left: None }
    }
}
