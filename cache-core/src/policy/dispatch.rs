//! TODO

use crate::model::entry::{Request, Response};
use crate::model::stored::StoredResponse;
use crate::policy::decision::{Decision, Exchange, Outcome, Serve};
use crate::policy::fixed_ttl::Ttl;
use crate::policy::rfc9111::Specification;

/// How the HTTP cache of a service decides.
#[derive(Clone, Debug, PartialEq)]
pub enum Policy {
    /// As the pipeline does: whatever succeeded is good for the service's TTL.
    Ttl(Ttl),
    /// By RFC 9111.
    Specification(Specification),
}

impl Policy {
    /// What to do with a request, given what is stored under its key, newest first.
    pub(crate) fn decide(&self, request: &Request, stored: &[StoredResponse], now: f64) -> Decision {
        match self {
            Self::Ttl(_) => Ttl::decide(request, stored, now),
            Self::Specification(policy) => policy.decide(request, stored, now),
        }
    }

    /// What to do with the heads of the origin's response.
    pub(crate) fn receive(&self, exchange: Exchange<'_>, response: &Response) -> Outcome {
        match self {
            Self::Ttl(policy) => policy.receive(exchange, response),
            Self::Specification(policy) => policy.receive(exchange, response),
        }
    }

    /// What to serve where the origin could not be reached; `None`: the caller gets the failure.
    pub(crate) fn unreachable(&self, exchange: Exchange<'_>) -> Option<Serve> {
        match self {
            Self::Ttl(_) => None,
            Self::Specification(policy) => policy.unreachable(exchange),
        }
    }
}
