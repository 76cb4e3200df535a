//! Entries as they are stored: all fields and keys, and the elements of the list.

use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;
use redis::{Pipeline, RedisResult, Value, cmd};
use uuid::Uuid;

use crate::clock;
use crate::error::{Error, Result};
use crate::format::entry_view::EntryView;
use crate::format::msgpack;
use crate::format::redis_key::Name;
use crate::model::entry::{EntryId, StorageLayout};
use crate::model::key::CacheKey;
use crate::model::record::{Base64, HttpRecord, Octets, RawRecord, Record, Stored, StoredValue};
use crate::model::stored::StoredBody;
use crate::store::archive::{StoredRecord, of_value};
use crate::store::redis::connection::Connection;
use crate::store::redis::layout::{COMPLETE, GRACE};
use crate::store::redis::{layout, reply};

const READING: &str = "reading an entry";

/// The number of elements that are read at first, and the approximate size of what is read then; bytes.
const FIRST_READ: usize = 9;
const WINDOW: usize = 1 << 20;

/// Names of stored keys in records.
pub(crate) const ENTRY: &str = "entry";
pub(crate) const DONE: &str = "done";
pub(crate) const SCORE: &str = "score";

/// The records of an entry, of a result, or of a key that belongs to neither.
pub(crate) async fn read(connection: &Connection, id: &EntryId) -> Result<Vec<StoredRecord>> {
    match id {
        EntryId::Http(layout, uuid) => match response(connection, *layout, *uuid).await? {
            Head::Whole(record) => Ok(vec![*record]),
            Head::Gone => Ok(Vec::new()),
            Head::Corrupt => {
                let keys: Vec<_> = layout::parts(*layout, *uuid).into_iter().map(String::into_bytes).collect();
                raw(connection, &keys).await
            }
        },
        EntryId::Key(key) if Name::parse(key) == Name::Result => result(connection, key).await,
        EntryId::Key(key) => raw(connection, &[key.to_vec()]).await,
    }
}

enum Head {
    Whole(Box<StoredRecord>),
    Corrupt,
    Gone,
}

async fn response(connection: &Connection, layout: StorageLayout, id: Uuid) -> Result<Head> {
    let is_pipelines = layout == StorageLayout::Pipeline;
    let (entry, body) = (layout::entry(layout, id), layout::stream(layout, id));
    let mut pipe = Pipeline::new();
    pipe.cmd(if is_pipelines { "HGETALL" } else { "GET" }).arg(&entry);
    pipe.cmd("GET").arg(if is_pipelines { "animecache:none".to_owned() } else { layout::done(layout, id) });
    pipe.cmd("PTTL").arg(&entry);
    pipe.cmd("PTTL").arg(&body);
    pipe.cmd("LLEN").arg(&body);
    pipe.cmd("LINDEX").arg(&body).arg(-1);
    pipe.cmd("LRANGE").arg(&body).arg(0).arg(FIRST_READ - 1);
    let answers = connection.on_entries(READING, &mut pipe).await?;
    let now = clock::now();
    let is_wrong_type = answers.iter().any(RedisResult::is_err);
    let mut answers = answers.into_iter().map(|answer| answer.unwrap_or(Value::Nil));
    let mut next = || answers.next().unwrap_or(Value::Nil);
    let (head, done) = (next(), reply::bytes(next()));
    let (expiry, body_expiry) = (reply::expiry(&next(), now), reply::expiry(&next(), now));
    let Some(expires_at) = expiry else { return Ok(Head::Gone) };
    let count = reply::int(&next()).unwrap_or(0).max(0) as usize;
    let (last, elements) = (reply::bytes(next()), reply::strings(next()));
    let stored = if is_pipelines { fields(head) } else { keys(head, done.as_deref()) };
    let (Some(stored), false) = (stored, is_wrong_type) else { return Ok(Head::Corrupt) };
    let data =
        stored.get(if is_pipelines { "data" } else { ENTRY }).and_then(StoredValue::as_bytes).unwrap_or_default();
    let Ok(view) = EntryView::decode(data) else { return Ok(Head::Corrupt) };
    let cache_key = cache_key(layout, &stored, &view, done.as_deref());
    let is_marked = match layout {
        StorageLayout::Hishel1 => done.is_some() && last.as_deref() == Some(b""),
        StorageLayout::Hishel2 => false,
        _ => last.as_deref() == Some(COMPLETE),
    };
    let mut record = HttpRecord {
        id,
        layout,
        cache_key: cache_key.as_ref().map(|key| Octets(key.as_bytes().to_vec())),
        created_at: view.meta.as_ref().map(|meta| meta.created_at),
        expires_at,
        body_expires_at: if is_pipelines { body_expiry.flatten() } else { expires_at },
        is_complete: is_marked || layout == StorageLayout::Hishel2,
        is_indexed: false,
        index_expires_at: None,
        method: Some(view.request.method.to_string()),
        url: Some(view.request.url.to_string()),
        status: Some(view.response.status_code),
        stored: Stored::new(),
    };
    drop(view);
    record.stored = stored;
    if !is_pipelines {
        record.expires_at = expires_at.map(|at| at - GRACE);
    }
    if let Some(key) = cache_key {
        add_place(connection, &mut record, &key).await?;
    }
    let count = count.saturating_sub(usize::from(is_marked));
    let reading = Elements { connection: connection.clone(), key: body, count, has_mark: is_marked, read: 0, bytes: 0 };
    let body = Some(reading.body(elements));
    Ok(Head::Whole(Box::new(StoredRecord { record: Record::Http(Box::new(record)), body })))
}

