//! A value that is loaded on request.

use std::sync::Arc;

use cache_core::Error;

use crate::tui::ticket::Ticket;

/// A value that is loaded on request.
#[derive(Debug, Default)]
pub enum Loadable<T, E = Arc<Error>> {
    /// Not requested.
    #[default]
    Idle,
    /// Requested.
    Loading(Ticket),
    /// Loaded.
    Ready(T),
    /// Loading failed.
    Failed(E),
}
