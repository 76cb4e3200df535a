//! Changing TTLs.

use std::collections::BTreeSet;
use std::time::Duration;

use redis::{Pipeline, RedisResult, Value};
use uuid::Uuid;

use crate::clock;
use crate::error::{Error, Result};
use crate::format::entry_view::EntryView;
use crate::format::msgpack;
use crate::format::msgpack::Done;
use crate::format::redis_key;
use crate::model::entry::{EntryId, StorageLayout};
use crate::model::key::CacheKey;
use crate::store::redis::commands::{millis, set_expiry};
use crate::store::redis::connection::Connection;
use crate::store::redis::{layout, reply};

/// Sets the TTL of entries, from now on (`None`: no expiry). Returns how many existed.
pub(crate) async fn pexpire(connection: &Connection, ids: &[EntryId], ttl: Option<Duration>) -> Result<u64> {
    if ttl.is_none() && ids.iter().any(|id| matches!(id, EntryId::Http(StorageLayout::Hishel1, _))) {
        return Err(Error::Unsupported("entries in the hishel 1 layout always expire; set a long TTL instead"));
    }
    let cache_keys = cache_keys(connection, ids).await?;
    let index_ttls = index_ttls(connection, ids, &cache_keys).await?;
    let ttls = head_ttls(connection, ids).await?;
    let mut pipe = Pipeline::with_capacity(ids.len() * 3);
    // The number of replies for each entry; the first of them shows whether it existed.
    let mut answers_of = Vec::with_capacity(ids.len());
    for (((id, cache_key), index_ttl), left) in ids.iter().zip(&cache_keys).zip(index_ttls).zip(ttls) {
        let before = pipe.len();
        // Neither `PERSIST` nor `SET` reports whether the key existed.
        pipe.cmd("EXISTS").arg(&*id.redis_key());
        match id {
            EntryId::Http(layout, id) => {
                let kept = layout::retention(*layout, ttl);
                // An index outlives its entries: its TTL is extended, never shortened, and a persistent one stays
                // persistent.
                if let (Some(cache_key), Some(left)) = (cache_key, index_ttl)
                    && outlives(kept, left)
                {
                    set_expiry(&mut pipe, &layout::index(*layout, cache_key), kept);
                }
                // A head must never outlive its body: whichever step is the last one that happens.
                let mut parts = layout::parts(*layout, *id);
                let is_raised = outlives(kept, left);
                if is_raised {
                    parts.rotate_left(1);
                } else {
                    parts[1..].reverse();
                }
                for part in parts {
                    if *layout != StorageLayout::Pipeline && part == expiry_key(*layout, *id) {
                        rewrite_expiry(connection, &mut pipe, *layout, *id, cache_key.as_ref(), ttl).await?;
                    }
                    set_expiry(&mut pipe, part.as_bytes(), kept);
                }
            }
            EntryId::Key(key) => set_expiry(&mut pipe, key, ttl),
        }
        answers_of.push(pipe.len() - before);
    }
    let answers = connection.on_entries("changing TTLs", &mut pipe).await?;
    let mut answers = answers.into_iter();
    let mut touched = 0;
    for count in answers_of {
        let first = answers.by_ref().take(count).collect::<Vec<RedisResult<Value>>>().into_iter().next();
        touched += u64::from(matches!(first, Some(Ok(Value::Int(1)))));
    }
    Ok(touched)
}

/// Lets persistent indexes expire with the last of their entries: storing and reading keep a persistent index, so that
/// only a change of TTLs can end it.
pub(crate) async fn end_indexes(connection: &Connection, ids: &[EntryId]) -> Result<()> {
    let cache_keys = cache_keys(connection, ids).await?;
    let ttls = index_ttls(connection, ids, &cache_keys).await?;
    let indexes: BTreeSet<_> = (ids.iter().zip(&cache_keys).zip(ttls))
        .filter(|(_, ttl)| *ttl == Some(-1))
        .filter_map(|((id, cache_key), _)| Some((is_sorted(id), index(id, cache_key.as_ref())?)))
        .collect();
    let mut pipe = Pipeline::with_capacity(indexes.len());
    for (is_sorted, index) in &indexes {
        if *is_sorted {
            pipe.cmd("ZRANGE").arg(&index[..]).arg(0).arg(-1);
        } else {
            pipe.cmd("SMEMBERS").arg(&index[..]);
        }
    }
    let answers = connection.on_entries("reading indexes", &mut pipe).await?;
    // An index of the wrong type has no entries, so its end is unknown.
    let named: Vec<Vec<_>> = answers.into_iter().map(|answer| answer.map(owners).unwrap_or_default()).collect();
    let mut pipe = Pipeline::new();
    for entry in named.iter().flatten() {
        pipe.cmd("PTTL").arg(entry);
    }
    let mut answers = connection.on_entries("PTTL", &mut pipe).await?.into_iter();
    let mut pipe = Pipeline::with_capacity(indexes.len());
    for ((_, index), entries) in indexes.iter().zip(&named) {
        let left: Vec<i64> = answers.by_ref().take(entries.len()).map(|answer| int(answer).unwrap_or(-1)).collect();
        if let Some(max_wait) = left.iter().max().filter(|max_wait| **max_wait > 0 && !left.contains(&-1)) {
            pipe.cmd("PEXPIRE").arg(&index[..]).arg(max_wait);
        }
    }
    connection.on_entries("changing TTLs", &mut pipe).await.map(drop)
}

fn is_sorted(id: &EntryId) -> bool {
    matches!(id, EntryId::Http(StorageLayout::Hishel2, _))
}

/// The keys of the entries in an index.
fn owners(members: Value) -> Vec<String> {
    let parsed = reply::strings(members).into_iter().filter_map(|member| redis_key::parse_id(&member));
    parsed.map(|(layout, id)| layout::entry(layout, id)).collect()
}

