//! Removing entries for good: out of the index, then the entry, then its body. Nothing else is touched.

use std::collections::HashSet;

use redis::{Pipeline, RedisError, RedisResult, Value};

use super::connection::Connection;
use super::layout::{self, Name};
use super::reply;
use super::scan::without_owner;
use super::script::is_unknown_command;
use crate::codec::{self, Facts};
use crate::entry::{EntryId, Layout};
use crate::error::Result;
use crate::key::CacheKey;
use crate::store::Removed;

pub(super) async fn remove(connection: &Connection, ids: &[EntryId]) -> Result<Removed> {
    let ids = without_owned(connection, ids).await?;
    let keys = cache_keys(connection, &ids).await?;
    let mut removed = Removed { keys: leave_indexes(connection, &ids, &keys).await?, ..Removed::default() };
    let mut gone = unlink(connection, &ids).await?.into_iter();
    for id in &ids {
        let entries = gone.next().unwrap_or(0);
        removed.entries += entries;
        removed.keys += entries;
        if let EntryId::Http(..) = id {
            removed.keys += gone.next().unwrap_or(0);
        }
    }
    Ok(removed)
}

/// All but the keys that had no owner when they were listed and have one now: they are part of an entry that nobody
/// asked to remove.
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

/// Takes entries out of their indexes; how many indexes were emptied by that.
async fn leave_indexes(connection: &Connection, ids: &[EntryId], keys: &[Option<CacheKey>]) -> Result<u64> {
    let mut pipe = Pipeline::with_capacity(ids.len() * 2);
    for (id, cache_key) in ids.iter().zip(keys) {
        if let (EntryId::Http(layout, id), Some(cache_key)) = (id, cache_key) {
            let index = layout::index(*layout, cache_key);
            let command = if *layout == Layout::Hishel2 { "ZREM" } else { "SREM" };
            pipe.cmd(command).arg(&index).arg(layout.id_text(*id));
            pipe.cmd("EXISTS").arg(&index);
        }
    }
    let answers = connection.on_entries("removing entries", &mut pipe).await?;
    Ok(numbers(answers).chunks_exact(2).filter(|answer| answer == &[1, 0]).count() as u64)
}

/// Frees the keys of entries: one number for each of their commands, how many keys were there.
async fn unlink(connection: &Connection, ids: &[EntryId]) -> Result<Vec<u64>> {
    loop {
        let unlink = connection.unlink();
        let mut pipe = Pipeline::with_capacity(ids.len() * 2);
        for id in ids {
            pipe.cmd(unlink).arg(&*id.redis_key());
            if let EntryId::Http(layout, id) = id {
                pipe.cmd(unlink).arg(&layout::parts(*layout, *id)[1..]);
            }
        }
        let answers = connection.pipeline("removing entries", &mut pipe).await?;
        // Old servers do not know `UNLINK`, and a user may be allowed no more than `DEL`.
        let is_unusable = |error: &RedisError| is_unknown_command(error) || error.code() == Some("NOPERM");
        if unlink == "UNLINK" && answers.iter().any(|answer| answer.as_ref().is_err_and(is_unusable)) {
            connection.has_no_unlink();
            continue;
        }
        return match answers.iter().find_map(|answer| answer.as_ref().err()) {
            // A server that refuses one of these (a replica, a user without the right) refuses all.
            Some(error) => Err(connection.explain("removing entries", error.clone())),
            None => Ok(numbers(answers)),
        };
    }
}

/// The answers as numbers; an index of the wrong type holds nobody.
fn numbers(answers: Vec<RedisResult<Value>>) -> Vec<u64> {
    answers.into_iter().map(|answer| answer.ok().as_ref().and_then(reply::int).unwrap_or(0) as u64).collect()
}

/// The key that each entry is indexed under, read now: it alone says where its place in the index is.
pub(super) async fn cache_keys(connection: &Connection, ids: &[EntryId]) -> Result<Vec<Option<CacheKey>>> {
    let mut pipe = Pipeline::with_capacity(ids.len());
    for id in ids {
        match id {
            EntryId::Http(Layout::Hishel2, id) => {
                pipe.cmd("GET").arg(layout::done(Layout::Hishel2, *id));
            }
            EntryId::Http(Layout::Hishel1, id) => {
                pipe.cmd("GET").arg(layout::entry(Layout::Hishel1, *id));
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
            EntryId::Http(Layout::Hishel2, _) => codec::decode_done(&next()?).ok().map(|done| done.cache_key),
            EntryId::Http(Layout::Hishel1, _) => {
                let data = next()?;
                Facts::decode(&data).ok()?.cache_key.map(|key| CacheKey::new(&key[..]))
            }
            EntryId::Http(..) => next().map(CacheKey::new),
            EntryId::Key(_) => None,
        })
        .collect())
}
