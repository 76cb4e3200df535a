//! The content coding of a body, for display.

use cache_core::Inspected;

/// What the stored headers say of the body's coding.
pub(crate) fn encoding(found: &Inspected) -> Option<&str> {
    found.entry.as_ref()?.response.headers.get("content-encoding")
}
