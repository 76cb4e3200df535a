//! Reading entries: many as summaries in two round trips, one whole, or the live ones under a cache key.

use bytes::{Bytes, BytesMut};
use redis::{Pipeline, RedisError, RedisResult, Value, cmd};
use uuid::Uuid;

use super::connection::Connection;
use super::layout::{self, COMPLETE, GRACE, Name};
use super::reply;
use super::scan::id_of;
use super::script::{self, Measure, Wanted};
use crate::clock;
use crate::codec::{self, Done, Facts};
use crate::entry::{Entry, EntryId, Layout, State, Summary};
use crate::error::{CodecError, Result};
use crate::key::{CacheKey, ResultKey};
use crate::service::Services;
use crate::store::{Inspected, KeyFact};
use crate::summary::{self, Stored, TITLE_WINDOW};

/// Something that a scan found by its name and that is to be read.
#[derive(Debug)]
pub(super) enum Found {
    /// With `Hishel1` standing for layouts B and D.
    Entry(Layout, Uuid),
    Result(Vec<u8>),
}

/// An entry's bytes, whose body is still to be measured.
struct Heads {
    layout: Layout,
    id: Uuid,
    data: Vec<u8>,
    done: Option<Done>,
    /// Layout B: a `stream_done` key is there.
    is_done: bool,
    /// When the entry's key expires.
    expires_at: Option<f64>,
}

/// The summaries of what a scan found, as far as it is still there.
pub(super) async fn summaries(
    connection: &Connection,
    services: &Services,
    found: Vec<Found>,
    now: f64,
) -> Result<Vec<Summary>> {
    let mut pipe = Pipeline::with_capacity(found.len() * 3);
    for found in &found {
        match found {
            Found::Entry(layout, id) => {
                ask_for_heads(&mut pipe, *layout, *id);
                pipe.cmd("MEMORY").arg("USAGE").arg(layout::stream(*layout, *id));
            }
            Found::Result(key) => {
                pipe.cmd("STRLEN").arg(&key[..]);
                pipe.cmd("PTTL").arg(&key[..]);
            }
        }
    }
    let mut answers = connection.pipeline("reading entries", &mut pipe).await?.into_iter();
    let mut summaries = Vec::with_capacity(found.len());
    let mut read = Vec::with_capacity(found.len());
    for found in found {
        match found {
            Found::Entry(layout, id) => {
                let heads = heads(layout, id, &mut answers, now);
                let memory = answers.next().and_then(RedisResult::ok).and_then(|bytes| reply::int(&bytes));
                match heads {
                    Some(Ok(heads)) => read.push((heads, memory)),
                    Some(Err(corrupt)) => summaries.push(corrupt),
                    None => {}
                }
            }
            Found::Result(key) => summaries.extend(result(services, key, &mut answers, now)),
        }
    }

    // The second round trip: bodies, and for hishel's own layouts their place in the index.
    let facts: Vec<Result<Facts<'_>, CodecError>> = read.iter().map(|(heads, _)| Facts::decode(&heads.data)).collect();
    let mut bodies = Vec::with_capacity(read.len());
    let mut places = Pipeline::new();
    for ((heads, memory), facts) in read.iter().zip(&facts) {
        if let Ok(facts) = facts {
            let start = if summary::needs_title(&facts.request.method) { TITLE_WINDOW } else { 0 };
            bodies.push(Wanted { key: layout::stream(heads.layout, heads.id), start, memory: *memory });
            ask_for_place(&mut places, heads, facts);
        }
    }
    let mut measures = script::measure(connection, &bodies).await?.into_iter();
    let mut places = connection.pipeline("reading indexes", &mut places).await?.into_iter();

    for ((heads, _), facts) in read.iter().zip(facts) {
        summaries.push(match facts {
            Ok(facts) => of_heads(services, heads, &facts, measures.next().flatten(), &mut places, now),
            Err(error) => heads.corrupt(error.to_string()),
        });
    }
    Ok(summaries)
}

impl Heads {
    fn corrupt(&self, problem: String) -> Summary {
        summary::of_problem(EntryId::Http(self.layout, self.id), State::Corrupt, self.expires_at, problem)
    }
}