fn int(answer: RedisResult<Value>) -> Option<i64> {
    answer.ok().as_ref().and_then(reply::int)
}

/// The key in which hishel's own layouts store the expiry of an entry.
fn expiry_key(layout: StorageLayout, id: Uuid) -> String {
    if layout == StorageLayout::Hishel2 { layout::done(layout, id) } else { layout::entry(layout, id) }
}

/// Milliseconds until each head expires, by `PTTL`.
async fn head_ttls(connection: &Connection, ids: &[EntryId]) -> Result<Vec<i64>> {
    let mut pipe = Pipeline::with_capacity(ids.len());
    for id in ids {
        pipe.cmd("PTTL").arg(&*id.redis_key());
    }
    let answers = connection.on_entries("PTTL", &mut pipe).await?;
    Ok(answers.into_iter().map(|answer| int(answer).unwrap_or(-2)).collect())
}

/// The commands that change the expiry which hishel's own layouts store inside an entry, if it has one.
async fn rewrite_expiry(
    connection: &Connection,
    pipe: &mut Pipeline,
    layout: StorageLayout,
    id: Uuid,
    cache_key: Option<&CacheKey>,
    ttl: Option<Duration>,
) -> Result<()> {
    let now = clock::now();
    let key = expiry_key(layout, id);
    let mut get = Pipeline::new();
    get.cmd("GET").arg(&key);
    let stored = connection.on_entries("GET", &mut get).await?.into_iter().next();
    let stored = stored.and_then(RedisResult::ok).and_then(reply::bytes).unwrap_or_default();
    if layout == StorageLayout::Hishel2 {
        let (Ok(done), Some(cache_key)) = (msgpack::decode_done(&stored), cache_key) else { return Ok(()) };
        let deadline = ttl.map(|ttl| now + ttl.as_secs_f64());
        let done = Done { ttl_deadline: deadline, tti: None, ..done };
        pipe.cmd("SET").arg(key).arg(msgpack::encode_done(&done)).arg("XX").arg("KEEPTTL");
        let score = deadline.map_or("+inf".to_owned(), |at| at.to_string());
        pipe.cmd("ZADD").arg(layout::index(layout, cache_key)).arg("XX").arg(score).arg(layout.id_text(id));
    } else {
        let Ok(mut entry) = msgpack::decode_pair(&stored) else { return Ok(()) };
        let lived = now - entry.created_at.unwrap_or(now);
        entry.request.extra.set_storage_ttl(lived + ttl.unwrap_or_default().as_secs_f64());
        pipe.cmd("SET").arg(key).arg(msgpack::encode_pair(&entry)).arg("XX").arg("KEEPTTL");
    }
    Ok(())
}

/// Milliseconds until each entry's index expires, by `PTTL`; `None` for entries without an index to read.
async fn index_ttls(
    connection: &Connection,
    ids: &[EntryId],
    cache_keys: &[Option<CacheKey>],
) -> Result<Vec<Option<i64>>> {
    let mut pipe = Pipeline::new();
    let indexes: Vec<_> = ids.iter().zip(cache_keys).map(|(id, cache_key)| index(id, cache_key.as_ref())).collect();
    for index in indexes.iter().flatten() {
        pipe.cmd("PTTL").arg(&index[..]);
    }
    let mut answers = connection.on_entries("PTTL", &mut pipe).await?.into_iter();
    Ok(indexes.iter().map(|index| index.as_ref().and_then(|_| int(answers.next()?))).collect())
}

fn index(id: &EntryId, cache_key: Option<&CacheKey>) -> Option<Vec<u8>> {
    match id {
        EntryId::Http(layout, _) => Some(layout::index(*layout, cache_key?)),
        EntryId::Key(_) => None,
    }
}

/// Whether an entry with this TTL (`None`: no expiry) outlives its index with `left` milliseconds by `PTTL` (negative:
/// the index is persistent or missing).
pub(crate) fn outlives(kept: Option<Duration>, left: i64) -> bool {
    left >= 0 && kept.is_none_or(|kept| left < millis(kept))
}

/// The key that each entry is indexed under, read now: only the entry contains it.
async fn cache_keys(connection: &Connection, ids: &[EntryId]) -> Result<Vec<Option<CacheKey>>> {
    let mut pipe = Pipeline::with_capacity(ids.len());
    for id in ids {
        match id {
            EntryId::Http(StorageLayout::Hishel2, id) => {
                pipe.cmd("GET").arg(layout::done(StorageLayout::Hishel2, *id));
            }
            EntryId::Http(StorageLayout::Hishel1, id) => {
                pipe.cmd("GET").arg(layout::entry(StorageLayout::Hishel1, *id));
            }
            EntryId::Http(layout, id) => {
                pipe.cmd("HGET").arg(layout::entry(*layout, *id)).arg("cache_key");
            }
            EntryId::Key(_) => {}
        }
    }
    let mut answers = connection.on_entries("reading cache keys", &mut pipe).await?.into_iter();
    let mut next = || answers.next().and_then(RedisResult::ok).and_then(reply::bytes);
    Ok(ids
        .iter()
        .map(|id| match id {
            EntryId::Http(StorageLayout::Hishel2, _) => msgpack::decode_done(&next()?).ok().map(|done| done.cache_key),
            EntryId::Http(StorageLayout::Hishel1, _) => {
                let data = next()?;
                EntryView::decode(&data).ok()?.cache_key.map(|key| CacheKey::new(&key[..]))
            }
            EntryId::Http(..) => next().map(CacheKey::new),
            EntryId::Key(_) => None,
        })
        .collect())
}
