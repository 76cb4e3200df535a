//! One fetch for many: who misses a key while somebody fetches it waits, and finds it in the store.
//!
//! Within a process through a table of flights, across processes through claims in the store, which expire when their
//! holder dies.

use std::sync::Arc;

use crate::grace::Graceful;

/// The fetches under way.
pub(crate) struct Flights {
    #[expect(dead_code, reason = "claims come next")]
    store: Arc<Graceful>,
}

/// What to do about a key that was missed.
pub(crate) enum Turn {
    /// Fetch it, after a last look into the store where `waited` is set: somebody may have stored it meanwhile.
    Lead(Lead),
    /// Somebody else's fetch has ended: look into the store again. (Counts as a wait.)
    LookAgain,
    /// Fetch it, and let nobody wait: its response cannot be stored, or the wait was too long.
    Alone,
}

/// A fetch that others wait for. Dropped before it landed, the next of them leads.
pub(crate) struct Lead {}

impl Flights {
    pub(crate) fn new(store: Arc<Graceful>) -> Self {
        Self { store }
    }

    /// Waits for whoever fetches `name` already, or leads.
    pub(crate) async fn board(&self, _name: &str) -> Turn {
        Turn::Lead(Lead {})
    }
}

impl Lead {
    /// The fetch has ended. Where nothing was stored, those who wait go on by themselves, all at once.
    pub(crate) async fn land(self, _was_stored: bool) {}
}
