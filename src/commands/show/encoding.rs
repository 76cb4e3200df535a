//! The content coding and the media type of a body, for display.

use cache_core::EntryDetails;

/// The content coding in the stored headers.
pub(crate) fn encoding(found: &EntryDetails) -> Option<&str> {
    found.entry.as_ref()?.response.headers.get("content-encoding")
}

/// The `Content-Type` in the stored headers.
pub(crate) fn content_type(found: &EntryDetails) -> Option<&str> {
    found.entry.as_ref()?.response.headers.get("content-type")
}