/// The fields of a hash; `None`: it is none, or a name of a field is not text.
fn fields(answer: Value) -> Option<Stored> {
    let pairs: Vec<(Value, Value)> = match answer {
        Value::Map(pairs) => pairs,
        Value::Array(items) => {
            let mut items = items.into_iter();
            std::iter::from_fn(|| Some((items.next()?, items.next()?))).collect()
        }
        _ => return None,
    };
    pairs
        .into_iter()
        .map(|(name, value)| Some((reply::text(name)?, StoredValue::bytes(reply::bytes(value)?))))
        .collect()
}

/// The string keys of hishel's own layouts.
fn keys(head: Value, done: Option<&[u8]>) -> Option<Stored> {
    let mut stored = Stored::from([(ENTRY.to_owned(), StoredValue::bytes(reply::bytes(head)?))]);
    if let Some(done) = done {
        stored.insert(DONE.to_owned(), StoredValue::bytes(done));
    }
    Some(stored)
}

fn cache_key(layout: StorageLayout, stored: &Stored, view: &EntryView<'_>, done: Option<&[u8]>) -> Option<CacheKey> {
    let of_pair = || view.cache_key.map(|key| CacheKey::new(&key[..]));
    match layout {
        StorageLayout::Hishel2 => done.and_then(|done| msgpack::decode_done(done).ok()).map(|done| done.cache_key),
        StorageLayout::Hishel1 => of_pair(),
        _ => stored.get("cache_key").and_then(StoredValue::as_bytes).map(CacheKey::new).or_else(of_pair),
    }
}

/// Whether the index names the entry, when the index expires, and in a sorted set when the entry does.
async fn add_place(connection: &Connection, record: &mut HttpRecord, key: &CacheKey) -> Result<()> {
    let (index, member) = (layout::index(record.layout, key), record.layout.id_text(record.id));
    let is_sorted = record.layout == StorageLayout::Hishel2;
    let mut pipe = Pipeline::new();
    pipe.cmd(if is_sorted { "ZSCORE" } else { "SISMEMBER" }).arg(&index).arg(member);
    pipe.cmd("PTTL").arg(&index);
    let mut answers = connection.on_entries(READING, &mut pipe).await?.into_iter().map(RedisResult::ok);
    let place = answers.next().flatten();
    let left = answers.next().flatten();
    record.index_expires_at = left.and_then(|left| reply::expiry(&left, clock::now())).flatten();
    if is_sorted {
        if let Some(score) = place.and_then(reply::float) {
            record.is_indexed = true;
            record.expires_at = Some(score).filter(|score| score.is_finite());
            record.stored.insert(SCORE.to_owned(), StoredValue::Text { text: score.to_string() });
        }
    } else {
        record.is_indexed = place.as_ref().and_then(reply::int) == Some(1);
    }
    Ok(())
}

async fn result(connection: &Connection, key: &[u8]) -> Result<Vec<StoredRecord>> {
    let mut pipe = Pipeline::with_capacity(2);
    pipe.cmd("GET").arg(key);
    pipe.cmd("PTTL").arg(key);
    let mut answers = connection.on_entries(READING, &mut pipe).await?.into_iter();
    let value = match answers.next() {
        Some(Err(_)) => return raw(connection, &[key.to_vec()]).await,
        value => value.and_then(RedisResult::ok).and_then(reply::bytes),
    };
    let expiry = answers.next().and_then(RedisResult::ok).and_then(|left| reply::expiry(&left, clock::now()));
    let (Some(value), Some(expires_at)) = (value, expiry) else { return Ok(Vec::new()) };
    Ok(vec![of_value(key, None, expires_at, value.into())])
}

