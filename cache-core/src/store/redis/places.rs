//! Where entries were found last, so that a key that is asked for again is read with plain commands in one round trip.
//!
//! Only a guess, and checked against the index in the same round trip: whatever else is there by then, the guess is
//! forgotten and the key looked up anew. A script that does the same costs the server many times as much.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use moka::sync::Cache;
use redis::{Pipeline, RedisResult, Value};
use uuid::Uuid;

use super::connection::Connection;
use super::layout::{self, COMPLETE};
use super::lookup::Candidate;
use super::read::Heads;
use super::reply;
use super::touch::{expire, millis};
use crate::entry::Layout;
use crate::error::Result;
use crate::key::CacheKey;

/// How many places are remembered; each takes about 200 bytes.
const MOST: u64 = 16_384;

/// Longer bodies do not come along, for they are better streamed; bytes.
const LONGEST_BODY: usize = 1 << 20;

/// As many elements are asked for before their length is known. Ours have 128 KiB, others' have less.
const FEW_ELEMENTS: u64 = 9;

/// Keys with more entries are looked up anew each time.
const MOST_MEMBERS: usize = 8;

/// The entries under a cache key, in the pipeline's layout.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Place {
    /// All that the index names, the newest first; some may have expired.
    pub(super) members: Box<[Uuid]>,
    /// The newest has no time of its own, so that a hit may extend it.
    pub(super) is_renewable: bool,
    pub(super) has_short_body: bool,
}

/// What a guess was worth.
pub(super) enum Guess {
    Right(Vec<Candidate>),
    /// Others are there by now.
    Wrong(Vec<Uuid>),
    /// What is there has to be looked up.
    Useless,
}

pub(super) struct Places {
    known: Cache<CacheKey, Place>,
    /// `PEXPIRE … GT` came with Redis 7.
    has_greater_than: AtomicBool,
}

impl Places {
    pub(super) fn new() -> Self {
        Self { known: Cache::new(MOST), has_greater_than: AtomicBool::new(true) }
    }

    pub(super) fn get(&self, key: &CacheKey) -> Option<Place> {
        self.known.get(key)
    }

    pub(super) fn forget(&self, key: &CacheKey) {
        self.known.invalidate(key);
    }

    pub(super) fn remember(&self, key: &CacheKey, place: Place) {
        if place.members.len() <= MOST_MEMBERS {
            self.known.insert(key.clone(), place);
        } else {
            self.forget(key);
        }
    }

    /// What is at a place, if the index still names the same.
    pub(super) async fn read(
        &self,
        connection: &Connection,
        key: &CacheKey,
        place: &Place,
        refresh: Option<Duration>,
        now: f64,
    ) -> Result<Guess> {
        let refresh = refresh.filter(|_| place.is_renewable);
        if refresh.is_some() && !self.has_greater_than.load(Ordering::Relaxed) {
            return Ok(Guess::Useless);
        }
        let index = layout::index(Layout::Pipeline, key);
        let mut pipe = Pipeline::with_capacity(5 + 3 * place.members.len());
        pipe.cmd("SMEMBERS").arg(&index);
        pipe.cmd("EXISTS").arg(layout::index(Layout::Hishel1, key));
        for (at, id) in place.members.iter().enumerate() {
            let (entry, stream) = (layout::entry(Layout::Pipeline, *id), layout::stream(Layout::Pipeline, *id));
            pipe.cmd("HGET").arg(&entry).arg("data");
            pipe.cmd("PTTL").arg(&entry);
            if at == 0 && place.has_short_body {
                pipe.cmd("LRANGE").arg(&stream).arg(0).arg(FEW_ELEMENTS);
            } else {
                pipe.cmd("LRANGE").arg(&stream).arg(-1).arg(-1);
            }
        }
        if let (Some(ttl), Some(first)) = (refresh, place.members.first()) {
            // An index outlives what it names: it is extended, never shortened, and a persistent one stays so.
            pipe.cmd("PEXPIRE").arg(&index).arg(millis(ttl)).arg("GT");
            for part in layout::parts(Layout::Pipeline, *first) {
                expire(&mut pipe, part.as_bytes(), Some(ttl));
            }
        }
        let mut answers = connection.pipeline("looking up", &mut pipe).await?.into_iter();
        let mut next = || answers.next().and_then(RedisResult::ok);
        let members = next().map(reply::strings).unwrap_or_default();
        if next().as_ref().and_then(reply::int) != Some(0) {
            return Ok(Guess::Useless);
        }
        let named: Option<Vec<Uuid>> = members
            .iter()
            .map(|id| layout::parse_id(id).filter(|(layout, _)| *layout == Layout::Pipeline).map(|(_, id)| id))
            .collect();
        let Some(named) = named else { return Ok(Guess::Useless) };
        if named.len() != place.members.len() || !named.iter().all(|id| place.members.contains(id)) {
            return Ok(Guess::Wrong(named));
        }
        let mut candidates = Vec::with_capacity(named.len());
        for (at, id) in place.members.iter().enumerate() {
            let (data, pttl, chunks) = (next().and_then(reply::bytes), next(), next().map(reply::strings));
            let expires_at = pttl.and_then(|pttl| reply::expiry(&pttl, now));
            let (Some(data), Some(expires_at), Some(mut chunks)) = (data, expires_at, chunks) else {
                // Gone, or not readable: for the others that changes nothing.
                continue;
            };
            let is_whole = chunks.pop().as_deref() == Some(COMPLETE);
            let has_body = at == 0 && place.has_short_body;
            if !is_whole && has_body {
                // Longer than it was, perhaps.
                return Ok(Guess::Useless);
            }
            if is_whole {
                let count = if has_body { chunks.len() as u64 + 1 } else { FEW_ELEMENTS + 1 };
                let body = has_body.then(|| match chunks.len() {
                    1 => Bytes::from(chunks.remove(0)),
                    _ => Bytes::from(chunks.concat()),
                });
                let heads = Heads::new(Layout::Pipeline, *id, data, None, expires_at);
                candidates.push(Candidate { heads, count, last: Some(COMPLETE.to_vec()), body, is_refreshed: false });
            }
        }
        if refresh.is_some() {
            let (index, entry) = (answers.next(), answers.next());
            let is_extended = matches!(entry, Some(Ok(Value::Int(1))));
            // Servers and users that only read refuse all of them, old servers only this one.
            if is_extended && index.is_some_and(|index| index.is_err()) {
                self.has_greater_than.store(false, Ordering::Relaxed);
                return Ok(Guess::Useless);
            }
            if let Some(first) = candidates.first_mut().filter(|first| Some(&first.heads.id) == place.members.first()) {
                first.is_refreshed = is_extended;
            }
        }
        Ok(Guess::Right(candidates))
    }
}

/// Whether a body of so many elements, markers included, is short, as far as that is known.
pub(super) fn is_short(count: u64, body: Option<&Bytes>) -> bool {
    count <= FEW_ELEMENTS && body.is_none_or(|body| body.len() <= LONGEST_BODY)
}
