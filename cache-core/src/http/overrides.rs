//! [`Overrides`]: options of one request that override the policy of its service.

use std::time::Duration;

/// Options of one request that override the policy of its service.
///
/// They are set by the program's own code: with the methods of [`RequestBuilder`](crate::RequestBuilder), or as an
/// extension of the request that [`HttpCache::fetch`](crate::HttpCache::fetch) receives. No header field sets them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Overrides {
    /// The TTL of the response.
    pub ttl: Option<Duration>,
    /// Whether a hit renews the TTL.
    pub refresh_on_access: Option<bool>,
    /// The response is stored and served for the TTL, regardless of RFC 9111, under a key of its own. No effect in a
    /// shared cache.
    pub ignore_rfc9111: bool,
}

impl Overrides {
    /// No overrides.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the TTL of the response.
    #[must_use]
    pub fn ttl(self, ttl: Duration) -> Self {
        Self { ttl: Some(ttl), ..self }
    }

    /// Sets whether a hit renews the TTL.
    #[must_use]
    pub fn refresh_on_access(self, refreshes: bool) -> Self {
        Self { refresh_on_access: Some(refreshes), ..self }
    }

    /// Stores and serves the response for the TTL, regardless of RFC 9111.
    #[must_use]
    pub fn ignore_rfc9111(self) -> Self {
        Self { ignore_rfc9111: true, ..self }
    }
}
