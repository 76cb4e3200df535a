//! A page of a crawled site, fetched or rendered, before it is known to be the requested one.

use std::sync::Arc;

use http::{HeaderMap, StatusCode};

use crate::enrich::challenge::is_challenge;
use crate::enrich::error::FetchFailure;
use crate::enrich::response::failure;

/// A part of a page that its scripts load on demand. Without a browser it is left out.
#[derive(Clone, Copy)]
pub(crate) struct LazySection {
    /// Selector of the control that loads it.
    pub(crate) select: &'static str,
    /// The option to select.
    pub(crate) option: &'static str,
    /// Selector that matches once it is loaded.
    pub(crate) awaited: &'static str,
}

/// A page with its status, be it an error or a challenge.
pub(crate) struct FetchedPage {
    pub(crate) status: StatusCode,
    pub(crate) fields: HeaderMap,
    pub(crate) html: Arc<str>,
    pub(crate) is_rendered: bool,
}

impl FetchedPage {
    /// The page, unless it is an error or a challenge page.
    pub(crate) async fn accept(self) -> Result<Arc<str>, FetchFailure> {
        if is_challenge(Arc::clone(&self.html)).await? {
            return Err(FetchFailure::Challenge { is_rendered: self.is_rendered });
        }
        failure(self.status, &self.fields).map_or(Ok(self.html), Err)
    }
}
