//! Challenge pages, which a site sends to find out whether the client is a browser.

use std::sync::Arc;

use crate::enrich::error::FetchFailure;
use crate::enrich::html;

/// Whether a page is a challenge page. They come with any status.
pub(crate) async fn is_challenge(html: Arc<str>) -> Result<bool, FetchFailure> {
    html::read(html, |page| {
        let title = page.title().to_lowercase();
        Ok(title.starts_with("just a moment")
            || title.starts_with("attention required!")
            || page.root().first("#challenge-running, #challenge-form, #challenge-error-text").is_some())
    })
    .await
}
