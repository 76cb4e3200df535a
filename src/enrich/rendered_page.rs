//! TODO

use std::sync::Arc;

use http::{HeaderMap, StatusCode};

use crate::enrich::challenge::is_challenge;
use crate::enrich::error::Problem;
use crate::enrich::response::failure;

/// The part of a page that its scripts fill in once it is asked for. Where no browser renders it, it is left out.
#[derive(Clone, Copy)]
pub(crate) struct Filled {
    /// Where it is asked for.
    pub(crate) select: &'static str,
    /// What is chosen there.
    pub(crate) option: &'static str,
    /// Matches when the part is there.
    pub(crate) awaited: &'static str,
}

/// A page as it came, whatever it is.
pub(crate) struct Arrived {
    pub(crate) status: StatusCode,
    pub(crate) fields: HeaderMap,
    pub(crate) html: Arc<str>,
    /// By a browser.
    pub(crate) is_rendered: bool,
}

impl Arrived {
    /// The page, if it is one of the site's, and not one that is in its way.
    pub(crate) async fn accept(self) -> Result<Arc<str>, Problem> {
        if is_challenge(Arc::clone(&self.html)).await? {
            return Err(Problem::Challenge { is_rendered: self.is_rendered });
        }
        failure(self.status, &self.fields).map_or(Ok(self.html), Err)
    }
}
