//! TODO

use cache_core::EntryDetails;

/// What the stored headers say of the body's coding.
pub(crate) fn encoding(found: &EntryDetails) -> Option<&str> {
    found.entry.as_ref()?.response.headers.get("content-encoding")
}
