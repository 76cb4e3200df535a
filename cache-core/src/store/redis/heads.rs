//! Reading entries: many as summaries in two round trips, or one whole.

use redis::{Pipeline, RedisError, RedisResult, Value};
use uuid::Uuid;

use crate::clock;
use crate::error::{CodecError, Result};
use crate::format::entry_view::EntryView;
use crate::format::msgpack;
use crate::format::msgpack::Done;
use crate::model::entry::{Entry, EntryId, EntryState, StorageLayout};
use crate::model::key::CacheKey;
use crate::model::service::ServiceRegistry;
use crate::model::summary::Summary;
use crate::store::redis::connection::Connection;
use crate::store::redis::driver_error::lacks_right_to_keys;
use crate::store::redis::layout::{COMPLETE, GRACE};
use crate::store::redis::listed::Summaries;
use crate::store::redis::memory_usage::{Measure, MeasureRequest};
use crate::store::redis::{layout, memory_usage, reply};
use crate::store::summarize;
use crate::store::summarize::{StoredParts, TITLE_WINDOW};

/// An entry or result that a scan found by its key.
#[derive(Debug)]
pub(crate) enum Item {
    /// `Hishel1` stands for layouts B and D.
    Entry(StorageLayout, Uuid),
    Result(Vec<u8>),
}

/// The encoded head of an entry; the size of its body is not known yet.
pub(crate) struct StoredHead {
    pub(crate) layout: StorageLayout,
    pub(crate) id: Uuid,
    pub(crate) data: Vec<u8>,
    pub(crate) done: Option<Done>,
    /// Layout B: the `stream_done` key exists.
    pub(crate) is_done: bool,
    /// The expiry of the entry's key.
    pub(crate) expires_at: Option<f64>,
}

/// The summaries of the entries that still exist. Fails if one may not be read.
pub(crate) async fn summaries(
    connection: &Connection,
    services: &ServiceRegistry,
    found: Vec<Item>,
    now: f64,
) -> Result<Vec<Summary>> {
    let Summaries { readable, refusal, .. } = readable(connection, services, found, now).await?;
    refusal.map_or(Ok(readable), Err)
}

/// The summaries of the entries that still exist and may be read, and the number of the others.
pub(crate) async fn readable(
    connection: &Connection,
    services: &ServiceRegistry,
    found: Vec<Item>,
    now: f64,
) -> Result<Summaries> {
    let (mut pipe, mut memory) = request_heads(&found);
    let (answers, memory) = tokio::try_join!(
        connection.on_readable_entries("reading entries", &mut pipe),
        connection.pipeline("MEMORY USAGE", &mut memory)
    )?;
    let (mut summaries, read) = parse_heads(connection, services, found, answers, memory, now);
    add_sizes(connection, services, &read, &mut summaries, now).await?;
    Ok(summaries)
}

/// The commands that read heads, and separately those that read the memory of bodies: some servers and users do not
/// allow the latter.
fn request_heads(found: &[Item]) -> (Pipeline, Pipeline) {
    let mut pipe = Pipeline::with_capacity(found.len() * 3);
    let mut memory = Pipeline::with_capacity(found.len());
    for found in found {
        match found {
            Item::Entry(layout, id) => {
                request_head(&mut pipe, *layout, *id);
                memory.cmd("MEMORY").arg("USAGE").arg(layout::stream(*layout, *id));
            }
            Item::Result(key) => {
                pipe.cmd("STRLEN").arg(&key[..]);
                pipe.cmd("PTTL").arg(&key[..]);
            }
        }
    }
    (pipe, memory)
}

