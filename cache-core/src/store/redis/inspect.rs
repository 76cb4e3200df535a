//! Details of an entry, with its Redis keys.

use redis::{Pipeline, RedisResult, cmd};

use crate::clock;
use crate::error::Result;
use crate::format::redis_key::Name;
use crate::model::entry::{EntryId, EntryState, StorageLayout};
use crate::model::inspection::{EntryDetails, RedisKeyInfo};
use crate::model::service::ServiceRegistry;
use crate::store::redis::connection::Connection;
use crate::store::redis::heads::{Item, entry, layout_of, summaries, to_stored_response};
use crate::store::redis::layout::COMPLETE;
use crate::store::redis::memory_usage::MeasureRequest;
use crate::store::redis::{layout, memory_usage, reply};
use crate::store::summarize;

/// Details of an entry, without its body.
pub(crate) async fn details(
    connection: &Connection,
    services: &ServiceRegistry,
    id: &EntryId,
) -> Result<Option<EntryDetails>> {
    let now = clock::now();
    let found = match id {
        EntryId::Http(layout, id) => Some(to_stored_response(*layout, *id)),
        EntryId::Key(key) => match Name::parse(key) {
            Name::Entry(layout, id) => Some(Item::Entry(layout, id)),
            Name::Result => Some(Item::Result(key.to_vec())),
            _ => None,
        },
    };
    let summary = match found {
        Some(found) => summaries(connection, services, vec![found], now).await?.pop(),
        None => {
            let pttl = connection.query("PTTL", cmd("PTTL").arg(&*id.redis_key())).await?;
            reply::expiry(&pttl, now).map(|expires_at| {
                summarize::from_problem(id.clone(), EntryState::Orphan, expires_at, "the key belongs to no entry")
            })
        }
    };
    let Some(summary) = summary else { return Ok(None) };
    let entry = match summary.id {
        EntryId::Http(layout, id) => entry(connection, layout_of(layout), id).await?,
        EntryId::Key(_) => None,
    };
    let keys = match (&summary.id, &summary.http) {
        (EntryId::Http(layout, id), http) => {
            let mut keys: Vec<_> = layout::parts(*layout, *id).into_iter().map(String::into_bytes).collect();
            keys.extend(http.as_ref().map(|http| layout::index(*layout, &http.cache_key)));
            keys
        }
        (EntryId::Key(key), _) => vec![key.to_vec()],
    };
    let chunks = match summary.id {
        EntryId::Http(layout, id) => {
            let wanted = MeasureRequest { key: layout::stream(layout, id), start: 0, memory: None };
            let measure = memory_usage::measure(connection, &[wanted]).await?.pop();
            let measure = measure.and_then(RedisResult::ok).flatten().unwrap_or_default();
            let marks = u64::from(match layout {
                StorageLayout::Pipeline => measure.last == COMPLETE,
                StorageLayout::Hishel1 => measure.count > 0 && measure.last.is_empty(),
                _ => false,
            });
            measure.count - marks
        }
        EntryId::Key(_) => 1,
    };
    Ok(Some(EntryDetails { summary, entry, chunks, keys: key_facts(connection, keys).await? }))
}

async fn key_facts(connection: &Connection, keys: Vec<Vec<u8>>) -> Result<Vec<RedisKeyInfo>> {
    let mut pipe = Pipeline::new();
    for key in &keys {
        pipe.cmd("TYPE").arg(&key[..]);
        pipe.cmd("PTTL").arg(&key[..]);
        pipe.cmd("MEMORY").arg("USAGE").arg(&key[..]);
    }
    let mut answers = connection.pipeline("reading keys", &mut pipe).await?.into_iter().map(RedisResult::ok);
    let mut next = || answers.next().flatten();
    let mut facts = Vec::new();
    for key in keys {
        let (kind, pttl, bytes) = (next(), next(), next());
        let kind = kind.and_then(reply::text).unwrap_or_default();
        if let Some(expires_at) = pttl.as_ref().and_then(|pttl| reply::expiry(pttl, 0.0)) {
            facts.push(RedisKeyInfo {
                key,
                kind,
                ttl: expires_at,
                bytes: bytes.as_ref().and_then(reply::int).map(|bytes| bytes as u64),
            });
        }
    }
    Ok(facts)
}
