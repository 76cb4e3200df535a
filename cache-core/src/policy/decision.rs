//! The decisions of a policy, as values: what to do with a request, given the stored responses under its key, and what
//! to do with the origin's response. Header fields have the stored form ([`crate::Headers`]).

use std::time::Duration;

use crate::model::entry::{Request, Response};
use crate::model::stored::StoredResponse;

/// What to do with a request.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Decision {
    /// Serve a stored response.
    ServeStored(ServeStored),
    /// Forward the request to the origin.
    Forward(Forward),
    /// 504 (Gateway Timeout): `only-if-cached`, and no suitable stored response (RFC 9111, 5.2.1.7).
    Unsatisfiable,
}

/// A stored response to serve.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ServeStored {
    /// Index among the stored responses.
    pub(crate) index: usize,
    /// The head to serve, if it differs from the stored one: with `Age`, or as a 304 or 206.
    pub(crate) response: Option<Response>,
    /// The part of the body.
    pub(crate) body: BodyRange,
    /// Seconds since the origin generated or validated it (RFC 9111, 4.2.3).
    pub(crate) age: f64,
    /// Whether it is past its freshness lifetime.
    pub(crate) is_stale: bool,
    /// The request for the revalidation in the background (RFC 5861, 3: `stale-while-revalidate`).
    pub(crate) refresh: Option<Forward>,
}

/// A part of a stored body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BodyRange {
    /// All of it.
    Full,
    /// Nothing: the response is a 304, or the method is HEAD.
    None,
    /// These bytes, both ends included.
    Range(u64, u64),
}

/// A request for the origin.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Forward {
    /// The caller's request, with the validators of stored responses.
    pub(crate) request: Request,
    /// Whether concurrent requests may wait for this response and be served from the store: the method is safe, and the
    /// response can be stored.
    pub(crate) can_be_shared: bool,
}

/// A request of the caller and the one that was forwarded for it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Exchange<'a> {
    /// The caller's request.
    pub(crate) request: &'a Request,
    /// The forwarded request: [`Forward::request`].
    pub(crate) sent: &'a Request,
    /// The stored responses under the key when the request was forwarded.
    pub(crate) stored: &'a [StoredResponse],
    /// When the request was sent; Unix seconds.
    pub(crate) requested_at: f64,
    /// When the response or the failure arrived; Unix seconds.
    pub(crate) now: f64,
}

/// What to do with the origin's response.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Outcome {
    /// The response for the caller.
    pub(crate) reply: Reply,
    /// Updates of stored responses by a 304 or the response to a HEAD.
    pub(crate) updates: Vec<Update>,
    /// Stored responses to remove.
    pub(crate) removals: Vec<usize>,
}

/// A new head for a stored response.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Update {
    /// Index among the stored responses.
    pub(crate) index: usize,
    /// The new head.
    pub(crate) response: Response,
    /// [`crate::model::entry::Entry::created_at`] from the validation on: the age is counted from it.
    pub(crate) created_at: f64,
    /// The new TTL.
    pub(crate) retention: Duration,
}

/// The response for the caller after the request was forwarded.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Reply {
    /// The origin's response; also stored, if that is allowed.
    Origin(Option<StoreAction>),
    /// A stored response that the origin validated.
    Validated(ServeStored),
    /// A stored response in place of the origin's error (RFC 5861, 4: `stale-if-error`; RFC 9111, 4.2.4).
    InsteadOfError(ServeStored),
    /// The origin sent a 304 for a representation that is neither stored nor the caller's: the request is to be sent
    /// again without validators.
    Mismatch,
}

/// A response to be stored.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct StoreAction {
    /// The request as stored.
    pub(crate) request: Request,
    /// The head as stored: without hop-by-hop fields (RFC 9111, 3.1).
    pub(crate) response: Response,
    /// [`crate::model::entry::Entry::created_at`]: when the request was sent, so that ages include the response delay;
    /// Unix seconds.
    pub(crate) created_at: f64,
    /// The TTL in the store: longer than it is fresh if it can be validated.
    pub(crate) retention: Duration,
    /// Stored responses that it replaces.
    pub(crate) replaces: Vec<usize>,
}

impl Outcome {
    /// The origin's response and nothing else.
    pub(crate) fn pass() -> Self {
        Self { reply: Reply::Origin(None), updates: Vec::new(), removals: Vec::new() }
    }
}