/// Summaries of results and of corrupt entries, and the heads of the others with the memory of their bodies.
fn parse_heads(
    connection: &Connection,
    services: &ServiceRegistry,
    found: Vec<Item>,
    answers: Vec<RedisResult<Value>>,
    memory: Vec<RedisResult<Value>>,
    now: f64,
) -> (Summaries, Vec<(StoredHead, Option<i64>)>) {
    let (mut answers, mut memory) = (answers.into_iter(), memory.into_iter());
    let mut summaries = Summaries::default();
    let mut read = Vec::with_capacity(found.len());
    for found in found {
        match found {
            Item::Entry(layout, id) => {
                let count = if layout == StorageLayout::Pipeline { 2 } else { 3 };
                let answers = take(&mut answers, count);
                let memory = memory.next().and_then(RedisResult::ok).and_then(|bytes| reply::int(&bytes));
                match (denial(&answers), head(layout, id, &mut answers.into_iter(), now)) {
                    (Some(error), _) => summaries.deny(connection, error),
                    (None, Some(Ok(heads))) => read.push((heads, memory)),
                    (None, Some(Err(corrupt))) => summaries.readable.push(corrupt),
                    (None, None) => {}
                }
            }
            Item::Result(key) => {
                let answers = take(&mut answers, 2);
                match denial(&answers) {
                    Some(error) => summaries.deny(connection, error),
                    None => summaries.readable.extend(result(services, key, &mut answers.into_iter(), now)),
                }
            }
        }
    }
    (summaries, read)
}

fn take(answers: &mut impl Iterator<Item = RedisResult<Value>>, count: usize) -> Vec<RedisResult<Value>> {
    answers.take(count).collect()
}

/// The refusal of an entry's keys.
fn denial(answers: &[RedisResult<Value>]) -> Option<RedisError> {
    answers.iter().filter_map(|answer| answer.as_ref().err()).find(|error| lacks_right_to_keys(error)).cloned()
}

/// The second round trip: bodies, and for hishel's own layouts the index.
async fn add_sizes(
    connection: &Connection,
    services: &ServiceRegistry,
    read: &[(StoredHead, Option<i64>)],
    summaries: &mut Summaries,
    now: f64,
) -> Result<()> {
    let facts: Vec<Result<EntryView<'_>, CodecError>> =
        read.iter().map(|(head, _)| EntryView::decode(&head.data)).collect();
    let mut bodies = Vec::with_capacity(read.len());
    let mut locations = Pipeline::new();
    for ((head, memory), facts) in read.iter().zip(&facts) {
        if let Ok(facts) = facts {
            let start = if summarize::needs_title(&facts.request.method) { TITLE_WINDOW } else { 0 };
            bodies.push(MeasureRequest { key: layout::stream(head.layout, head.id), start, memory: *memory });
            request_location(&mut locations, head, facts);
        }
    }
    let mut measures = memory_usage::measure(connection, &bodies).await?.into_iter();
    let mut locations = connection.on_readable_entries("reading indexes", &mut locations).await?.into_iter();

    for ((head, _), facts) in read.iter().zip(facts) {
        let facts = match facts {
            Ok(facts) => facts,
            Err(error) => {
                let summary = corrupt(head.layout, head.id, head.expires_at, &error.to_string());
                summaries.readable.push(Summary { version: Some(head.version(None, None)), ..summary });
                continue;
            }
        };
        let measure = measures.next().unwrap_or(Ok(None));
        let location = has_location(head).then(|| locations.next()).flatten();
        match (measure, location) {
            (Err(error), _) => summaries.deny(connection, error),
            (_, Some(Err(error))) if lacks_right_to_keys(&error) => summaries.deny(connection, error),
            (Ok(measure), location) => {
                let location = location.and_then(RedisResult::ok);
                summaries.readable.push(from_head(services, head, &facts, measure, location, now));
            }
        }
    }
    Ok(())
}

pub(crate) fn request_head(pipe: &mut Pipeline, layout: StorageLayout, id: Uuid) {
    let key = layout::entry(layout, id);
    if layout == StorageLayout::Pipeline {
        pipe.cmd("HGET").arg(&key).arg("data");
        pipe.cmd("PTTL").arg(&key);
    } else {
        pipe.cmd("GET").arg(&key);
        pipe.cmd("PTTL").arg(&key);
        pipe.cmd("GET").arg(layout::done(layout, id));
    }
}

