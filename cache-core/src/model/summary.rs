//! [`Summary`]: the metadata of an entry shown in lists.

use std::borrow::Cow;

use crate::model::entry::{CacheKind, EntryId, EntryState, StorageLayout};
use crate::model::freshness::Freshness;
use crate::model::key::{CacheKey, ResultKey};
use crate::model::service::ServiceName;

/// Metadata of an entry, without headers and body.
#[derive(Clone, Debug, PartialEq)]
pub struct Summary {
    /// The ID.
    pub id: EntryId,
    /// The state.
    pub state: EntryState,
    /// The service.
    pub service: ServiceName,
    /// Bytes of the body as stored (HTTP) or of the value (results).
    pub size: u64,
    /// When it was stored; `None` if the layout does not record it.
    pub created_at: Option<f64>,
    /// When it expires; `None`: never, unless [`Summary::is_expiry_unknown`].
    pub expires_at: Option<f64>,
    /// Time of last use, estimated from the remaining TTL. Wrong (even in the future) if the TTL was changed manually;
    /// use [`Summary::last_used`] for display.
    pub last_used: Option<f64>,
    /// Response-specific part. `None` for results and for entries that cannot be read.
    pub http: Option<Box<HttpSummary>>,
    /// Why it cannot be read or belongs to no entry; `None` for a readable entry.
    pub problem: Option<Box<str>>,
    /// Another one once the entry is replaced, revalidated or continued; the same when its TTL is renewed. `None`:
    /// unknown.
    pub version: Option<u64>,
}

/// Response-specific part of a [`Summary`].
#[derive(Clone, Debug, PartialEq)]
pub struct HttpSummary {
    /// The key that the response is stored under.
    pub cache_key: CacheKey,
    /// The request's method.
    pub method: Cow<'static, str>,
    /// The request's URL.
    pub url: Box<str>,
    /// The response's status code.
    pub status: u16,
    /// The response's `Content-Type`.
    pub content_type: Option<Box<str>>,
    /// A title from the body, if the URL does not identify the content (`POST`, GraphQL).
    pub title: Option<Box<str>>,
    /// Freshness by RFC 9111, as in a private cache.
    pub freshness: Freshness,
}

impl Summary {
    /// The kind of entry.
    pub fn kind(&self) -> CacheKind {
        self.id.kind()
    }

    /// Whether the expiry is not recorded. hishel 1 does not write the TTL of its storage into a SQLite file.
    pub fn is_expiry_unknown(&self) -> bool {
        self.expires_at.is_none() && self.http.is_some() && matches!(self.id, EntryId::Http(StorageLayout::Sqlite1, _))
    }

    /// Seconds until it expires, at least 0; `None`: never, or unknown.
    pub fn ttl(&self, now: f64) -> Option<f64> {
        self.expires_at.map(|at| (at - now).max(0.0))
    }

    /// Seconds since it was stored; `None` if the layout does not record the time.
    pub fn stored_for(&self, now: f64) -> Option<f64> {
        self.created_at.map(|at| (now - at).max(0.0))
    }

    /// RFC 9111 §4.2.3 `current_age` of a response; seconds since storing of a result.
    pub fn age(&self, now: f64) -> Option<f64> {
        let initial = self.http.as_ref().map_or(0.0, |http| http.freshness.initial_age);
        self.stored_for(now).map(|seconds| initial + seconds)
    }

    /// RFC 9111 §4.2: whether it may be served without validation; `None` if its age is unknown.
    pub fn is_fresh(&self, now: f64) -> Option<bool> {
        let http = self.http.as_ref()?;
        Some(http.freshness.is_fresh(self.age(now)?))
    }

    /// Time of last use; `None` if it is unknown.
    pub fn last_used(&self, now: f64) -> Option<f64> {
        self.last_used.filter(|at| *at <= now + MAX_CLOCK_SKEW).map(|at| at.min(now))
    }

    /// The parsed key of a result; `None` for responses.
    pub fn result_key(&self) -> Option<ResultKey<'_>> {
        match &self.id {
            EntryId::Key(key) => ResultKey::parse(key),
            EntryId::Http(..) => None,
        }
    }
}

/// How far the clock of a server may be ahead of the local clock, in seconds.
const MAX_CLOCK_SKEW: f64 = 1.0;
