//! [`Filter`], a set of conditions that selects entries, with the same meaning on every backend.
//!
//! Filtering that a store does before [`Filter::matches`] is only an optimization.

use std::collections::{HashMap, HashSet};

use regex::bytes::Regex;

use crate::error::{Error, Result};
use crate::model::entry::{CacheKind, EntryId, EntryState};
use crate::model::glob::Glob;
#[cfg(any(feature = "redis", feature = "sqlite"))]
use crate::model::key::{HTTP_PREFIX, RESULT_PREFIX};
use crate::model::service::ServiceName;
use crate::model::summary::Summary;

/// Conditions that select entries. All must match; the default selects everything.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// The Redis key begins with this, literally.
    pub prefix: Option<Vec<u8>>,
    /// The Redis key matches.
    pub key: Option<Glob>,
    /// The kind of entry.
    pub kind: Option<CacheKind>,
    /// One of these services; empty: any.
    pub services: Vec<ServiceName>,
    /// The URL matches; results have none.
    pub url: Option<Glob>,
    /// The request's method, in any case; results have none.
    pub method: Option<String>,
    /// The response's status; results have none.
    pub status: Option<StatusRange>,
    /// Stored at least this many seconds ago. An unknown storage time matches neither this nor `newer_than`.
    pub older_than: Option<f64>,
    /// Stored less than this many seconds ago.
    pub newer_than: Option<f64>,
    /// Not served for at least this many seconds.
    pub idle_for: Option<f64>,
    /// Expires in less than this many seconds.
    pub ttl_under: Option<f64>,
    /// Expires in more than this many seconds, or never.
    pub ttl_over: Option<f64>,
    /// Never expires.
    pub is_without_ttl: bool,
    /// The body is larger than this many bytes.
    pub larger_than: Option<u64>,
    /// Fresh (`true`) or stale by RFC 9111, as a private cache; results and unknown ages are neither.
    pub is_fresh: Option<bool>,
    /// One of these states; empty: any.
    pub states: Vec<EntryState>,
    /// Results with this schema hash.
    pub schema: Option<String>,
    /// Results of all but the newest schema of their prefix, if their storage time is known; `select` fills in the
    /// newest schemas.
    pub dead_schemas: bool,
    /// The decoded body matches; `select` checks it, since a summary has no body.
    pub body: Option<BodyPattern>,
    /// One of these entries; empty: any.
    pub ids: HashSet<EntryId>,
    /// The schemas in use by result prefix, for `dead_schemas`: other prefixes have no dead schemas. If empty, they are
    /// guessed: those that were stored last.
    pub living_schemas: HashMap<Vec<u8>, Option<String>>,
    /// The newest schema of each result prefix, for `dead_schemas`; `select` fills it in.
    pub newest_schemas: HashMap<Vec<u8>, Option<String>>,
}

/// A regular expression that matches the decoded body.
#[derive(Clone, Debug)]
pub struct BodyPattern(Regex);

impl PartialEq for BodyPattern {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_str() == other.0.as_str()
    }
}

impl BodyPattern {
    /// Compiles a pattern.
    ///
    /// # Errors
    /// If the pattern is invalid; the error says why.
    pub fn new(pattern: &str) -> Result<Self> {
        Regex::new(pattern).map(Self).map_err(|error| Error::Config(error.to_string()))
    }

    pub(crate) fn matches(&self, body: &[u8]) -> bool {
        self.0.is_match(body)
    }
}

/// An inclusive range of status codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StatusRange(pub u16, pub u16);

impl std::str::FromStr for StatusRange {
    type Err = Error;

    /// `404`, `4xx` or `200-299`.
    fn from_str(text: &str) -> Result<Self> {
        let wrong = || Error::Config("expected a status such as 404, 4xx or 200-299".into());
        let code = |text: &str| text.parse().ok().filter(|code| (100..=599).contains(code)).ok_or_else(wrong);
        if let Some((low, high)) = text.split_once('-') {
            let (low, high) = (code(low)?, code(high)?);
            return if low <= high { Ok(Self(low, high)) } else { Err(wrong()) };
        }
        if let [class @ b'1'..=b'5', b'x' | b'X', b'x' | b'X'] = text.as_bytes() {
            let low = u16::from(class - b'0') * 100;
            return Ok(Self(low, low + 99));
        }
        code(text).map(|code| Self(code, code))
    }
}

/// A time that orders results by their storage time. Redis does not record it, but results of one function have the
/// same TTL and are not renewed: the last to expire was the last stored. `None`: unknown.
pub(crate) fn stored(result: &Summary) -> Option<f64> {
    result.created_at.or(result.expires_at)
}

