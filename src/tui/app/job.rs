//! A running change of the cache.

use std::time::Duration;

use cache_core::{BackendId, EntryId, ExpiryChange};

use crate::tui::ticket::Ticket;

/// A listed entry and when it expires, in Unix seconds; `None`: never.
pub type Listed = (EntryId, Option<f64>);

/// A running change.
#[derive(Debug)]
pub struct Job {
    /// The request.
    pub ticket: Ticket,
    /// The backend.
    pub on: BackendId,
    /// The verb: `flushing`.
    pub verb: &'static str,
    /// Finished entries.
    pub done: u64,
    /// All entries.
    pub total: u64,
    /// The time since the start.
    pub elapsed: Duration,
    /// It is being stopped.
    pub is_stopping: bool,
    /// The follow-up after its end.
    pub then: AfterJob,
}

/// The expiry that a change at `now` gives to an entry, in Unix seconds; `None`: never.
pub fn new_expiry(change: ExpiryChange, expires_at: Option<f64>, now: f64) -> Option<f64> {
    match change {
        ExpiryChange::Persist => None,
        ExpiryChange::Set(ttl) => Some(now + ttl.as_secs_f64()),
        ExpiryChange::Extend(by) => expires_at.map(|at| at.max(now) + by.as_secs_f64()),
    }
}

/// The effect of a finished change on the rows.
#[derive(Debug)]
pub enum AfterJob {
    /// These entries were deleted.
    Drop(Vec<EntryId>),
    /// These entries have another TTL; the times are their old expiry.
    Expire(Vec<Listed>, ExpiryChange),
}
