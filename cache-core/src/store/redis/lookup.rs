//! Looking up a cache key: the hot path, in one round trip if the server runs scripts.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use bytes::Bytes;
use redis::{Pipeline, RedisResult, Value};
use uuid::Uuid;

use crate::clock;
use crate::error::Result;
use crate::format::redis_key;
use crate::model::entry::{EntryId, StorageLayout};
use crate::model::key::CacheKey;
use crate::model::stored::StoredResponse;
use crate::store::redis::candidate::{Candidate, Verification};
use crate::store::redis::commands::millis;
use crate::store::redis::connection::Connection;
use crate::store::redis::heads::{StoredHead, request_head};
use crate::store::redis::location_cache::{CachedLocation, LocationCache, Verified};
use crate::store::redis::renew::renew;
use crate::store::redis::script::Script;
use crate::store::redis::{heads, layout, reply};

static LOOKUP: LazyLock<Script> =
    LazyLock::new(|| Script::new("the look-up script", layout::named(include_str!("lookup.lua"))));

/// The script returns bodies up to this length with their heads; bytes. It costs the server more than 1 us for each
/// KiB: for longer bodies a second round trip is cheaper.
const SHORT_BODY: usize = 16 << 10;

/// The live entries under a cache key, newest first, in any layout.
pub(crate) async fn lookup(
    connection: &Connection,
    locations: &LocationCache,
    key: &CacheKey,
    refresh: Option<Duration>,
) -> Result<Vec<StoredResponse>> {
    let now = clock::now();
    // A server or user that allows no renewal is not asked for one with every hit.
    let refresh = match refresh {
        Some(ttl) => connection.server().await?.may_renew().then_some(ttl),
        None => None,
    };
    let guessed = locations.get(key);
    let guess = match &guessed {
        Some(place) => locations.read(connection, key, place, refresh, now).await?,
        None => Verified::Unusable,
    };
    let members = match &guess {
        Verified::Current(_) => guessed.as_ref().map_or(Vec::new(), |place| place.members.to_vec()),
        Verified::Outdated(members) => members.clone(),
        Verified::Unusable => Vec::new(),
    };
    let candidates = match guess {
        Verified::Current(candidates) => candidates,
        _ => match by_script(connection, key, refresh, now).await? {
            Some(candidates) => candidates,
            None => step_by_step(connection, key, now).await?,
        },
    };
    let mut found: Vec<(StoredResponse, Verification)> =
        candidates.into_iter().filter_map(|candidate| candidate.into_live(key, now)).collect();
    found.sort_by(|(a, _), (b, _)| a.entry.newest_first(&b.entry));

    let mut renewed_until = guessed.as_ref().map_or(0.0, |place| place.renewed_until);
    if let (Some(ttl), Some((first, seen))) = (refresh, found.first_mut())
        && first.entry.request.extra.ttl().is_none()
        && (seen.is_refreshed || renew(connection, &first.id, &first.entry, seen.done.as_ref(), ttl).await)
    {
        let until = now + ttl.as_secs_f64();
        first.expires_at = Some(until);
        if guessed.as_ref().is_none_or(|place| place.is_due(until)) {
            renewed_until = until;
        }
    }

    let place = location(&found, members, renewed_until);
    if place.as_ref() != guessed.as_deref() {
        match place {
            Some(place) => locations.remember(key, place),
            None => locations.remove(key),
        }
    }
    Ok(found.into_iter().map(|(found, _)| found).collect())
}

/// Where the newest response was found, if that is remembered.
fn location(
    found: &[(StoredResponse, Verification)],
    mut members: Vec<Uuid>,
    renewed_until: f64,
) -> Option<CachedLocation> {
    let (_, seen) = found.first().filter(|(first, _)| matches!(first.id, EntryId::Http(StorageLayout::Pipeline, _)))?;
    let newest: Vec<_> = found.iter().map(|(found, _)| found.entry.id).collect();
    members.retain(|id| !newest.contains(id));
    Some(CachedLocation {
        members: newest.into_iter().chain(members).collect(),
        newest: Arc::clone(&seen.known),
        renewed_until,
        has_short_body: seen.has_short_body,
    })
}