/// The reply to [`request_head`] for one entry; `None`: it was deleted after its key was read.
pub(crate) fn head(
    layout: StorageLayout,
    id: Uuid,
    answers: &mut impl Iterator<Item = RedisResult<Value>>,
    now: f64,
) -> Option<Result<StoredHead, Summary>> {
    let data = answers.next()?;
    let expires_at = answers.next()?.ok().and_then(|pttl| reply::expiry(&pttl, now));
    let done = if layout == StorageLayout::Pipeline { None } else { answers.next()?.ok().and_then(reply::bytes) };
    let expires_at = expires_at?;
    Some(match data.map(reply::bytes) {
        Ok(Some(data)) => Ok(StoredHead::new(layout, id, data, done.as_deref(), expires_at)),
        Ok(None) => Err(corrupt(layout, id, expires_at, "field 'data' is missing")),
        Err(_) if layout == StorageLayout::Pipeline => Err(corrupt(layout, id, expires_at, "the key is not a hash")),
        Err(_) => Err(corrupt(layout, id, expires_at, "the key is not a string")),
    })
}

/// An entry without a head that can be read.
fn corrupt(layout: StorageLayout, id: Uuid, expires_at: Option<f64>, problem: &str) -> Summary {
    let summary = summarize::from_problem(EntryId::Http(layout, id), EntryState::Corrupt, expires_at, problem);
    Summary { version: Some(summarize::version(layout, b"", None, None)), ..summary }
}

fn result(
    services: &ServiceRegistry,
    key: Vec<u8>,
    answers: &mut impl Iterator<Item = RedisResult<Value>>,
    now: f64,
) -> Option<Summary> {
    let length = answers.next()?;
    let expires_at = answers.next()?.ok().and_then(|pttl| reply::expiry(&pttl, now))?;
    Some(match length.map(|length| reply::int(&length).unwrap_or(0)) {
        Ok(0) => summarize::from_problem(
            EntryId::key(key),
            EntryState::Corrupt,
            expires_at,
            "the value is empty (expected JSON)",
        ),
        Ok(length) => summarize::from_result(services, &key, length as u64, expires_at),
        Err(_) => {
            summarize::from_problem(EntryId::key(key), EntryState::Corrupt, expires_at, "the key is not a string")
        }
    })
}

/// Whether [`request_location`] adds a command for this entry.
fn has_location(head: &StoredHead) -> bool {
    head.layout == StorageLayout::Hishel1 || head.layout == StorageLayout::Hishel2 && head.done.is_some()
}

fn request_location(pipe: &mut Pipeline, head: &StoredHead, facts: &EntryView<'_>) {
    let id = head.layout.id_text(head.id);
    match (head.layout, &head.done) {
        (StorageLayout::Hishel2, Some(done)) => {
            pipe.cmd("ZSCORE").arg(layout::index(head.layout, &done.cache_key)).arg(id);
        }
        (StorageLayout::Hishel1, _) => {
            let key = CacheKey::new(facts.cache_key.map(|key| &key[..]).unwrap_or_default());
            pipe.cmd("SISMEMBER").arg(layout::index(head.layout, &key)).arg(id);
        }
        _ => {}
    }
}

fn from_head(
    services: &ServiceRegistry,
    head: &StoredHead,
    facts: &EntryView<'_>,
    measure: Option<Measure>,
    location: Option<Value>,
    now: f64,
) -> Summary {
    let Some(measure) = measure else {
        let summary = corrupt(head.layout, head.id, head.expires_at, "the body is not a list");
        return Summary { version: Some(head.version(Some(facts), None)), ..summary };
    };
    let mut stored = StoredParts {
        layout: head.layout,
        id: head.id,
        size: measure.size,
        is_complete: false,
        expires_at: head.expires_at,
        cache_key: head.done.as_ref().map(|done| done.cache_key.as_bytes()),
        body_start: &measure.start,
    };
    // In hishel's own layouts, an entry that is not in its index, or has expired, is only kept for its readers.
    let mut is_removed = false;
    match head.layout {
        StorageLayout::Hishel2 => {
            stored.is_complete = head.done.as_ref().is_some_and(|done| done.chunk_count == measure.count);
            if head.done.is_some() {
                let score = location.and_then(reply::float);
                is_removed = score.is_none_or(|score| score <= now);
                stored.expires_at = score.filter(|score| score.is_finite());
            }
        }
        StorageLayout::Hishel1 => {
            stored.is_complete = head.is_done;
            stored.expires_at = head.expiry(Some(facts));
            is_removed = location.is_none_or(|location| reply::int(&location) != Some(1))
                || stored.expires_at.is_some_and(|at| at <= now);
        }
        _ => {
            stored.is_complete = measure.last == COMPLETE;
            if stored.is_complete {
                stored.size -= COMPLETE.len() as u64;
            }
        }
    }
    let mut summary = summarize::from_view(services, facts, &stored);
    summary.version = Some(head.version(Some(facts), Some(measure.count)));
    if is_removed {
        summary.state = EntryState::Deleted;
    }
    summary
}

