//! [`Policy`]: one of the two policies, chosen by configuration.

use std::time::Duration;

use crate::model::entry::{Request, Response};
use crate::model::service::PolicyName;
use crate::model::stored::StoredResponse;
use crate::policy::decision::{Decision, Exchange, Outcome, Serve};
use crate::policy::fixed_ttl::Ttl;
use crate::policy::rfc9111::Specification;

/// The caching policy of a service's HTTP cache.
#[derive(Clone, Debug, PartialEq)]
pub enum Policy {
    /// The pipeline's: every successful response is served for the TTL of the service.
    Ttl(Ttl),
    /// RFC 9111.
    Specification(Specification),
}

impl Policy {
    /// The policy of this kind, for a service with this TTL.
    pub fn of(kind: PolicyName, ttl: Duration) -> Self {
        match kind {
            PolicyName::Ttl => Self::Ttl(Ttl { ttl, refresh_on_access: true }),
            PolicyName::Specification => Self::Specification(Specification { is_shared: false }),
            PolicyName::Shared => Self::Specification(Specification { is_shared: true }),
        }
    }

    /// What to do with a request, given the stored responses under its key, newest first.
    pub(crate) fn decide(&self, request: &Request, stored: &[StoredResponse], now: f64) -> Decision {
        match self {
            Self::Ttl(_) => Ttl::decide(request, stored, now),
            Self::Specification(policy) => policy.decide(request, stored, now),
        }
    }

    /// What to do with the head of the origin's response.
    pub(crate) fn receive(&self, exchange: Exchange<'_>, response: &Response) -> Outcome {
        match self {
            Self::Ttl(policy) => policy.receive(exchange, response),
            Self::Specification(policy) => policy.receive(exchange, response),
        }
    }

    /// What to serve if the origin is unreachable; `None`: the caller gets the error.
    pub(crate) fn unreachable(&self, exchange: Exchange<'_>) -> Option<Serve> {
        match self {
            Self::Ttl(_) => None,
            Self::Specification(policy) => policy.unreachable(exchange),
        }
    }
}
