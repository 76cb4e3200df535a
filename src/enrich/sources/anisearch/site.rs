//! Rules of all pages of AniSearch.

use crate::enrich::html::Document;

/// Whether the page has what `marks` matches, or is a page of an anime without it. Other pages, as the login page, come
/// with status 200, too.
pub(crate) fn is_expected_page(page: &Document, marks: &str) -> bool {
    [marks, "body[data-pagetype^='anime']"].into_iter().any(|mark| page.root().first(mark).is_some())
}
