//! Deleting entries: index record, head, then body, each step for itself.

use std::collections::HashSet;

use redis::{Pipeline, RedisError, RedisResult, ToRedisArgs, Value, cmd};

use crate::error::Result;
use crate::format::entry_view::EntryView;
use crate::format::msgpack;
use crate::format::redis_key::Name;
use crate::model::entry::{EntryId, StorageLayout};
use crate::model::key::{CacheKey, HTTP_PREFIX};
use crate::model::stored::{RemoveStats, Removed};
use crate::store::inspect::READER_GRACE;
use crate::store::redis::commands::millis;
use crate::store::redis::connection::Connection;
use crate::store::redis::driver_error::{is_unknown_command, lacks_right_to_keys};
use crate::store::redis::scan::without_owner;
use crate::store::redis::{layout, reply};

const DELETING: &str = "deleting entries";

/// The number of entries of one step: other clients wait for no longer.
const STEP: usize = 100;

/// Deletes entries; their bodies expire when readers that have found them are done.
pub(crate) async fn remove(connection: &Connection, ids: &[EntryId]) -> Result<RemoveStats> {
    let mut removed = RemoveStats::default();
    for step in ids.chunks(STEP) {
        let Removed { stats, bodies } = remove_heads(connection, step).await?;
        removed += stats;
        let mut pipe = Pipeline::with_capacity(bodies.len());
        for body in body_keys(&bodies) {
            pipe.cmd("PEXPIRE").arg(body).arg(millis(READER_GRACE));
        }
        let answers = connection.on_entries(DELETING, &mut pipe).await?;
        removed.keys += numbers(answers).into_iter().sum::<u64>();
    }
    Ok(removed)
}

/// Deletes entries in an order that needs no transaction, which a full server refuses: what is gone from its index is
/// not found, and what has no head is not served. The bodies stay for readers that have found the heads.
pub(crate) async fn remove_heads(connection: &Connection, ids: &[EntryId]) -> Result<Removed> {
    let ids = without_owned(connection, ids).await?;
    let mut removed = Removed::default();
    for ids in ids.chunks(STEP) {
        removed += remove_step(connection, ids).await?;
    }
    Ok(removed)
}

async fn remove_step(connection: &Connection, ids: &[EntryId]) -> Result<Removed> {
    let bodies: Vec<EntryId> = ids.iter().filter(|id| matches!(id, EntryId::Http(..))).cloned().collect();
    if !bodies.is_empty() {
        // Without the right to delete, an entry would stay outside its index.
        let missing = [layout::ENTRY, layout::STREAM].map(|part| format!("{HTTP_PREFIX}:{part}:none"));
        unlink(connection, &missing).await?;
    }
    let cache_keys = cache_keys(connection, ids).await?;
    let mut pipe = Pipeline::new();
    for (id, cache_key) in ids.iter().zip(&cache_keys) {
        if let Some((index, command, member)) = location(id, cache_key.as_ref()) {
            pipe.cmd(command).arg(&index).arg(member);
            pipe.cmd("EXISTS").arg(&index);
        }
    }
    let left = numbers(connection.on_entries(DELETING, &mut pipe).await?);
    // An index is deleted with its last member.
    let emptied = left.chunks(2).filter(|pair| *pair == [1, 0]).count() as u64;
    let heads: Vec<_> = ids.iter().map(EntryId::redis_key).collect();
    let entries = unlink(connection, &heads).await?;
    let marks: Vec<_> = bodies.iter().filter_map(mark).collect();
    let marks = unlink(connection, &marks).await?;
    Ok(Removed { stats: RemoveStats { entries, keys: emptied + entries + marks }, bodies })
}

/// Deletes the bodies of entries that have been deleted. Returns the number of deleted keys.
pub(crate) async fn remove_bodies(connection: &Connection, ids: &[EntryId]) -> Result<u64> {
    let mut keys = 0;
    for step in ids.chunks(STEP) {
        let mut pipe = Pipeline::with_capacity(step.len());
        for id in step {
            pipe.cmd("EXISTS").arg(&*id.redis_key());
        }
        let exists = numbers(connection.on_entries(DELETING, &mut pipe).await?);
        // An entry that was stored again has a body of its own.
        let gone: Vec<_> = body_keys(step).into_iter().zip(exists).filter(|(_, exists)| *exists == 0).collect();
        keys += unlink(connection, &gone.into_iter().map(|(body, _)| body).collect::<Vec<_>>()).await?;
    }
    Ok(keys)
}

fn body_keys(ids: &[EntryId]) -> Vec<String> {
    let body = |id: &EntryId| match id {
        EntryId::Http(layout, id) => Some(layout::stream(*layout, *id)),
        EntryId::Key(_) => None,
    };
    ids.iter().filter_map(body).collect()
}

/// The key that marks the body of an entry as complete.
fn mark(id: &EntryId) -> Option<String> {
    match id {
        EntryId::Http(StorageLayout::Pipeline, _) | EntryId::Key(_) => None,
        EntryId::Http(layout, id) => Some(layout::done(*layout, *id)),
    }
}

/// Deletes keys; returns how many existed.
async fn unlink<K: ToRedisArgs>(connection: &Connection, keys: &[K]) -> Result<u64> {
    if keys.is_empty() {
        return Ok(0);
    }
    loop {
        let unlink = connection.unlink();
        match connection.execute(DELETING, cmd(unlink).arg(keys)).await? {
            Ok(answer) => return Ok(reply::int(&answer).unwrap_or(0) as u64),
            Err(error) if unlink == "UNLINK" && lacks_command(&error) => connection.has_no_unlink(),
            Err(error) => return Err(connection.explain(DELETING, error)),
        }
    }
}

/// Old servers do not support `UNLINK`, and a user may be allowed `DEL` only.
fn lacks_command(error: &RedisError) -> bool {
    is_unknown_command(error) || (error.code() == Some("NOPERM") && !lacks_right_to_keys(error))
}

/// The index of an entry, the command that removes it there, and its member.
fn location(id: &EntryId, cache_key: Option<&CacheKey>) -> Option<(Vec<u8>, &'static str, String)> {
    let EntryId::Http(layout, id) = id else { return None };
    let command = if *layout == StorageLayout::Hishel2 { "ZREM" } else { "SREM" };
    Some((layout::index(*layout, cache_key?), command, layout.id_text(*id)))
}

/// All but the orphans that belong to an entry now: that entry was not selected.
async fn without_owned(connection: &Connection, ids: &[EntryId]) -> Result<Vec<EntryId>> {
    let is_part = |key: &[u8]| matches!(Name::parse(key), Name::Stream(..) | Name::Done(_) | Name::Index(..));
    let parts = ids.iter().filter_map(|id| match id {
        EntryId::Key(key) if is_part(key) => Some(key.to_vec()),
        _ => None,
    });
    let orphans: HashSet<_> = without_owner(connection, parts.collect()).await?.into_iter().collect();
    let is_meant = |id: &&EntryId| match id {
        EntryId::Key(key) if is_part(key) => orphans.contains(&key[..]),
        _ => true,
    };
    Ok(ids.iter().filter(is_meant).cloned().collect())
}

fn numbers(answers: Vec<RedisResult<Value>>) -> Vec<u64> {
    answers.into_iter().map(|answer| answer.ok().as_ref().and_then(reply::int).unwrap_or(0) as u64).collect()
}

/// The key that each entry is indexed under, read now: only the entry contains it.
pub(crate) async fn cache_keys(connection: &Connection, ids: &[EntryId]) -> Result<Vec<Option<CacheKey>>> {
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
