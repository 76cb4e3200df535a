//! [`Policy`]: one of the two policies, chosen by configuration.

use crate::model::entry::{Request, Response};
use crate::model::service::{PolicyKind, ServiceProfile};
use crate::model::stored::StoredResponse;
use crate::policy::decision::{Decision, Exchange, Outcome, ServeStored};
use crate::policy::fixed_ttl::FixedTtl;
use crate::policy::rfc9111::Rfc9111;

/// Cache policy of a service.
#[derive(Clone, Debug, PartialEq)]
pub enum Policy {
    /// The pipeline's: successful responses are served for the TTL of the service.
    FixedTtl(FixedTtl),
    /// RFC 9111.
    Rfc9111(Rfc9111),
}

impl Policy {
    /// The policy of a service.
    pub fn of(profile: &ServiceProfile) -> Self {
        match profile.policy {
            PolicyKind::FixedTtl => Self::FixedTtl(FixedTtl::of(profile)),
            PolicyKind::Rfc9111 => Self::Rfc9111(Rfc9111::default()),
            PolicyKind::Shared => {
                Self::Rfc9111(Rfc9111 { is_shared: true, stores_set_cookie: profile.stores_set_cookie })
            }
        }
    }

    /// What to do with a request, given the stored responses under its key, newest first.
    pub(crate) fn decide(&self, request: &Request, stored: &[StoredResponse], now: f64) -> Decision {
        match self {
            Self::FixedTtl(_) => FixedTtl::decide(request, stored, now),
            Self::Rfc9111(policy) => policy.decide(request, stored, now),
        }
    }

    /// What to do with the head of the origin's response.
    pub(crate) fn receive(&self, exchange: Exchange<'_>, response: &Response) -> Outcome {
        match self {
            Self::FixedTtl(policy) => policy.receive(exchange, response),
            Self::Rfc9111(policy) => policy.receive(exchange, response),
        }
    }

    /// What to serve if the origin is unreachable; `None`: the caller gets the error.
    pub(crate) fn unreachable(&self, exchange: Exchange<'_>) -> Option<ServeStored> {
        match self {
            Self::FixedTtl(_) => None,
            Self::Rfc9111(policy) => policy.unreachable(exchange),
        }
    }
}
