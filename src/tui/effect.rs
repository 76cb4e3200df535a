//! Effects: what `update` requests. Plain data, so that tests can compare it and dialogs can hold it until confirmed.

use cache_core::admin::plan::Plan;
use cache_core::redact::Redacted;
use cache_core::{BodyPattern, EntryId, EventSource, ExpiryChange};

use crate::enrich::progress;
use crate::tui::ticket::Ticket;

/// A request, carried out by the runner.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Open the store.
    Open(Ticket),
    /// Read every entry's summary, page by page.
    Scan(Ticket),
    /// Search the bodies of these entries for a regular expression.
    Search { ticket: Ticket, pattern: BodyPattern, ids: Vec<EntryId> },
    /// Read everything about one entry.
    Load { ticket: Ticket, id: EntryId },
    /// Delete the entries of the plan from its backend.
    Flush { ticket: Ticket, plan: Plan },
    /// Change the TTLs of the entries of the plan, on its backend.
    ChangeTtl { ticket: Ticket, plan: Plan, change: ExpiryChange },
    /// Read the statistics of hits and misses.
    Count(Ticket),
    /// Watch cache events until canceled.
    Watch { ticket: Ticket, source: EventSource },
    /// Load the titles that can be enriched.
    LoadTitles(Ticket),
    /// Load the recent runs.
    LoadRuns(Ticket),
    /// Enrich a title twice and compare both passes.
    Enrich { ticket: Ticket, plan: Box<progress::EnrichPlan> },
    /// Check the health of the store.
    CheckHealth(Ticket),
    /// Abort a request at once; for reads, and for enrichments, which store complete entries only.
    Cancel(Ticket),
    /// End a change after the current batch.
    Stop(Ticket),
    /// Put text on the clipboard.
    Copy(Redacted<'static>),
    /// Draw every cell of the screen again.
    Redraw,
    /// Suspend the process until the shell resumes it.
    Suspend,
    /// Leave.
    Quit,
}
