//! TODO

use std::sync::Arc;

use crate::enrich::error::Problem;
use crate::enrich::html;

/// Whether it is one of those pages that tell browsers from programs. They come with any status.
pub(crate) async fn is_challenge(html: Arc<str>) -> Result<bool, Problem> {
    html::read(html, |page| {
        let title = page.title().to_lowercase();
        Ok(title.starts_with("just a moment")
            || title.starts_with("attention required!")
            || page.root().first("#challenge-running, #challenge-form, #challenge-error-text").is_some())
    })
    .await
}
