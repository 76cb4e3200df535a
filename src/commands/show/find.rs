//! Finds the entry of an ID, a Redis key, a URL or a part of a URL.

use std::sync::Arc;

use cache_core::{CacheKey, EntryDetails, EntryId, Inspect, Summary};
use cache_core::{HTTP_PREFIX, RESULT_PREFIX};

use crate::cli::selectors;
use crate::commands::short_id;
use crate::commands::short_id::search;

/// The entry that the argument identifies; `None`: there is none.
pub(crate) async fn entry(store: &Arc<dyn Inspect>, text: &[u8]) -> anyhow::Result<Option<EntryDetails>> {
    let as_text = std::str::from_utf8(text).ok();
    if let Some(id) = as_text.filter(|text| uuid::Uuid::try_parse(text).is_ok()) {
        return first(store, selectors::ids(id)).await;
    }
    if is_under(text, RESULT_PREFIX) || is_under(text, HTTP_PREFIX) {
        return by_key(store, text).await;
    }
    if let Some(short) = as_text.filter(|text| short_id::is_short(text)) {
        match search(store, |entry| short_id::begins(entry, short)).await?.as_slice() {
            // The argument may be a number in a URL.
            [] => {}
            [entry] => return first(store, [entry.id.clone()]).await,
            several => {
                let several: Vec<&Summary> = several.iter().collect();
                return Err(short_id::ambiguous(&several, &format!("ID '{short}'")).into());
            }
        }
    }
    match as_text {
        Some(url) => by_url(store, url).await,
        None => Ok(None),
    }
}

fn is_under(key: &[u8], prefix: &str) -> bool {
    key.strip_prefix(prefix.as_bytes()).is_some_and(|rest| rest.starts_with(b":"))
}

