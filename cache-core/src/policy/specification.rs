//! RFC 9111.

use super::{Decision, Exchange, Forward, Outcome, Serve};
use crate::entry::{Request, Response};
use crate::store::Found;

/// HTTP caching as it is specified: RFC 9111, with the conditional requests of RFC 9110 and the stale answers of
/// RFC 5861.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Specification {
    /// A cache for several users: what is `private` or was asked for with credentials is not stored. Else private.
    pub is_shared: bool,
}

impl Specification {
    pub(super) fn decide(&self, request: &Request, _stored: &[Found], _now: f64) -> Decision {
        Decision::Forward(Forward { request: request.clone(), can_be_shared: false })
    }

    pub(super) fn receive(&self, _exchange: Exchange<'_>, _response: &Response) -> Outcome {
        Outcome::pass()
    }

    pub(super) fn unreachable(&self, _exchange: Exchange<'_>) -> Option<Serve> {
        None
    }
}
