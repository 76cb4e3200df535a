//! TODO

/// Names one request, so that an answer that nobody waits for any more is known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ticket(pub u64);