/// One round trip; `None`: the server runs no scripts.
async fn by_script(
    connection: &Connection,
    key: &CacheKey,
    refresh: Option<Duration>,
    now: f64,
) -> Result<Option<Vec<Candidate>>> {
    let keys = [layout::index(StorageLayout::Pipeline, key), layout::index(StorageLayout::Hishel1, key)];
    let refresh = refresh.map_or(0, millis).to_string();
    let arguments = [now.to_string(), SHORT_BODY.to_string(), refresh];
    let (keys, arguments) = (keys.each_ref().map(Vec::as_slice), arguments.each_ref().map(String::as_bytes));
    let Some(answer) = LOOKUP.run(connection, "looking up a response", &keys, &arguments).await? else {
        return Ok(None);
    };
    let mut values = reply::list(answer).into_iter();
    let mut candidates = Vec::new();
    while let (Some(id), Some(data), Some(pttl), Some(mark), Some(count), Some(last), Some(body), Some(is_refreshed)) = (
        values.next(),
        values.next(),
        values.next(),
        values.next(),
        values.next(),
        values.next(),
        values.next(),
        values.next(),
    ) {
        let id = reply::bytes(id).and_then(|id| redis_key::parse_id(&id));
        let (Some((layout, id)), Some(data), Some(expires_at)) = (id, reply::bytes(data), reply::expiry(&pttl, now))
        else {
            continue;
        };
        candidates.push(Candidate {
            head: StoredHead::new(layout, id, data, reply::bytes(mark).as_deref(), expires_at),
            count: reply::int(&count).unwrap_or(0) as u64,
            last: reply::bytes(last),
            body: reply::bytes(body).map(Bytes::from),
            is_refreshed: reply::int(&is_refreshed) == Some(1),
            known: None,
        });
    }
    Ok(Some(candidates))
}

/// The same in two round trips, without bodies.
async fn step_by_step(connection: &Connection, key: &CacheKey, now: f64) -> Result<Vec<Candidate>> {
    let mut pipe = Pipeline::new();
    let theirs = layout::index(StorageLayout::Hishel1, key);
    pipe.cmd("SMEMBERS").arg(layout::index(StorageLayout::Pipeline, key));
    pipe.cmd("SMEMBERS").arg(&theirs);
    // hishel 2 does not record the storage time; the entry that expires last counts as the newest.
    pipe.cmd("ZREVRANGEBYSCORE").arg(&theirs).arg("+inf").arg(format!("({now}"));
    let members = connection.on_entries("reading an index", &mut pipe).await?;
    // One of the two replies about hishel's index is an error: the type of the key depends on the layout.
    let ids: Vec<(StorageLayout, Uuid)> = members
        .into_iter()
        .filter_map(RedisResult::ok)
        .flat_map(reply::strings)
        .filter_map(|id| redis_key::parse_id(&id))
        .collect();

    let mut pipe = Pipeline::new();
    for (layout, id) in &ids {
        request_head(&mut pipe, *layout, *id);
        pipe.cmd("LINDEX").arg(layout::stream(*layout, *id)).arg(-1);
        pipe.cmd("LLEN").arg(layout::stream(*layout, *id));
    }
    let mut answers = connection.on_entries("reading entries", &mut pipe).await?.into_iter();
    let mut candidates = Vec::with_capacity(ids.len());
    for (layout, id) in ids {
        let head = heads::head(layout, id, &mut answers, now);
        let last = answers.next().and_then(RedisResult::ok).and_then(reply::bytes);
        let count: Option<Value> = answers.next().and_then(RedisResult::ok);
        let Some(Ok(head)) = head else { continue };
        let count = count.as_ref().and_then(reply::int).unwrap_or(0) as u64;
        candidates.push(Candidate { head, count, last, body: None, is_refreshed: false, known: None });
    }
    Ok(candidates)
}
