//! Deleting entries: index record, head, then body, each step for itself.

use redis::{Pipeline, RedisError, RedisResult, ToRedisArgs, Value, cmd};

use crate::error::Result;
use crate::model::change::Applied;
use crate::model::entry::{CacheKind, EntryId, StorageLayout};
use crate::model::key::{HTTP_PREFIX, RESULT_PREFIX};
use crate::store::redis::connection::Connection;
use crate::store::redis::driver_error::{is_unknown_command, lacks_right_to_keys};
use crate::store::redis::found::{Found, HeadCommand, KeyChange, Member, change_heads};
use crate::store::redis::join::JOIN;
use crate::store::redis::{layout, reply};

pub(crate) const DELETING: &str = "deleting entries";

/// How many bodies are deleted in one step.
const STEP: usize = 100;

/// Deletes entries in an order that needs no transaction, which a full server refuses: what is gone from its index is
/// not found, and what has no head is not served. The bodies stay for readers that have found the heads.
pub(crate) async fn remove_step(connection: &Connection, found: Vec<Found>, applied: &mut Applied) -> Result<()> {
    // Without the right to delete, an entry would stay outside its index. These keys do not exist.
    let (results, others): (Vec<_>, Vec<_>) = found.iter().partition(|found| found.id.kind() == CacheKind::Result);
    if !others.is_empty() {
        let missing = [layout::ENTRY, layout::STREAM].map(|part| format!("{HTTP_PREFIX}:{part}:none"));
        unlink(connection, &missing).await?;
    }
    if !results.is_empty() {
        unlink(connection, &[format!("{RESULT_PREFIX}:none")]).await?;
    }
    applied.keys += leave_indexes(connection, &found).await?;
    let outcomes = change_heads(connection, &found, HeadCommand::Unlink).await?;
    let mut marks = Vec::new();
    for (found, outcome) in found.into_iter().zip(outcomes) {
        match outcome {
            KeyChange::Done => {
                applied.entries += 1;
                applied.keys += 1;
                marks.extend(mark(&found.id));
                if let EntryId::Http(..) = found.id {
                    applied.bodies.push(found.id);
                }
            }
            KeyChange::Changed => {
                applied.changed_meanwhile += 1;
                if let Some(member) = &found.member {
                    join_index(connection, member, found.left).await?;
                }
            }
            KeyChange::Gone | KeyChange::HasNoTtl => applied.gone += 1,
        }
    }
    applied.keys += unlink(connection, &marks).await?;
    Ok(())
}

/// Removes entries from their indexes. Returns the number of indexes that were emptied, and so deleted.
async fn leave_indexes(connection: &Connection, found: &[Found]) -> Result<u64> {
    let mut pipe = Pipeline::new();
    for Member { index, name, score } in found.iter().filter_map(|found| found.member.as_ref()) {
        pipe.cmd(if score.is_some() { "ZREM" } else { "SREM" }).arg(index).arg(name);
        pipe.cmd("EXISTS").arg(index);
    }
    let left = numbers(connection.on_entries(DELETING, &mut pipe).await?);
    Ok(left.chunks(2).filter(|pair| *pair == [1, 0]).count() as u64)
}

/// Puts an entry back that changed after it was taken from its index; it has `left` milliseconds.
async fn join_index(connection: &Connection, member: &Member, left: i64) -> Result<()> {
    let Member { index, name, score } = member;
    let (score, kept) = (score.as_deref().unwrap_or_default(), if left < 0 { String::new() } else { left.to_string() });
    let arguments = [name.as_bytes(), score.as_bytes(), kept.as_bytes()];
    if JOIN.run(connection, DELETING, &[index], &arguments).await?.is_none() {
        let mut pipe = Pipeline::new();
        if score.is_empty() {
            pipe.cmd("SADD").arg(index).arg(name);
        } else {
            pipe.cmd("ZADD").arg(index).arg(score).arg(name);
        }
        connection.on_entries(DELETING, &mut pipe).await?;
    }
    Ok(())
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

pub(crate) fn body_keys(ids: &[EntryId]) -> Vec<String> {
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

fn numbers(answers: Vec<RedisResult<Value>>) -> Vec<u64> {
    answers.into_iter().map(|answer| answer.ok().as_ref().and_then(reply::int).unwrap_or(0) as u64).collect()
}