impl Filter {
    /// Whether an entry matches all conditions but `body`, which a summary cannot decide. `now` in Unix seconds.
    pub fn matches(&self, entry: &Summary, now: f64) -> bool {
        let http = entry.http.as_deref();
        let holds = |wanted: Option<f64>, actual: Option<f64>, test: fn(f64, f64) -> bool| {
            wanted.is_none_or(|wanted| actual.is_some_and(|actual| test(actual, wanted)))
        };
        self.kind.is_none_or(|kind| entry.kind() == kind)
            && (self.services.is_empty() || self.services.contains(&entry.service))
            && (self.states.is_empty() || self.states.contains(&entry.state))
            && self.larger_than.is_none_or(|bytes| entry.size > bytes)
            && self.status.is_none_or(|range| http.is_some_and(|http| (range.0..=range.1).contains(&http.status)))
            && self
                .method
                .as_ref()
                .is_none_or(|method| http.is_some_and(|http| http.method.eq_ignore_ascii_case(method)))
            && self.url.as_ref().is_none_or(|glob| http.is_some_and(|http| glob.matches(http.url.as_bytes())))
            && holds(self.older_than, entry.stored_for(now), |age, limit| age >= limit)
            && holds(self.newer_than, entry.stored_for(now), |age, limit| age < limit)
            && holds(self.idle_for, entry.last_used(now).map(|at| now - at), |idle, limit| idle >= limit)
            && holds(self.ttl_under, entry.ttl(now), |ttl, limit| ttl < limit)
            && self
                .ttl_over
                .is_none_or(|limit| !entry.is_expiry_unknown() && entry.ttl(now).is_none_or(|ttl| ttl > limit))
            && (!self.is_without_ttl || entry.expires_at.is_none())
            && self.is_fresh.is_none_or(|fresh| entry.is_fresh(now) == Some(fresh))
            && self
                .schema
                .as_ref()
                .is_none_or(|schema| entry.result_key().is_some_and(|key| key.schema == Some(schema.as_str())))
            && (!self.dead_schemas || self.has_dead_schema(entry))
            && (self.ids.is_empty() || self.ids.contains(&entry.id))
            && self.matches_key(&entry.id)
    }

    fn matches_key(&self, id: &EntryId) -> bool {
        // Only built if needed: the name of a response is an allocation, and this runs for every entry of a list.
        if self.prefix.is_none() && self.key.is_none() {
            return true;
        }
        let key = id.redis_key();
        self.prefix.as_ref().is_none_or(|prefix| key.starts_with(prefix))
            && self.key.as_ref().is_none_or(|glob| glob.matches(&key))
    }

    fn has_dead_schema(&self, entry: &Summary) -> bool {
        // A result without a known storage time may be the newest, so it does not count as dead.
        stored(entry).is_some()
            && entry.result_key().is_some_and(|key| {
                self.newest_schemas.get(key.prefix).is_some_and(|newest| newest.as_deref() != key.schema)
            })
    }

    /// Whether any entry of this kind can match: if not, it need not be scanned.
    #[cfg(any(feature = "redis", feature = "sqlite"))]
    pub(crate) fn matches_kind(&self, kind: CacheKind) -> bool {
        let key_prefix = match kind {
            CacheKind::Http => HTTP_PREFIX,
            CacheKind::Result => RESULT_PREFIX,
        };
        let is_http_only =
            self.url.is_some() || self.method.is_some() || self.status.is_some() || self.is_fresh.is_some();
        let is_result_only = self.schema.is_some() || self.dead_schemas;
        self.kind.is_none_or(|wanted| wanted == kind)
            && self.prefix.as_ref().is_none_or(|prefix| {
                prefix.starts_with(key_prefix.as_bytes()) || key_prefix.as_bytes().starts_with(prefix)
            })
            && !(is_http_only && kind == CacheKind::Result)
            && !(is_result_only && kind == CacheKind::Http)
    }

    /// Whether an orphan can match: an orphan has no service, URL, status or times.
    #[cfg(any(feature = "redis", feature = "sqlite"))]
    pub(crate) fn includes_orphans(&self) -> bool {
        self.matches_kind(CacheKind::Http)
            && (self.states.is_empty() || self.states.contains(&EntryState::Orphan))
            && (self.services.is_empty() || self.services.contains(&ServiceName::OTHER))
            && self.url.is_none()
            && self.method.is_none()
            && self.status.is_none()
            && self.is_fresh.is_none()
            && self.body.is_none()
    }

    /// Whether a condition depends on when entries expire, so that renewing a TTL may change the result.
    pub fn is_by_expiry(&self) -> bool {
        self.idle_for.is_some() || self.ttl_under.is_some() || self.ttl_over.is_some() || self.is_without_ttl
    }

    /// Whether there are no conditions, so that everything matches.
    pub fn is_everything(&self) -> bool {
        self.prefix.as_ref().is_none_or(Vec::is_empty)
            && self.key.is_none()
            && self.kind.is_none()
            && self.services.is_empty()
            && self.url.is_none()
            && self.method.is_none()
            && self.status.is_none()
            && self.older_than.is_none()
            && self.newer_than.is_none()
            && self.idle_for.is_none()
            && self.ttl_under.is_none()
            && self.ttl_over.is_none()
            && !self.is_without_ttl
            && self.larger_than.is_none()
            && self.is_fresh.is_none()
            && self.states.is_empty()
            && self.schema.is_none()
            && !self.dead_schemas
            && self.body.is_none()
            && self.ids.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::service::ServiceRegistry;
    use crate::store::summarize;

    #[test]
    fn a_result_of_unknown_age_is_of_no_dead_schema() {
        let filter = Filter {
            dead_schemas: true,
            newest_schemas: [(b"p".to_vec(), Some("82fce6a05e45281a".to_owned()))].into(),
            ..Filter::default()
        };
        let is_dead = |key: &[u8], expires_at| {
            let result = summarize::from_result(&ServiceRegistry::default(), key, 1, expires_at);
            filter.matches(&result, 0.0)
        };
        assert!(is_dead(b"result_cache:p:0d1f7c55aa3be902:1", Some(9.0)));
        assert!(!is_dead(b"result_cache:p:0d1f7c55aa3be902:1", None));
        assert!(!is_dead(b"result_cache:p:82fce6a05e45281a:1", Some(9.0)));
    }
}
