//! A change of the cache under way.

use std::time::Duration;

use cache_core::BackendId;
use cache_core::admin::batch::Target;
use cache_core::admin::ttl::ExpiryChange;

use crate::tui::ticket::Ticket;

/// A change under way.
#[derive(Debug)]
pub struct Job {
    /// The request.
    pub ticket: Ticket,
    /// Where.
    pub on: BackendId,
    /// What it does: `flushing`.
    pub verb: &'static str,
    /// Entries dealt with.
    pub done: u64,
    /// Of so many.
    pub total: u64,
    /// For so long.
    pub elapsed: Duration,
    /// It was asked to stop.
    pub is_stopping: bool,
    /// What is done once it has ended.
    pub then: AfterJob,
}

/// What the end of a change means for the rows.
#[derive(Debug)]
pub enum AfterJob {
    /// These entries are gone.
    Drop(Vec<cache_core::EntryId>),
    /// These entries, which expired at these times, have another TTL now.
    Expire(Vec<Target>, ExpiryChange),
}
