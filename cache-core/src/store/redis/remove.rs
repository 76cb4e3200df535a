//! Deleting entries: index record, entry, then body.

use std::collections::HashSet;

use redis::{Pipeline, RedisError, RedisResult, Value};

use crate::error::Result;
use crate::format::entry_view::EntryView;
use crate::format::msgpack;
use crate::format::redis_key::Name;
use crate::model::entry::{EntryId, StorageLayout};
use crate::model::key::CacheKey;
use crate::model::stored::RemoveStats;
use crate::store::redis::connection::{Connection, multi};
use crate::store::redis::driver_error::lacks_right_to_keys;
use crate::store::redis::scan::without_owner;
use crate::store::redis::script::is_unknown_command;
use crate::store::redis::{layout, reply};

/// Deletes all of these or, if the server refuses one, none: an entry that stays must stay in its index.
pub(crate) async fn remove(connection: &Connection, ids: &[EntryId]) -> Result<RemoveStats> {
    let ids = without_owned(connection, ids).await?;
    let keys = cache_keys(connection, &ids).await?;
    loop {
        let unlink = connection.unlink();
        let mut pipe = multi();
        for (id, cache_key) in ids.iter().zip(&keys) {
            if let Some((index, command, member)) = location(id, cache_key.as_ref()) {
                pipe.cmd(command).arg(&index).arg(member);
                pipe.cmd("EXISTS").arg(&index);
            }
            pipe.cmd(unlink).arg(&*id.redis_key());
            if let EntryId::Http(layout, id) = id {
                pipe.cmd(unlink).arg(&layout::parts(*layout, *id)[1..]);
            }
        }
        let answers = connection.all_or_none("deleting entries", pipe, true).await?.and_then(|answers| {
            // An index of the wrong type holds no entry.
            let is_refusal = |error: &&RedisError| error.code() != Some("WRONGTYPE");
            match answers.iter().filter_map(|answer| answer.as_ref().err()).find(is_refusal) {
                Some(error) => Err(error.clone()),
                None => Ok(answers),
            }
        });
        match answers {
            Ok(answers) => return Ok(removed(&ids, &keys, numbers(answers))),
            Err(error) if unlink == "UNLINK" && lacks_command(&error) => connection.has_no_unlink(),
            Err(error) => return Err(connection.explain("deleting entries", error)),
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

/// Adds up the replies of the commands.
fn removed(ids: &[EntryId], keys: &[Option<CacheKey>], numbers: Vec<u64>) -> RemoveStats {
    let mut numbers = numbers.into_iter();
    let mut next = || numbers.next().unwrap_or(0);
    let mut removed = RemoveStats::default();
    for (id, cache_key) in ids.iter().zip(keys) {
        if let EntryId::Http(..) = id
            && cache_key.is_some()
        {
            // It left its index, which is deleted with its last member.
            let (left, is_there) = (next(), next());
            removed.keys += u64::from(left == 1 && is_there == 0);
        }
        let entries = next();
        removed.entries += entries;
        removed.keys += entries;
        if let EntryId::Http(..) = id {
            removed.keys += next();
        }
    }
    removed
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
