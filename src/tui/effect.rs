//! What `update` wants done. Plain data: a test compares it, a dialog holds it back until the answer is yes.

use cache_core::admin::flush::Plan;
use cache_core::admin::ttl::{Change, Target};
use cache_core::{Backend, BodyPattern, EntryId, Source};

use crate::enrich::progress;
use crate::tui::ticket::Ticket;

/// A wish, carried out by the [`Runner`](crate::tui::runner::Runner).
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Open the store.
    Open(Ticket),
    /// Read every entry's summary, page by page.
    Scan(Ticket),
    /// Find those of these entries whose body matches a regular expression.
    Search { ticket: Ticket, pattern: BodyPattern, ids: Vec<EntryId> },
    /// Read everything about one entry.
    Load { ticket: Ticket, id: EntryId },
    /// Remove what the plan names, on the backend that it names.
    Flush { ticket: Ticket, plan: Plan },
    /// Change the TTLs of entries, on this backend only.
    ChangeTtl { ticket: Ticket, on: Backend, targets: Vec<Target>, change: Change },
    /// Read what the store can tell of hits and misses.
    Count(Ticket),
    /// Tell what others do with the cache, until it is cancelled.
    Watch { ticket: Ticket, source: Source },
    /// Find out what can be enriched.
    LoadTitles(Ticket),
    /// Read the enrichments of late.
    LoadRuns(Ticket),
    /// Enrich an anime, twice, and compare.
    Enrich { ticket: Ticket, plan: Box<progress::Plan> },
    /// Ask the store how it is.
    CheckHealth(Ticket),
    /// Forget a request at once; for reads, and for enrichments, which leave whole entries or none.
    Cancel(Ticket),
    /// End a change behind the batch that is under way.
    Stop(Ticket),
    /// Put text on the clipboard.
    Copy(String),
    /// Draw every cell of the screen again, whatever is known to be there.
    Redraw,
    /// Stop the process until the shell lets it go on.
    Suspend,
    /// Leave.
    Quit,
}
