//! Constructing responses from caches (RFC 9111, 4): selecting a stored response, and whether it may be served.

use crate::format::http_date;
use crate::model::entry::Request;
use crate::model::freshness::Freshness;
use crate::model::stored::StoredResponse;
use crate::policy::directives::{RequestDirectives, ResponseDirectives};
use crate::policy::freshness::freshness_for_cache;
use crate::policy::{storable, vary};

/// A stored response that the request selects.
pub(crate) struct SelectedResponse<'a> {
    pub(crate) index: usize,
    pub(crate) stored: &'a StoredResponse,
    pub(crate) directives: ResponseDirectives<'a>,
    pub(crate) freshness: Freshness,
    /// RFC 9111, 4.2.3 `current_age`; infinite if unknown.
    pub(crate) age: f64,
    is_shared: bool,
}

/// How a stored response may be served without validation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reuse {
    Fresh,
    /// The caller accepts stale responses (RFC 9111, 5.2.1.2).
    Stale,
    /// It is validated in the background (RFC 5861, 3).
    StaleWhileRevalidate,
}

/// The stored responses that may answer a GET or HEAD: another policy may have stored others.
pub(crate) fn candidates(stored: &[StoredResponse]) -> impl Iterator<Item = (usize, &StoredResponse)> {
    stored.iter().enumerate().filter(|(_, found)| {
        let entry = &found.entry;
        entry.request.method == "GET" && storable::describes_resource(entry.response.status_code)
    })
}

/// The stored responses that the request selects by `Vary`.
pub(crate) fn matching_vary<'a>(
    request: &Request,
    stored: &'a [StoredResponse],
) -> impl Iterator<Item = (usize, &'a StoredResponse)> {
    candidates(stored).filter(|(_, found)| {
        let entry = &found.entry;
        vary::matches(&entry.response.headers, &entry.request, request)
    })
}

impl<'a> SelectedResponse<'a> {
    /// RFC 9111, 4 and 4.1: the most recent by `Date`. Those with `Vary` precede those without it, which often lack it
    /// by mistake.
    pub(crate) fn new(request: &Request, stored: &'a [StoredResponse], now: f64, is_shared: bool) -> Option<Self> {
        let rank = |found: &StoredResponse| {
            let headers = &found.entry.response.headers;
            let date = headers.get("date").and_then(http_date::parse).or(found.entry.created_at);
            (headers.get("vary").is_some(), date.unwrap_or(0.0))
        };
        let compare = |one: &StoredResponse, other: &StoredResponse| {
            let (one, other) = (rank(one), rank(other));
            one.0.cmp(&other.0).then(one.1.total_cmp(&other.1))
        };
        // Newer entries come first, and win if dates are equal.
        let all: Vec<_> = matching_vary(request, stored).collect();
        let (index, found) = all.into_iter().rev().max_by(|(_, one), (_, other)| compare(one, other))?;
        Some(Self::with_index(index, found, now, is_shared))
    }

    /// One of the stored responses.
    pub(crate) fn with_index(index: usize, stored: &'a StoredResponse, now: f64, is_shared: bool) -> Self {
        let response = &stored.entry.response;
        let directives = ResponseDirectives::from_view(&response.headers);
        // hishel 2 does not record when it stored a response, and entries may be damaged.
        let stored_at = stored.entry.created_at.filter(|at| at.is_finite());
        let stored_at = stored_at.or_else(|| response.headers.get("date").and_then(http_date::parse));
        let freshness = freshness_for_cache(response.status_code, &response.headers, &directives, stored_at, is_shared);
        let age = stored_at.map_or(f64::INFINITY, |at| freshness.initial_age + (now - at).max(0.0));
        Self { index, stored, directives, freshness, age, is_shared }
    }

    pub(crate) fn is_fresh(&self) -> bool {
        self.freshness.lifetime.is_some_and(|lifetime| lifetime > self.age)
    }

    /// Seconds past the freshness lifetime.
    fn staleness(&self) -> f64 {
        (self.age - self.freshness.lifetime.unwrap_or(0.0)).max(0.0)
    }

    /// RFC 9111, 5.2.2.4. `no-store` is possible, too: a 304 may have added it to the stored response.
    fn needs_validation(&self) -> bool {
        let forbids_storing = self.directives.no_store && !self.directives.must_understand;
        self.directives.no_cache || forbids_storing || self.is_shared && self.directives.private
    }

    /// RFC 9111, 4.2.4: whether directives forbid to serve it stale.
    fn forbids_stale(&self) -> bool {
        storable::forbids_stale(&self.directives, self.is_shared)
    }

    /// Whether and how it may be served without validation (RFC 9111, 4).
    pub(crate) fn reuse(&self, wanted: &RequestDirectives) -> Option<Reuse> {
        if self.needs_validation() || wanted.no_cache {
            return None;
        }
        let is_fresh = self.is_fresh();
        // RFC 8246, 2: `max-age=0` does not validate an immutable response; `no-cache` does.
        let does_not_change = self.directives.immutable && is_fresh;
        if !does_not_change && wanted.max_age.is_some_and(|limit| self.age > limit) {
            return None;
        }
        let lifetime = self.freshness.lifetime.unwrap_or(0.0);
        if wanted.min_fresh.is_some_and(|margin| lifetime - self.age < margin) {
            return None;
        }
        if is_fresh {
            return Some(Reuse::Fresh);
        }
        if self.forbids_stale() {
            return None;
        }
        let is_within = |window: Option<f64>| window.is_some_and(|window| self.staleness() <= window);
        if is_within(wanted.max_stale) {
            return Some(Reuse::Stale);
        }
        is_within(self.directives.stale_while_revalidate).then_some(Reuse::StaleWhileRevalidate)
    }

    /// Whether it may be served if the origin is unreachable (RFC 9111, 4.2.4: "disconnected").
    pub(crate) fn may_serve_on_error(&self, wanted: &RequestDirectives) -> bool {
        let asks_for_better = wanted.no_cache || wanted.max_age.is_some() || wanted.min_fresh.is_some();
        let window = self.directives.stale_if_error.or(wanted.stale_if_error);
        !self.needs_validation()
            && !asks_for_better
            && (self.is_fresh() || !self.forbids_stale())
            && window.is_none_or(|window| self.staleness() <= window)
    }

    /// Whether it may be served in place of the origin's error (RFC 5861, 4).
    pub(crate) fn may_replace_error(&self, wanted: &RequestDirectives) -> bool {
        let is_allowed = self.directives.stale_if_error.or(wanted.stale_if_error).is_some();
        is_allowed && self.may_serve_on_error(wanted)
    }
}
