//! What an HTTP cache decides, as values: no I/O, no clock, nothing outside the arguments.
//!
//! [`Ttl`] is the pipeline's behaviour; [`Specification`] is RFC 9111. Both answer the same two questions: what to do
//! with a request, given what is stored under its key, and what to do with the origin's response. Header fields are
//! the stored form ([`crate::Headers`]): lower-case names, each value on its own.

use std::time::Duration;

use crate::model::entry::{Request, Response};
use crate::model::stored::StoredResponse;

/// What to do with a request.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Decision {
    /// Answer from the store.
    Serve(Serve),
    /// Ask the origin.
    Forward(Forward),
    /// Answer 504 (Gateway Timeout): `only-if-cached`, and nothing to serve (RFC 9111, 5.2.1.7).
    Unsatisfiable,
}

/// An answer from the store.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Serve {
    /// Which of the stored responses.
    pub(crate) index: usize,
    /// The heads to answer with, where they are not the stored ones as they are: with `Age`, or as a 304 or 206.
    pub(crate) response: Option<Response>,
    /// How much of the body.
    pub(crate) body: Part,
    /// Seconds since the origin generated or validated it (RFC 9111, 4.2.3).
    pub(crate) age: f64,
    /// It is past its freshness lifetime.
    pub(crate) is_stale: bool,
    /// What to ask the origin in the background (RFC 5861, 3: `stale-while-revalidate`).
    pub(crate) refresh: Option<Forward>,
}

/// How much of a stored body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// All of it.
    Whole,
    /// Nothing: the answer is a 304, or the method is HEAD.
    None,
    /// These bytes, both ends counted.
    Range(u64, u64),
}

/// A request for the origin.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Forward {
    /// The caller's request, with validators of stored responses where there are any.
    pub(crate) request: Request,
    /// Others that ask the same may wait for this answer and be served from the store: the method is safe and its
    /// response can be stored.
    pub(crate) can_be_shared: bool,
}

/// What was said between the caller, this cache and the origin.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Exchange<'a> {
    /// The caller's request.
    pub(crate) request: &'a Request,
    /// The request that the origin was sent: [`Forward::request`].
    pub(crate) sent: &'a Request,
    /// What was stored under the key when the request was decided.
    pub(crate) stored: &'a [StoredResponse],
    /// When the request was sent; Unix seconds.
    pub(crate) requested_at: f64,
    /// When the response came, or failed to come; Unix seconds.
    pub(crate) now: f64,
}

/// What to do with the origin's response.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Outcome {
    /// What the caller gets.
    pub(crate) reply: Reply,
    /// Stored responses whose heads changed: those that a 304 or the response to a HEAD speaks of.
    pub(crate) updates: Vec<Update>,
    /// Stored responses that are good no more.
    pub(crate) removals: Vec<usize>,
    /// URLs whose stored responses are good no more (RFC 9111, 4.4). They go before anything is stored: the response
    /// to a POST may answer a later GET of the same URL.
    pub(crate) invalidated: Vec<String>,
}

/// New heads for a stored response.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Update {
    /// Which of the stored responses.
    pub(crate) index: usize,
    /// The heads as stored from now on.
    pub(crate) response: Response,
    /// [`crate::model::entry::Entry::created_at`] from now on: its age is counted from the validation.
    pub(crate) created_at: f64,
    /// How long the store keeps it from now on.
    pub(crate) keep: Duration,
}

/// What the caller gets after the origin was asked.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Reply {
    /// The origin's response; stored, too, where that is allowed.
    Origin(Option<Storing>),
    /// A stored response that the origin said is still good.
    Validated(Serve),
    /// A stored response in place of the origin's error (RFC 5861, 4: `stale-if-error`; RFC 9111, 4.2.4).
    InsteadOfError(Serve),
    /// The origin said 304 of something that is neither stored nor the caller's: it is to be asked again as if nothing
    /// were stored.
    Mismatch,
}

/// A response to be stored.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Storing {
    /// The request as stored.
    pub(crate) request: Request,
    /// The heads as stored: without the fields that are for one connection only (RFC 9111, 3.1).
    pub(crate) response: Response,
    /// [`crate::model::entry::Entry::created_at`]: when the request was sent, so that ages hold the response delay; Unix seconds.
    pub(crate) created_at: f64,
    /// How long the store keeps it. Longer than it is fresh, where it can be validated.
    pub(crate) keep: Duration,
    /// Stored responses that it replaces.
    pub(crate) replaces: Vec<usize>,
}

impl Outcome {
    /// The origin's response and nothing else.
    pub(crate) fn pass() -> Self {
        Self { reply: Reply::Origin(None), updates: Vec::new(), removals: Vec::new(), invalidated: Vec::new() }
    }
}
