//! TODO

use std::sync::Arc;

use cache_core::Error;

use crate::tui::ticket::Ticket;

/// Something that has to be asked for.
#[derive(Debug, Default)]
pub enum Loadable<T, E = Arc<Error>> {
    /// Nobody asked.
    #[default]
    Idle,
    /// Asked for.
    Loading(Ticket),
    /// Here it is.
    Ready(T),
    /// It could not be had.
    Failed(E),
}