fn ask_for_heads(pipe: &mut Pipeline, layout: Layout, id: Uuid) {
    let key = layout::entry(layout, id);
    if layout == Layout::Pipeline {
        pipe.cmd("HGET").arg(&key).arg("data");
        pipe.cmd("PTTL").arg(&key);
    } else {
        pipe.cmd("GET").arg(&key);
        pipe.cmd("PTTL").arg(&key);
        pipe.cmd("GET").arg(layout::done(layout, id));
    }
}

/// What the first round trip told of one entry; `None`: it is gone since it was named.
fn heads(
    layout: Layout,
    id: Uuid,
    answers: &mut impl Iterator<Item = RedisResult<Value>>,
    now: f64,
) -> Option<Result<Heads, Summary>> {
    let data = answers.next()?;
    let expires_at = answers.next()?.ok().and_then(|pttl| reply::expiry(&pttl, now));
    let done = if layout == Layout::Pipeline { None } else { answers.next()?.ok().and_then(reply::bytes) };
    let expires_at = expires_at?;
    let mut heads = Heads { layout, id, data: Vec::new(), is_done: done.is_some(), done: None, expires_at };
    match data.map(reply::bytes) {
        Ok(Some(data)) => heads.data = data,
        Ok(None) => return Some(Err(heads.corrupt("it has no field `data`".into()))),
        Err(error) => return Some(Err(heads.corrupt(wrong_type(layout, &error)))),
    }
    // Layouts B and D differ in what the mark holds: `1`, or an array.
    heads.done = done.and_then(|done| codec::decode_done(&done).ok());
    if layout == Layout::Hishel1 && (heads.done.is_some() || codec::is_heads_only(&heads.data)) {
        heads.layout = Layout::Hishel2;
    }
    Some(Ok(heads))
}

fn wrong_type(layout: Layout, error: &RedisError) -> String {
    let expected = if layout == Layout::Pipeline { "hash" } else { "string" };
    match error.code() {
        Some("WRONGTYPE") => format!("its key is not a {expected}"),
        _ => error.to_string(),
    }
}

fn result(
    services: &Services,
    key: Vec<u8>,
    answers: &mut impl Iterator<Item = RedisResult<Value>>,
    now: f64,
) -> Option<Summary> {
    let length = answers.next()?;
    let expires_at = answers.next()?.ok().and_then(|pttl| reply::expiry(&pttl, now))?;
    Some(match length.map(|length| reply::int(&length).unwrap_or(0)) {
        Ok(0) => summary::of_problem(EntryId::key(key), State::Corrupt, expires_at, "its value is empty, not JSON"),
        Ok(length) => summary::of_result(services, &key, length as u64, expires_at),
        Err(_) => summary::of_problem(EntryId::key(key), State::Corrupt, expires_at, "its key is not a string"),
    })
}

fn ask_for_place(pipe: &mut Pipeline, heads: &Heads, facts: &Facts<'_>) {
    let id = heads.layout.id_text(heads.id);
    match (heads.layout, &heads.done) {
        (Layout::Hishel2, Some(done)) => {
            pipe.cmd("ZSCORE").arg(layout::index(heads.layout, &done.cache_key)).arg(id);
        }
        (Layout::Hishel1, _) => {
            let key = CacheKey::new(facts.cache_key.map(|key| &key[..]).unwrap_or_default());
            pipe.cmd("SISMEMBER").arg(layout::index(heads.layout, &key)).arg(id);
        }
        _ => {}
    }
}

