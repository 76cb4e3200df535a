//! The details of one entry, for the inspector.

use std::sync::Arc;

use cache_core::EntryDetails;

use crate::tui::app::body::Body;

/// The details of one entry, for the inspector.
#[derive(Clone, Debug)]
pub struct Detail {
    /// The details without the body.
    pub inspected: EntryDetails,
    /// The body, prepared for display.
    pub body: Arc<Body>,
}
