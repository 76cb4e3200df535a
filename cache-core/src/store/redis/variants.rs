//! The bound on the responses under one cache key: every lookup reads all of them.

use redis::{Pipeline, RedisResult, Value};
use uuid::Uuid;

use crate::clock;
use crate::error::Result;
use crate::format::redis_key;
use crate::model::entry::{EntryId, StorageLayout};
use crate::store::redis::apply::remove;
use crate::store::redis::connection::Connection;
use crate::store::redis::{heads, reply};

/// The maximum number of responses under one cache key. The oldest are deleted.
const MAX_VARIANTS: u8 = 32;

/// Deletes the oldest responses of an index with more than that number of `members`.
pub(crate) async fn limit(connection: &Connection, layout: StorageLayout, index: &[u8], members: &Value) -> Result<()> {
    if reply::int(members).is_none_or(|members| members <= i64::from(MAX_VARIANTS)) {
        return Ok(());
    }
    let mut members = Pipeline::new();
    if layout == StorageLayout::Hishel2 {
        members.cmd("ZRANGE").arg(index).arg(0).arg(-1);
    } else {
        members.cmd("SMEMBERS").arg(index);
    }
    let members = connection.on_entries("reading an index", &mut members).await?.into_iter().next();
    let members = members.and_then(RedisResult::ok).map(reply::strings).unwrap_or_default();
    let ids: Vec<Uuid> = members.iter().filter_map(|id| redis_key::parse_id(id)).map(|(_, id)| id).collect();
    let oldest = oldest(connection, layout, ids).await?;
    // Also those whose entry is gone, from which the name of their index can no longer be read.
    let mut leave = Pipeline::new();
    for id in &oldest {
        let command = if layout == StorageLayout::Hishel2 { "ZREM" } else { "SREM" };
        leave.cmd(command).arg(index).arg(layout.id_text(*id));
    }
    connection.on_entries("limiting an index", &mut leave).await?;
    let ids: Vec<EntryId> = oldest.into_iter().map(|id| EntryId::Http(layout, id)).collect();
    remove(connection, &ids).await.map(drop)
}

/// All but the newest. A sorted index has those that expire first at its start.
async fn oldest(connection: &Connection, layout: StorageLayout, mut ids: Vec<Uuid>) -> Result<Vec<Uuid>> {
    if layout != StorageLayout::Hishel2 {
        let mut pipe = Pipeline::with_capacity(2 * ids.len());
        for id in &ids {
            heads::request_head(&mut pipe, layout, *id);
        }
        let mut answers = connection.on_entries("reading entries", &mut pipe).await?.into_iter();
        let now = clock::now();
        let mut stored: Vec<(f64, Uuid)> = ids
            .into_iter()
            .map(|id| {
                let count = if layout == StorageLayout::Pipeline { 2 } else { 3 };
                let answers: Vec<RedisResult<Value>> = answers.by_ref().take(count).collect();
                let head = heads::head(layout, id, &mut answers.into_iter(), now).and_then(Result::ok);
                (head.and_then(|head| head.entry().ok()?.created_at).unwrap_or(0.0), id)
            })
            .collect();
        stored.sort_by(|(a, _), (b, _)| a.total_cmp(b));
        ids = stored.into_iter().map(|(_, id)| id).collect();
    }
    ids.truncate(ids.len().saturating_sub(usize::from(MAX_VARIANTS)));
    Ok(ids)
}