/// The head of one entry, in any state.
pub(crate) async fn entry(connection: &Connection, layout: StorageLayout, id: Uuid) -> Result<Option<Entry>> {
    let mut pipe = Pipeline::new();
    request_head(&mut pipe, layout, id);
    let mut answers = connection.on_entries("reading an entry", &mut pipe).await?.into_iter();
    Ok(match head(layout, id, &mut answers, clock::now()) {
        Some(Ok(heads)) => heads.entry().ok().map(|mut entry| {
            entry.request.extra.clear_storage_ttl();
            entry
        }),
        _ => None,
    })
}

impl StoredHead {
    /// `mark`: the value of the entry's `stream_done` key.
    pub(crate) fn new(
        layout: StorageLayout,
        id: Uuid,
        data: Vec<u8>,
        mark: Option<&[u8]>,
        expires_at: Option<f64>,
    ) -> Self {
        // Layouts B and D differ in the value of the mark: `1`, or an array.
        let done = mark.and_then(|mark| msgpack::decode_done(mark).ok());
        let is_second = layout == StorageLayout::Hishel1 && (done.is_some() || msgpack::is_head_only(&data));
        let layout = if is_second { StorageLayout::Hishel2 } else { layout };
        Self { layout, id, data, done, is_done: mark.is_some(), expires_at }
    }

    /// The version of the entry; `elements`: of its body, `None` if that is not a list.
    pub(crate) fn version(&self, view: Option<&EntryView<'_>>, elements: Option<u64>) -> u64 {
        let created_at = view.and_then(|view| view.meta.as_ref()).map(|meta| meta.created_at);
        summarize::version(self.layout, &self.data, created_at, view.map(|_| (elements, self.is_done)))
    }

    /// When the entry expires, in Unix seconds: hishel's own layouts keep its keys for longer.
    pub(crate) fn expiry(&self, view: Option<&EntryView<'_>>) -> Option<f64> {
        match self.layout {
            StorageLayout::Hishel1 => {
                let by_key = self.expires_at.map(|at| at - GRACE);
                let by_entry = view.and_then(|view| {
                    view.request.extra.hishel_ttl.zip(view.meta.as_ref()).map(|(ttl, meta)| meta.created_at + ttl)
                });
                [by_key, by_entry].into_iter().flatten().reduce(f64::min)
            }
            StorageLayout::Hishel2 => self.done.as_ref().and_then(|done| done.ttl_deadline),
            _ => self.expires_at,
        }
    }

    pub(crate) fn entry(&self) -> Result<Entry, CodecError> {
        if self.layout != StorageLayout::Hishel2 {
            return msgpack::decode_pair(&self.data);
        }
        let (request, response) = msgpack::decode_head(&self.data)?;
        let cache_key = self.done.as_ref().map_or_else(|| CacheKey::new(*b""), |done| done.cache_key.clone());
        Ok(Entry { id: self.id, cache_key, request, response, created_at: None, deleted_at: None })
    }
}

/// The summary of an entry if it is live: hishel's own layouts keep expired and removed entries for their current
/// readers.
pub(crate) async fn live(
    connection: &Connection,
    services: &ServiceRegistry,
    layout: StorageLayout,
    id: Uuid,
) -> Result<Option<Summary>> {
    let found = summaries(connection, services, vec![to_stored_response(layout, id)], clock::now()).await?;
    Ok(found.into_iter().find(|summary| summary.state == EntryState::Live))
}

pub(crate) fn to_stored_response(layout: StorageLayout, id: Uuid) -> Item {
    Item::Entry(layout_of(layout), id)
}

/// Names alone do not distinguish B from D: both are read as `Hishel1` and distinguished by their content.
pub(crate) fn layout_of(layout: StorageLayout) -> StorageLayout {
    if layout == StorageLayout::Hishel2 { StorageLayout::Hishel1 } else { layout }
}
