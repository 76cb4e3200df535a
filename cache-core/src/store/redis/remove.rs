//! Removing entries for good: out of the index, then the entry, then its body. Nothing else is touched.

use std::collections::HashSet;

use redis::{Pipeline, RedisResult, Value};

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
    let answers = loop {
        let unlink = connection.unlink();
        let mut pipe = Pipeline::with_capacity(ids.len() * 4);
        for (id, cache_key) in ids.iter().zip(&keys) {
            ask(&mut pipe, unlink, id, cache_key.as_ref());
        }
        let answers = connection.pipeline("removing entries", &mut pipe).await?;
        let is_unknown = |answer: &RedisResult<Value>| answer.as_ref().is_err_and(is_unknown_command);
        if unlink == "UNLINK" && answers.iter().any(is_unknown) {
            connection.has_no_unlink();
            continue;
        }
        break answers;
    };
    // A server that refuses one of these (a replica, a user without the right) refuses all.
    if let Some(Err(error)) =
        answers.iter().find(|answer| answer.as_ref().is_err_and(|e| e.code() != Some("WRONGTYPE")))
    {
        return Err(connection.explain("removing entries", error.clone()));
    }
    let mut numbers = answers.into_iter().map(|answer| answer.ok().as_ref().and_then(reply::int).unwrap_or(0));
    let mut next = || numbers.next().unwrap_or(0) as u64;
    let mut removed = Removed::default();
    for (id, cache_key) in ids.iter().zip(&keys) {
        if let (EntryId::Http(..), Some(_)) = (id, cache_key) {
            let (was_member, index_is_left) = (next(), next());
            removed.keys += u64::from(was_member == 1 && index_is_left == 0);
        }
        let entries = next();
        removed.entries += entries;
        removed.keys += entries;
        if let EntryId::Http(..) = id {
            removed.keys += next();
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

fn ask(pipe: &mut Pipeline, unlink: &str, id: &EntryId, cache_key: Option<&CacheKey>) {
    match id {
        EntryId::Http(layout, id) => {
            if let Some(cache_key) = cache_key {
                let index = layout::index(*layout, cache_key);
                let member = layout.id_text(*id);
                let command = if *layout == Layout::Hishel2 { "ZREM" } else { "SREM" };
                pipe.cmd(command).arg(&index).arg(member);
                pipe.cmd("EXISTS").arg(&index);
            }
            pipe.cmd(unlink).arg(layout::entry(*layout, *id));
            pipe.cmd(unlink).arg(&layout::parts(*layout, *id)[1..]);
        }
        EntryId::Key(key) => {
            pipe.cmd(unlink).arg(&key[..]);
        }
    }
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
    let mut answers = connection.pipeline("reading cache keys", &mut pipe).await?.into_iter();
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
