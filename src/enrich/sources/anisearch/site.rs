//! TODO

use crate::enrich::html::Document;

/// Whether this is a page that has what `marks` matches, or else one of the site's pages of an anime, on which there is
/// nothing of it. Others, as the one to log in, come with status 200 too.
pub(crate) fn is_meant(page: &Document, marks: &str) -> bool {
    [marks, "body[data-pagetype^='anime']"].into_iter().any(|mark| page.root().first(mark).is_some())
}
