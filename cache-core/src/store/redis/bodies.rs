//! Bodies and values: whole where they may be served, or as much as is there to be looked at.

use bytes::{Bytes, BytesMut};
use redis::{Pipeline, RedisResult, cmd};

use super::connection::Connection;
use super::layout::{self, COMPLETE, Name};
use super::read::live;
use super::reply;
use crate::codec::{self, Facts};
use crate::entry::{EntryId, Layout};
use crate::error::Result;
use crate::service::Services;

/// The body of an entry if it is live and whole.
pub(super) async fn body(connection: &Connection, services: &Services, id: &EntryId) -> Result<Option<Bytes>> {
    let EntryId::Http(layout, id) = id else { return Ok(None) };
    if *layout != Layout::Pipeline && live(connection, services, *layout, *id).await?.is_none() {
        return Ok(None);
    }
    let mut pipe = Pipeline::new();
    pipe.cmd("LRANGE").arg(layout::stream(*layout, *id)).arg(0).arg(-1);
    if *layout == Layout::Pipeline {
        pipe.cmd("HGET").arg(layout::entry(*layout, *id)).arg("data");
    } else {
        pipe.cmd("GET").arg(layout::done(*layout, *id));
    }
    let mut answers = connection.on_entries("reading a body", &mut pipe).await?.into_iter();
    let mut chunks = answers.next().and_then(RedisResult::ok).map(reply::strings).unwrap_or_default();
    let mark = answers.next().and_then(RedisResult::ok).and_then(reply::bytes);
    let is_whole = match layout {
        Layout::Hishel2 => mark
            .and_then(|done| codec::decode_done(&done).ok())
            .is_some_and(|done| done.chunk_count == chunks.len() as u64),
        Layout::Hishel1 => mark.is_some(),
        _ => {
            let facts = mark.as_deref().and_then(|data| Facts::decode(data).ok());
            let is_live = facts.is_some_and(|facts| !facts.is_deleted());
            is_live && chunks.pop_if(|chunk| chunk == COMPLETE).is_some()
        }
    };
    Ok(is_whole.then(|| Bytes::from(chunks.concat())))
}

/// What is there of a body or value, at least `limit` bytes if there are as many.
pub(super) async fn raw_body(connection: &Connection, id: &EntryId, limit: usize) -> Result<Option<Bytes>> {
    match id {
        EntryId::Http(layout, id) => match list(connection, layout::stream(*layout, *id).as_bytes(), limit).await? {
            // To Redis an empty list is none; the entry tells whether its body is empty or gone with it.
            None => {
                let exists = connection.query("EXISTS", cmd("EXISTS").arg(layout::entry(*layout, *id))).await?;
                Ok((reply::int(&exists) == Some(1)).then(Bytes::new))
            }
            body => Ok(body),
        },
        EntryId::Key(key) => match Name::parse(key) {
            Name::Stream(..) => list(connection, key, limit).await,
            _ => {
                let end = limit.saturating_sub(1).min(isize::MAX as usize);
                let mut pipe = Pipeline::new();
                pipe.cmd("GETRANGE").arg(&key[..]).arg(0).arg(end);
                pipe.cmd("EXISTS").arg(&key[..]);
                let mut answers = connection.on_entries("GETRANGE", &mut pipe).await?.into_iter();
                let value = answers.next().and_then(RedisResult::ok).and_then(reply::bytes);
                let exists = answers.next().and_then(RedisResult::ok).and_then(|n| reply::int(&n)) == Some(1);
                Ok(value.filter(|_| exists).map(Bytes::from))
            }
        },
    }
}

/// The elements of a list, fetched a few at a time until there are enough bytes; without layout A's marker.
async fn list(connection: &Connection, key: &[u8], limit: usize) -> Result<Option<Bytes>> {
    const AT_ONCE: usize = 64;
    let mut body = BytesMut::new();
    let mut from = 0;
    loop {
        let mut pipe = Pipeline::new();
        pipe.cmd("LRANGE").arg(key).arg(from).arg(from + AT_ONCE - 1);
        let answer = connection.on_entries("LRANGE", &mut pipe).await?.into_iter().next();
        let mut chunks = answer.and_then(RedisResult::ok).map(reply::strings).unwrap_or_default();
        if from == 0 && chunks.is_empty() {
            return Ok(None);
        }
        let is_last = chunks.len() < AT_ONCE;
        chunks.pop_if(|chunk| is_last && chunk == COMPLETE);
        for chunk in &chunks {
            body.extend_from_slice(chunk);
        }
        if is_last || body.len() >= limit {
            return Ok(Some(body.freeze()));
        }
        from += AT_ONCE;
    }
}
