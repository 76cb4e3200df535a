//! Everything about one entry, for the inspector.

use std::sync::Arc;

use cache_core::EntryDetails;

use crate::tui::app::body::Body;

/// Everything about one entry, for the inspector.
#[derive(Clone, Debug)]
pub struct Detail {
    /// All but the body.
    pub inspected: EntryDetails,
    /// The body, made ready to be shown.
    pub body: Arc<Body>,
}
