//! A cache of the locations of entries, so that repeated lookups of a key take plain commands in one round trip.
//!
//! A cached location is verified against the index in the same round trip. If they differ, the location is discarded
//! and the key looked up by script, which costs the server many times as much.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use moka::sync::Cache;
use redis::{Cmd, Pipeline, RedisError, RedisResult, Value};
use uuid::Uuid;

use crate::error::Result;
use crate::format::redis_key;
use crate::model::entry::StorageLayout;
use crate::model::key::CacheKey;
use crate::store::redis::candidate::{CachedEntry, Candidate, MAX_ELEMENTS};
use crate::store::redis::commands::millis;
use crate::store::redis::connection::Connection;
use crate::store::redis::heads::StoredHead;
use crate::store::redis::layout::COMPLETE;
use crate::store::redis::{layout, reply};
use crate::store::renewal::should_renew;

/// The approximate memory of all locations; bytes.
const MAX_BYTES: u64 = 16 << 20;

/// Keys with more entries are not cached.
const MAX_MEMBERS: usize = 8;

/// The entries under a cache key, in the pipeline's layout.
#[derive(Debug, PartialEq)]
pub(crate) struct CachedLocation {
    /// All IDs in the index, newest first; some may have expired.
    pub(crate) members: Box<[Uuid]>,
    pub(crate) newest: Arc<CachedEntry>,
    /// When the newest entry's body and the index expire, as far as this process renewed them; Unix seconds.
    pub(crate) renewed_until: f64,
    pub(crate) has_short_body: bool,
}

impl CachedLocation {
    /// Whether a hit that renews the newest entry until then also renews its body and the index. They may expire a
    /// little earlier than the entry: it is then not found.
    pub(crate) fn is_due(&self, until: f64) -> bool {
        should_renew(Some(self.renewed_until), until)
    }
}

/// The result of verifying a cached location.
pub(crate) enum Verified {
    Current(Vec<Candidate>),
    /// The index contains other entries.
    Outdated(Vec<Uuid>),
    /// The key has to be looked up again.
    Unusable,
}

pub(crate) struct LocationCache {
    entries: Cache<CacheKey, Arc<CachedLocation>>,
}

impl LocationCache {
    pub(crate) fn new() -> Self {
        // Decoded heads take about four times as much memory as encoded ones.
        let known = Cache::builder().max_capacity(MAX_BYTES).weigher(|_: &CacheKey, place: &Arc<CachedLocation>| {
            u32::try_from(500 + 5 * place.newest.data.len()).unwrap_or(u32::MAX)
        });
        Self { entries: known.build() }
    }

    pub(crate) fn get(&self, key: &CacheKey) -> Option<Arc<CachedLocation>> {
        self.entries.get(key)
    }

    pub(crate) fn remove(&self, key: &CacheKey) {
        self.entries.invalidate(key);
    }

    pub(crate) fn remember(&self, key: &CacheKey, place: CachedLocation) {
        if place.members.len() <= MAX_MEMBERS {
            self.entries.insert(key.clone(), Arc::new(place));
        } else {
            self.remove(key);
        }
    }

    /// Reads the entries of a location, if the index still contains the same IDs.
    pub(crate) async fn read(
        &self,
        connection: &Connection,
        key: &CacheKey,
        place: &CachedLocation,
        refresh: Option<Duration>,
        now: f64,
    ) -> Result<Verified> {
        let refresh = refresh.filter(|_| place.newest.entry.request.extra.ttl().is_none());
        let is_due = refresh.is_some_and(|ttl| place.is_due(now + ttl.as_secs_f64()));
        if is_due && connection.known_server().has_expire_gt == Some(false) {
            return Ok(Verified::Unusable);
        }
        let mut pipe = verification_pipeline(key, place, refresh, is_due);
        let answers = connection.pipeline("looking up a response", &mut pipe).await?;
        let reads = answers.iter().take(2 + 3 * place.members.len());
        // A refusal is not the same as nothing there: the other ways to look up report it.
        let is_refusal = |error: &RedisError| error.code() != Some("WRONGTYPE");
        if reads.clone().any(|answer| answer.as_ref().is_err_and(is_refusal)) {
            return Ok(Verified::Unusable);
        }
        // The script removes the ids of entries that are gone, where it may.
        let is_gone = reads.skip(2).step_by(3).any(|head| matches!(head, Ok(Value::Nil)));
        if is_gone && connection.known_server().may_renew() {
            return Ok(Verified::Unusable);
        }
        let mut answers = answers.into_iter();
        let mut next = || answers.next().and_then(RedisResult::ok);
        let members = next().map(reply::strings).unwrap_or_default();
        if next().as_ref().and_then(reply::int) != Some(0) {
            return Ok(Verified::Unusable);
        }
        let named: Option<Vec<Uuid>> = members
            .iter()
            .map(|id| {
                redis_key::parse_id(id).filter(|(layout, _)| *layout == StorageLayout::Pipeline).map(|(_, id)| id)
            })
            .collect();
        let Some(named) = named else { return Ok(Verified::Unusable) };
        if named.len() != place.members.len() || !named.iter().all(|id| place.members.contains(id)) {
            return Ok(Verified::Outdated(named));
        }
        let Some(mut candidates) = parse(place, &mut next, now) else { return Ok(Verified::Unusable) };
        if refresh.is_some() {
            let (entry, index) = (answers.next(), answers.nth(1));
            let is_extended = matches!(entry, Some(Ok(Value::Int(1))));
            // Read-only servers and users refuse all of them, old servers only this one.
            if is_extended && index.is_some_and(|index| index.is_err()) {
                connection.has_no_expire_gt();
                return Ok(Verified::Unusable);
            }
            if let Some(first) = candidates.first_mut().filter(|first| Some(&first.head.id) == place.members.first()) {
                first.is_refreshed = is_extended;
            }
        }
        Ok(Verified::Current(candidates))
    }
}

