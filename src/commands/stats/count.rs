//! Counts the entries of a cache.

use std::sync::Arc;

use cache_core::admin::stats::StatsTotals;
use cache_core::{Filter, clock, pages};
use futures_util::TryStreamExt as _;

use crate::commands::session::OpenCache;

/// Counts a whole cache.
pub(crate) async fn count(cache: &OpenCache) -> cache_core::Result<StatsTotals> {
    let mut tally = StatsTotals::default();
    let mut pages = std::pin::pin!(pages(Arc::clone(&cache.store), Filter::default()));
    while let Some(page) = pages.try_next().await? {
        tally.add(&page, clock::now());
    }
    Ok(tally)
}
