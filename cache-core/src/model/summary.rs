//! The short form of an entry, which lists show.

use std::borrow::Cow;

use crate::model::entry::{CacheKind, EntryId, EntryState};
use crate::model::freshness::Freshness;
use crate::model::key::{CacheKey, ResultKey};
use crate::model::service::ServiceName;

/// One entry as lists show it: everything but headers and body.
#[derive(Clone, Debug, PartialEq)]
pub struct Summary {
    /// Its id.
    pub id: EntryId,
    /// Whether it can be served.
    pub state: EntryState,
    /// Its service.
    pub service: ServiceName,
    /// Bytes of the body as stored (HTTP) or of the value (results).
    pub size: u64,
    /// When it was stored; `None` where the layout does not say.
    pub created_at: Option<f64>,
    /// When it expires; `None`: never.
    pub expires_at: Option<f64>,
    /// When it was last served, from the remaining TTL: wrong for a TTL that was changed by hand, and
    /// may be a time to come. [`Summary::last_used`] is for showing.
    pub last_used: Option<f64>,
    /// What only HTTP entries have. `None` for results and for what cannot be read.
    pub http: Option<Box<HttpSummary>>,
    /// Why it cannot be read or has no owner; `None` for a readable entry.
    pub problem: Option<Box<str>>,
}

/// The part of a [`Summary`] that only HTTP entries have.
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
    /// What the response is about, where the URL does not show it (`POST`, GraphQL).
    pub title: Option<Box<str>>,
    /// Freshness by RFC 9111, as a private cache sees it.
    pub freshness: Freshness,
}

impl Summary {
    /// Which cache it belongs to.
    pub fn kind(&self) -> CacheKind {
        self.id.kind()
    }

    /// Seconds until it expires, at least 0; `None`: never.
    pub fn ttl(&self, now: f64) -> Option<f64> {
        self.expires_at.map(|at| (at - now).max(0.0))
    }

    /// Seconds since it was stored; `None` where the layout does not say when that was.
    pub fn stored_for(&self, now: f64) -> Option<f64> {
        self.created_at.map(|at| (now - at).max(0.0))
    }

    /// RFC 9111 §4.2.3 `current_age` of an HTTP entry, seconds since stored of a result.
    pub fn age(&self, now: f64) -> Option<f64> {
        let initial = self.http.as_ref().map_or(0.0, |http| http.freshness.initial_age);
        self.stored_for(now).map(|seconds| initial + seconds)
    }

    /// RFC 9111 §4.2: whether it may be served without validation; `None` where its age is unknown.
    pub fn is_fresh(&self, now: f64) -> Option<bool> {
        let http = self.http.as_ref()?;
        Some(http.freshness.is_fresh(self.age(now)?))
    }

    /// When it was last served; `None` where that is not known.
    pub fn last_used(&self, now: f64) -> Option<f64> {
        self.last_used.filter(|at| *at <= now + MAX_CLOCK_SKEW).map(|at| at.min(now))
    }

    /// The parts of a result's key; `None` for HTTP entries.
    pub fn result_key(&self) -> Option<ResultKey<'_>> {
        match &self.id {
            EntryId::Key(key) => ResultKey::parse(key),
            EntryId::Http(..) => None,
        }
    }
}

/// By how much, in seconds, the clock of a server may be ahead of ours.
const MAX_CLOCK_SKEW: f64 = 1.0;