/// The commands that read a location and verify it against the index.
fn verification_pipeline(key: &CacheKey, place: &CachedLocation, refresh: Option<Duration>, is_due: bool) -> Pipeline {
    let index = layout::index(StorageLayout::Pipeline, key);
    let mut pipe = Pipeline::with_capacity(5 + 3 * place.members.len());
    request(&mut pipe, "SMEMBERS", &[&index]);
    request(&mut pipe, "EXISTS", &[&layout::index(StorageLayout::Hishel1, key)]);
    let few = MAX_ELEMENTS.to_string();
    for (at, id) in place.members.iter().enumerate() {
        let (entry, stream) =
            (layout::entry(StorageLayout::Pipeline, *id), layout::stream(StorageLayout::Pipeline, *id));
        let (entry, stream) = (entry.as_bytes(), stream.as_bytes());
        request(&mut pipe, "HGET", &[entry, b"data"]);
        request(&mut pipe, "PTTL", &[entry]);
        let has_body = at == 0 && place.has_short_body;
        let (from, to) = if has_body { ("0", &*few) } else { ("-1", "-1") };
        request(&mut pipe, "LRANGE", &[stream, from.as_bytes(), to.as_bytes()]);
    }
    if let (Some(ttl), Some(first)) = (refresh, place.members.first()) {
        let millis = millis(ttl).to_string();
        request(&mut pipe, "PEXPIRE", &[layout::entry(StorageLayout::Pipeline, *first).as_bytes(), millis.as_bytes()]);
        if is_due {
            request(
                &mut pipe,
                "PEXPIRE",
                &[layout::stream(StorageLayout::Pipeline, *first).as_bytes(), millis.as_bytes()],
            );
            // An index outlives its entries: its TTL is extended, never shortened, and a persistent one stays
            // persistent.
            request(&mut pipe, "PEXPIRE", &[&index, millis.as_bytes(), b"GT"]);
        }
    }
    pipe
}

/// The entries of a location, from the replies; `None`: a body is longer than before.
fn parse(place: &CachedLocation, mut next: impl FnMut() -> Option<Value>, now: f64) -> Option<Vec<Candidate>> {
    let mut candidates = Vec::with_capacity(place.members.len());
    for (at, id) in place.members.iter().enumerate() {
        let (data, pttl, chunks) = (next().and_then(reply::bytes), next(), next().map(reply::strings));
        let expires_at = pttl.and_then(|pttl| reply::expiry(&pttl, now));
        let (Some(data), Some(expires_at), Some(mut chunks)) = (data, expires_at, chunks) else {
            // Deleted or unreadable: the other entries are not affected.
            continue;
        };
        let is_whole = chunks.pop().as_deref() == Some(COMPLETE);
        let has_body = at == 0 && place.has_short_body;
        if !is_whole && has_body {
            return None;
        }
        if is_whole {
            let count = if has_body { chunks.len() as u64 + 1 } else { MAX_ELEMENTS + 1 };
            let body = has_body.then(|| match chunks.len() {
                1 => Bytes::from(chunks.remove(0)),
                _ => Bytes::from(chunks.concat()),
            });
            let known = Some(&place.newest).filter(|known| known.data == data).cloned();
            let head = StoredHead::new(StorageLayout::Pipeline, *id, data, None, expires_at);
            let last = Some(COMPLETE.to_vec());
            candidates.push(Candidate { head, count, last, body, is_refreshed: false, known });
        }
    }
    Some(candidates)
}

/// Adds a command without allocating: this is on the path of every hit.
fn request(pipe: &mut Pipeline, name: &str, arguments: &[&[u8]]) {
    let length = arguments.iter().map(|argument| argument.len()).sum::<usize>();
    let mut command = Cmd::with_capacity(1 + arguments.len(), name.len() + length);
    command.arg(name).arg(arguments);
    pipe.add_command(command);
}
