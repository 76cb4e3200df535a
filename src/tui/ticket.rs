//! Tickets, which distinguish responses to current requests from outdated ones.

/// Identifies one request, so that outdated responses can be ignored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ticket(pub u64);
