//! Selecting entries by a [`Filter`], including the two conditions that a summary cannot decide.

use std::collections::HashMap;
use std::sync::Arc;

use futures_util::stream;
use futures_util::stream::{Stream, StreamExt, TryStreamExt};

use crate::error::Result;
use crate::format::charset::body_text;
use crate::format::content_coding::{ContentCoding, try_decode_body};
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
    find_schemas(&store, &mut filter).await?;
    let body = filter.body.clone();
    let pages = paging::pages(Arc::clone(&store), filter);
    Ok(pages.and_then(move |mut page| {
        let (store, body) = (Arc::clone(&store), body.clone());
        async move {
            if let Some(pattern) = body {
                let looked = with_body(&*store, &pattern, std::mem::take(&mut page.entries)).await?;
                page.left_out = looked.iter().filter(|(_, found)| *found == BodyMatch::Unknown).count() as u64;
                page.entries = looked
                    .into_iter()
                    .filter_map(|(entry, found)| (found == BodyMatch::Yes).then_some(entry))
                    .collect();
            }
            Ok(page)
        }
    }))
}

/// Fills in the schemas in use, unless they are known.
pub(crate) async fn find_schemas(store: &Arc<dyn Inspect>, filter: &mut Filter) -> Result<()> {
    if filter.dead_schemas && filter.newest_schemas.is_empty() {
        filter.newest_schemas = if filter.living_schemas.is_empty() {
            newest_schemas(Arc::clone(store)).await?
        } else {
            filter.living_schemas.clone()
        };
    }
    Ok(())
}

/// Whether a body matches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyMatch {
    /// It does.
    Yes,
    /// It does not.
    No,
    /// It is damaged, or too long to be decoded.
    Unknown,
}

async fn with_body(
    store: &dyn Inspect,
    pattern: &BodyPattern,
    entries: Vec<Summary>,
) -> Result<Vec<(Summary, BodyMatch)>> {
    let checked = stream::iter(entries)
        .map(|entry| async move { body_matches(store, pattern, &entry.id).await.map(|found| (entry, found)) });
    checked.buffered(MAX_CONCURRENT_BODIES).try_collect().await
}

/// The entries with a decoded body that matches or cannot be decoded, as they are found.
pub fn search(
    store: Arc<dyn Inspect>,
    pattern: BodyPattern,
    ids: Vec<EntryId>,
) -> impl Stream<Item = Result<(EntryId, BodyMatch)>> + Send {
    let checked = stream::iter(ids).map(move |id| {
        let (store, pattern) = (Arc::clone(&store), pattern.clone());
        async move { body_matches(&*store, &pattern, &id).await.map(|found| (id, found)) }
    });
    let is_found = |found: BodyMatch| found != BodyMatch::No;
    checked
        .buffered(MAX_CONCURRENT_BODIES)
        .try_filter_map(move |found| async move { Ok(Some(found).filter(|(_, found)| is_found(*found))) })
}

async fn body_matches(store: &dyn Inspect, pattern: &BodyPattern, id: &EntryId) -> Result<BodyMatch> {
    let found = |is_found| if is_found { BodyMatch::Yes } else { BodyMatch::No };
    let Some(raw) = store.raw_body(id, usize::MAX).await? else { return Ok(BodyMatch::No) };
    // Most bodies are stored decoded, as UTF-8; ISO-2022-JP looks like it, but for its escapes.
    if ContentCoding::detect(&raw).is_none() && std::str::from_utf8(&raw).is_ok() && !raw.contains(&0x1b) {
        return Ok(found(pattern.matches(&raw)));
    }
    let details = store.details(id).await?;
    let headers = details.as_ref().and_then(|details| Some(&details.entry.as_ref()?.response.headers));
    let field = |name| headers.and_then(|headers| headers.get(name));
    let Ok(decoded) = try_decode_body(&raw, field("content-encoding")) else { return Ok(BodyMatch::Unknown) };
    let text = body_text(&decoded, field("content-type"));
    Ok(found(pattern.matches(&decoded) || text.is_some_and(|text| pattern.matches(text.as_bytes()))))
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