fn of_heads(
    services: &Services,
    heads: &Heads,
    facts: &Facts<'_>,
    measure: Option<Measure>,
    places: &mut impl Iterator<Item = RedisResult<Value>>,
    now: f64,
) -> Summary {
    let Some(measure) = measure else { return heads.corrupt("its body is not a list".into()) };
    let mut stored = Stored {
        layout: heads.layout,
        id: heads.id,
        size: measure.size,
        is_complete: false,
        expires_at: heads.expires_at,
        cache_key: heads.done.as_ref().map(|done| done.cache_key.as_bytes()),
        body_start: &measure.start,
    };
    // In hishel's own layouts an entry that is not in its index, or past its time, is only kept for its readers.
    let mut is_removed = false;
    match heads.layout {
        Layout::Hishel2 => {
            stored.is_complete = heads.done.as_ref().is_some_and(|done| done.chunk_count == measure.count);
            if heads.done.is_some() {
                let score = places.next().and_then(RedisResult::ok).and_then(reply::float);
                is_removed = score.is_none_or(|score| score <= now);
                stored.expires_at = score.filter(|score| score.is_finite());
            }
        }
        Layout::Hishel1 => {
            stored.is_complete = heads.is_done;
            let place = places.next().and_then(RedisResult::ok);
            let by_key = heads.expires_at.map(|at| at - GRACE);
            let by_entry =
                facts.request.extra.hishel_ttl.zip(facts.meta.as_ref()).map(|(ttl, meta)| meta.created_at + ttl);
            stored.expires_at = [by_key, by_entry].into_iter().flatten().reduce(f64::min);
            is_removed = place.is_none_or(|place| reply::int(&place) != Some(1))
                || stored.expires_at.is_some_and(|at| at <= now);
        }
        _ => {
            stored.is_complete = measure.last == COMPLETE;
            if stored.is_complete {
                stored.size -= COMPLETE.len() as u64;
            }
        }
    }
    let mut summary = summary::of_facts(services, facts, &stored);
    if is_removed {
        summary.state = State::Deleted;
    }
    summary
}

/// One entry whole: its heads, whatever its state.
pub(super) async fn entry(connection: &Connection, layout: Layout, id: Uuid) -> Result<Option<Entry>> {
    let mut pipe = Pipeline::new();
    ask_for_heads(&mut pipe, layout, id);
    let mut answers = connection.pipeline("reading an entry", &mut pipe).await?.into_iter();
    Ok(match heads(layout, id, &mut answers, clock::now()) {
        Some(Ok(heads)) => heads.entry().ok(),
        _ => None,
    })
}

impl Heads {
    fn entry(&self) -> Result<Entry, CodecError> {
        if self.layout != Layout::Hishel2 {
            return codec::decode_pair(&self.data);
        }
        let (request, response) = codec::decode_heads(&self.data)?;
        let cache_key = self.done.as_ref().map_or_else(|| CacheKey::new(*b""), |done| done.cache_key.clone());
        Ok(Entry { id: self.id, cache_key, request, response, created_at: None, deleted_at: None })
    }
}

/// The live and whole entries under a cache key, newest first, in whichever layout.
pub(super) async fn lookup(connection: &Connection, key: &CacheKey) -> Result<Vec<Entry>> {
    let now = clock::now();
    let mut pipe = Pipeline::new();
    let theirs = layout::index(Layout::Hishel1, key);
    pipe.cmd("SMEMBERS").arg(layout::index(Layout::Pipeline, key));
    pipe.cmd("SMEMBERS").arg(&theirs);
    // hishel 2 does not say when an entry was stored; what expires last counts as the newest.
    pipe.cmd("ZREVRANGEBYSCORE").arg(&theirs).arg("+inf").arg(format!("({now}"));
    let members = connection.pipeline("reading an index", &mut pipe).await?;
    // The second or the third is of the wrong type, whichever layout it is.
    let ids: Vec<_> = members
        .into_iter()
        .filter_map(RedisResult::ok)
        .flat_map(reply::strings)
        .filter_map(|id| layout::parse_id(&id))
        .collect();

    let mut pipe = Pipeline::new();
    for (layout, id) in &ids {
        ask_for_heads(&mut pipe, *layout, *id);
        pipe.cmd("LINDEX").arg(layout::stream(*layout, *id)).arg(-1);
        pipe.cmd("LLEN").arg(layout::stream(*layout, *id));
    }
    let mut answers = connection.pipeline("reading entries", &mut pipe).await?.into_iter();
    let mut entries = Vec::new();
    for (layout, id) in ids {
        let heads = heads(layout, id, &mut answers, now);
        let last = answers.next().and_then(RedisResult::ok).and_then(reply::bytes);
        let count = answers.next().and_then(RedisResult::ok).and_then(|count| reply::int(&count)).unwrap_or(0);
        let Some(Ok(heads)) = heads else { continue };
        let Ok(entry) = heads.entry() else { continue };
        let is_whole = match heads.layout {
            Layout::Hishel2 => heads.done.as_ref().is_some_and(|done| done.chunk_count == count as u64),
            Layout::Hishel1 => {
                let expires_at = entry.request.extra.ttl().zip(entry.created_at).map(|(ttl, at)| at + ttl);
                heads.is_done
                    && expires_at.is_none_or(|at| at > now)
                    && heads.expires_at.is_none_or(|at| at - GRACE > now)
            }
            _ => last.as_deref() == Some(COMPLETE),
        };
        if is_whole && !entry.is_deleted() && entry.cache_key == *key {
            entries.push(entry);
        }
    }
    entries.sort_by(|a, b| b.created_at.unwrap_or(0.0).total_cmp(&a.created_at.unwrap_or(0.0)));
    Ok(entries)
}