async fn first(
    store: &Arc<dyn Inspect>,
    ids: impl IntoIterator<Item = EntryId>,
) -> anyhow::Result<Option<EntryDetails>> {
    for id in ids {
        if let Some(found) = store.details(&id).await? {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

/// The entry that a Redis key belongs to; the key alone if it belongs to none.
async fn by_key(store: &Arc<dyn Inspect>, key: &[u8]) -> anyhow::Result<Option<EntryDetails>> {
    let itself = EntryId::key(key);
    let Some(rest) = key.strip_prefix(HTTP_PREFIX.as_bytes()).and_then(|rest| rest.strip_prefix(b":")) else {
        return first(store, [itself]).await;
    };
    let (part, name) = rest.split_at(rest.iter().position(|b| *b == b':').unwrap_or(rest.len()));
    let name = name.strip_prefix(b":").unwrap_or_default();
    let owners = match part {
        b"entry" | b"stream" | b"stream_done" => std::str::from_utf8(name).map(selectors::ids).unwrap_or_default(),
        b"key_index" => match hex::decode(name) {
            Ok(cache_key) => under_cache_key(store, CacheKey::new(cache_key)).await?,
            Err(_) => Vec::new(),
        },
        b"idx" => under_cache_key(store, CacheKey::new(name)).await?,
        _ => Vec::new(),
    };
    let owners = owners.into_iter().filter(|id| matches!(id, EntryId::Http(..)));
    first(store, owners.chain([itself])).await
}

/// The IDs of the entries under a cache key, newest first.
async fn under_cache_key(store: &Arc<dyn Inspect>, key: CacheKey) -> anyhow::Result<Vec<EntryId>> {
    let found = store.lookup(&key, None).await?;
    if !found.is_empty() {
        let spellings = |id: uuid::Uuid| [id.hyphenated().to_string(), id.simple().to_string()];
        return Ok(found
            .iter()
            .flat_map(|found| spellings(found.entry.id))
            .flat_map(|id| selectors::ids(&id))
            .collect());
    }
    // A lookup returns live entries only; others have to be searched for.
    let is_meant = |entry: &Summary| entry.http.as_ref().is_some_and(|http| http.cache_key == key);
    Ok(newest_first(search(store, is_meant).await?).into_iter().map(|entry| entry.id).collect())
}

/// The newest entry with exactly this URL, else the newest of the only URL that contains it.
async fn by_url(store: &Arc<dyn Inspect>, wanted: &str) -> anyhow::Result<Option<EntryDetails>> {
    let url = |entry: &Summary| entry.http.as_ref().map(|http| http.url.clone());
    let found = newest_first(search(store, |entry| url(entry).is_some_and(|url| url.contains(wanted))).await?);
    if let Some(exact) = found.iter().find(|entry| url(entry).as_deref() == Some(wanted)) {
        return first(store, [exact.id.clone()]).await;
    }
    let Some(newest) = found.first() else { return Ok(None) };
    if found.iter().all(|entry| url(entry) == url(newest)) {
        return first(store, [newest.id.clone()]).await;
    }
    let several: Vec<&Summary> = found.iter().collect();
    Err(short_id::ambiguous(&several, &format!("URL '{wanted}'")).into())
}

fn newest_first(mut entries: Vec<Summary>) -> Vec<Summary> {
    entries.sort_by(|a, b| b.created_at.unwrap_or(0.0).total_cmp(&a.created_at.unwrap_or(0.0)));
    entries
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exit::Refused;
    use crate::services::registry;
    use cache_core::{Entry, Memory, Request, ResponseStore as _, ResultStore as _, StorageLayout};
    use std::time::Duration;
    use uuid::Uuid;

    async fn store(urls: &[(&str, f64)]) -> (Arc<dyn Inspect>, Vec<Uuid>) {
        let memory = Memory::new(registry().clone());
        let mut ids = Vec::new();
        for (url, created_at) in urls {
            let id = Uuid::new_v4();
            let request = Request { method: "GET".into(), url: (*url).into(), ..Request::default() };
            let cache_key = CacheKey::new(url.as_bytes());
            let response = cache_core::Response { status_code: 200, ..Default::default() };
            let entry = Entry { id, cache_key, request, response, created_at: Some(*created_at), deleted_at: None };
            memory.insert(entry, None).await.unwrap().commit().await.unwrap();
            ids.push(id);
        }
        memory.set("result_cache:p:1", "1".into(), Duration::from_secs(9)).await.unwrap();
        (Arc::new(memory), ids)
    }

    async fn found(memory: &Arc<dyn Inspect>, text: &str) -> Option<EntryId> {
        entry(memory, text.as_bytes()).await.unwrap().map(|found| found.summary.id)
    }

    #[tokio::test]
    async fn an_entry_is_found_by_all_its_names() {
        let (memory, ids) = store(&[("http://a/1", 1.0), ("http://a/1", 2.0), ("http://a/12?q=x", 3.0)]).await;
        let id = |n: usize| Some(EntryId::Http(StorageLayout::Pipeline, ids[n]));
        assert_eq!(found(&memory, &ids[0].to_string()).await, id(0));
        assert_eq!(found(&memory, &format!("hishel_cache:entry:{}", ids[0])).await, id(0));
        assert_eq!(found(&memory, &format!("hishel_cache:stream:{}", ids[0])).await, id(0));
        assert_eq!(found(&memory, "hishel_cache:idx:http://a/1").await, id(1));
        assert_eq!(found(&memory, "hishel_cache:key_index:687474703a2f2f612f31").await, id(1));
        assert_eq!(found(&memory, "http://a/1").await, id(1));
        assert_eq!(found(&memory, "q=x").await, id(2));
        assert_eq!(found(&memory, "result_cache:p:1").await, Some(EntryId::key(*b"result_cache:p:1")));
        assert_eq!(found(&memory, "hishel_cache:entry:x").await, None);
        assert_eq!(found(&memory, "http://b/").await, None);
    }

    #[tokio::test]
    async fn a_part_that_several_urls_have_is_refused_with_their_names() {
        let (memory, ids) = store(&[("http://a/1", 1.0), ("http://a/2?token=s3cr3t", 2.0)]).await;
        let error = entry(&memory, b"http://a").await.unwrap_err();
        assert!(error.downcast_ref::<Refused>().is_some());
        let message = error.to_string();
        assert!(ids.iter().all(|id| message.contains(&id.to_string())), "{message}");
        assert!(!message.contains("s3cr3t"), "{message}");
    }
}