/// The records of keys as `DUMP` returns them.
async fn raw(connection: &Connection, keys: &[Vec<u8>]) -> Result<Vec<StoredRecord>> {
    let mut records = Vec::new();
    for key in keys {
        let mut pipe = Pipeline::with_capacity(3);
        pipe.cmd("DUMP").arg(key);
        pipe.cmd("PTTL").arg(key);
        pipe.cmd("TYPE").arg(key);
        let mut answers = connection.on_entries(READING, &mut pipe).await?.into_iter().map(RedisResult::ok);
        let mut next = || answers.next().flatten();
        let (dump, left, kind) = (next().and_then(reply::bytes), next(), next().and_then(reply::text));
        let expiry = left.and_then(|left| reply::expiry(&left, clock::now()));
        let (Some(dump), Some(expires_at)) = (dump, expiry) else { continue };
        // The payload ends with the version of its format and a checksum of eight bytes.
        let rdb =
            dump.len().checked_sub(10).and_then(|at| Some(u16::from_le_bytes(dump.get(at..at + 2)?.try_into().ok()?)));
        records.push(
            Record::Raw(RawRecord {
                key: Octets(key.clone()),
                kind: kind.unwrap_or_default(),
                expires_at,
                rdb,
                dump: Some(Base64(dump)),
                row: Stored::new(),
            })
            .into(),
        );
    }
    Ok(records)
}

/// The elements of a list that are being read.
struct Elements {
    connection: Connection,
    key: String,
    /// Elements without the mark.
    count: usize,
    has_mark: bool,
    read: usize,
    bytes: usize,
}

impl Elements {
    /// The whole body; `first`: the elements that were read with the head.
    fn body(mut self, mut first: Vec<Vec<u8>>) -> StoredBody {
        first.truncate(self.count);
        let first = self.take(first);
        let rest = stream::try_unfold((self, first.into_iter()), |(mut reading, mut window)| async move {
            loop {
                if let Some(element) = window.next() {
                    return Ok(Some((Bytes::from(element), (reading, window))));
                }
                if reading.read == reading.count {
                    return Ok(None);
                }
                window = reading.window().await?.into_iter();
            }
        });
        Box::pin(rest)
    }

    fn take(&mut self, elements: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
        self.read += elements.len();
        self.bytes += elements.iter().map(Vec::len).sum::<usize>();
        elements
    }

    /// The next elements, one at least.
    async fn window(&mut self) -> Result<Vec<Vec<u8>>> {
        let wanted = (WINDOW * self.read.max(1) / self.bytes.max(1)).clamp(1, 4_096).min(self.count - self.read);
        let mut pipe = Pipeline::with_capacity(2);
        pipe.cmd("LLEN").arg(&self.key);
        pipe.cmd("LRANGE").arg(&self.key).arg(self.read).arg(self.read + wanted - 1);
        let mut answers = self.connection.on_entries(READING, &mut pipe).await?.into_iter().map(RedisResult::ok);
        let length = answers.next().flatten().as_ref().and_then(reply::int);
        let elements = answers.next().flatten().map(reply::strings).unwrap_or_default();
        if length != i64::try_from(self.count + usize::from(self.has_mark)).ok() || elements.len() != wanted {
            let backend = self.connection.backend().clone();
            return Err(Error::Removed { backend, what: "the rest of a body".into() });
        }
        Ok(self.take(elements))
    }
}

/// A server restores payloads of its own version and of older ones.
pub(crate) async fn restore_raw(
    connection: &Connection,
    raw: &RawRecord,
    left: Option<Duration>,
) -> Result<Option<bool>> {
    let Some(dump) = &raw.dump else { return Ok(None) };
    let millis = left.map_or(0, |left| left.as_millis().max(1) as u64);
    let answer = connection.execute("RESTORE", cmd("RESTORE").arg(&raw.key.0).arg(millis).arg(&dump.0)).await?;
    match answer {
        Ok(_) => Ok(Some(true)),
        Err(error) if error.code() == Some("BUSYKEY") => Ok(Some(false)),
        Err(error) if error.to_string().contains("DUMP payload version") => Ok(None),
        Err(error) => Err(connection.explain("RESTORE", error)),
    }
}