/// The summary of an entry that may be served: hishel's own layouts keep what has expired or was removed for those
/// who are reading it already.
pub(super) async fn live(
    connection: &Connection,
    services: &Services,
    layout: Layout,
    id: Uuid,
) -> Result<Option<Summary>> {
    let found = summaries(connection, services, vec![found(layout, id)], clock::now()).await?;
    Ok(found.into_iter().find(|summary| summary.state == State::Live))
}

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
    let mut answers = connection.pipeline("reading a body", &mut pipe).await?.into_iter();
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
                let mut answers = connection.pipeline("GETRANGE", &mut pipe).await?.into_iter();
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
        let answer = connection.pipeline("LRANGE", &mut pipe).await?.into_iter().next();
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

/// Everything about one entry but its body.
pub(super) async fn inspect(connection: &Connection, services: &Services, id: &EntryId) -> Result<Option<Inspected>> {
    let now = clock::now();
    let found = match id {
        EntryId::Http(layout, id) => Some(found(*layout, *id)),
        EntryId::Key(key) => match (id_of(key), ResultKey::parse(key)) {
            (Some((layout, id)), _) => Some(Found::Entry(layout, id)),
            (None, Some(_)) => Some(Found::Result(key.to_vec())),
            (None, None) => None,
        },
    };
    let summary = match found {
        Some(found) => summaries(connection, services, vec![found], now).await?.pop(),
        None => {
            let pttl = connection.query("PTTL", cmd("PTTL").arg(&*id.redis_key())).await?;
            reply::expiry(&pttl, now)
                .map(|expires_at| summary::of_problem(id.clone(), State::Orphan, expires_at, "no entry owns this key"))
        }
    };
    let Some(summary) = summary else { return Ok(None) };
    let entry = match summary.id {
        EntryId::Http(layout, id) => entry(connection, found_layout(layout), id).await?,
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
            let wanted = Wanted { key: layout::stream(layout, id), start: 0, memory: None };
            let measure = script::measure(connection, &[wanted]).await?.pop().flatten().unwrap_or_default();
            let marks = u64::from(match layout {
                Layout::Pipeline => measure.last == COMPLETE,
                Layout::Hishel1 => measure.count > 0 && measure.last.is_empty(),
                _ => false,
            });
            measure.count - marks
        }
        EntryId::Key(_) => 1,
    };
    Ok(Some(Inspected { summary, entry, chunks, keys: key_facts(connection, keys).await? }))
}

fn found(layout: Layout, id: Uuid) -> Found {
    Found::Entry(found_layout(layout), id)
}

/// Names alone do not tell B from D: both are read as `Hishel1` and told apart by what they hold.
fn found_layout(layout: Layout) -> Layout {
    if layout == Layout::Hishel2 { Layout::Hishel1 } else { layout }
}

async fn key_facts(connection: &Connection, keys: Vec<Vec<u8>>) -> Result<Vec<KeyFact>> {
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
            facts.push(KeyFact {
                key,
                kind,
                ttl: expires_at,
                bytes: bytes.as_ref().and_then(reply::int).map(|bytes| bytes as u64),
            });
        }
    }
    Ok(facts)
}
