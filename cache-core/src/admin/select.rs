//! Selecting entries by a [`Filter`], including the two conditions that a summary cannot decide.

use std::collections::HashMap;
use std::sync::Arc;

use futures_util::stream;
use futures_util::stream::{Stream, StreamExt, TryStreamExt};

use crate::error::Result;
use crate::format::content_coding;
use crate::model::entry::{CacheKind, EntryId};
use crate::model::filter::{BodyPattern, Filter, stored};
use crate::model::summary::Summary;
use crate::store::inspect::Inspect;
use crate::store::page::Page;
use crate::store::paging;

/// The number of bodies that are read concurrently for `body`.
const MAX_CONCURRENT_BODIES: usize = 16;

/// All pages of the entries that match, all conditions included.
pub async fn select(
    store: Arc<dyn Inspect>,
    mut filter: Filter,
) -> Result<impl Stream<Item = Result<Page>> + Send + use<>> {
    if filter.dead_schemas {
        filter.newest_schemas = newest_schemas(Arc::clone(&store)).await?;
    }
    let body = filter.body.clone();
    let pages = paging::pages(Arc::clone(&store), filter);
    Ok(pages.and_then(move |mut page| {
        let (store, body) = (Arc::clone(&store), body.clone());
        async move {
            if let Some(pattern) = body {
                page.entries = with_body(&*store, &pattern, std::mem::take(&mut page.entries)).await?;
            }
            Ok(page)
        }
    }))
}

async fn with_body(store: &dyn Inspect, pattern: &BodyPattern, entries: Vec<Summary>) -> Result<Vec<Summary>> {
    let checked = stream::iter(entries)
        .map(|entry| async move { Ok(body_matches(store, pattern, &entry.id).await?.then_some(entry)) });
    checked.buffered(MAX_CONCURRENT_BODIES).try_filter_map(|entry| async move { Ok(entry) }).try_collect().await
}

/// The entries with a decoded body that matches, as they are found.
pub fn search(
    store: Arc<dyn Inspect>,
    pattern: BodyPattern,
    ids: Vec<EntryId>,
) -> impl Stream<Item = Result<EntryId>> + Send {
    let checked = stream::iter(ids).map(move |id| {
        let (store, pattern) = (Arc::clone(&store), pattern.clone());
        async move { Ok(body_matches(&*store, &pattern, &id).await?.then_some(id)) }
    });
    checked.buffered(MAX_CONCURRENT_BODIES).try_filter_map(|id| async move { Ok(id) })
}

async fn body_matches(store: &dyn Inspect, pattern: &BodyPattern, id: &EntryId) -> Result<bool> {
    let raw = store.raw_body(id, usize::MAX).await?;
    // The coding is detected by magic bytes, without a header: brotli and deflate have none and are missed.
    Ok(raw.is_some_and(|raw| pattern.matches(&content_coding::decode_body(&raw, None))))
}

/// The schema of the last stored entry of each result prefix, if it is known.
async fn newest_schemas(store: Arc<dyn Inspect>) -> Result<HashMap<Vec<u8>, Option<String>>> {
    let results = Filter { kind: Some(CacheKind::Result), ..Filter::default() };
    let mut newest: HashMap<Vec<u8>, (f64, Option<String>)> = HashMap::new();
    let mut pages = std::pin::pin!(paging::pages(store, results));
    while let Some(page) = pages.try_next().await? {
        for entry in page.entries {
            let Some(key) = entry.result_key() else { continue };
            let Some(stored) = stored(&entry) else { continue };
            let known = newest.entry(key.prefix.to_vec()).or_insert((f64::MIN, None));
            if stored > known.0 {
                *known = (stored, key.schema.map(str::to_owned));
            }
        }
    }
    Ok(newest.into_iter().map(|(prefix, (_, schema))| (prefix, schema)).collect())
}
