//! TODO

use crate::model::entry::{Request, Response};
use crate::model::service::{PolicyName, ServiceProfile};
use crate::model::stored::Found;
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
    /// The policy that a service is configured with.
    pub(crate) fn for_profile(profile: &ServiceProfile) -> Self {
        match profile.policy {
            PolicyName::Ttl => Self::Ttl(Ttl { ttl: profile.ttl, refresh_on_access: true }),
            PolicyName::Specification => Self::Specification(Specification { is_shared: false }),
            PolicyName::Shared => Self::Specification(Specification { is_shared: true }),
        }
    }

    /// What to do with a request, given what is stored under its key, newest first.
    pub(crate) fn decide(&self, request: &Request, stored: &[Found], now: f64) -> Decision {
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
