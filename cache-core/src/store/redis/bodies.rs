//! Reading bodies and values: completely if the entry is live, or the existing part for inspection.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::stream;
use redis::{Pipeline, RedisResult, cmd};

use crate::clock;
use crate::error::{Error, Result};
use crate::format::entry_view::EntryView;
use crate::format::redis_key::Name;
use crate::model::entry::{EntryId, StorageLayout};
use crate::model::stored::StoredBody;
use crate::store::redis::connection::Connection;
use crate::store::redis::heads::StoredHead;
use crate::store::redis::layout::COMPLETE;
use crate::store::redis::renew::extend;
use crate::store::redis::{heads, layout, reply};

/// The approximate size of the part of a body that is read at once; bytes.
const WINDOW: usize = 1 << 20;

/// The number of elements that are read first, when their length is unknown. Elements of long bodies have 128 KiB in
/// this crate's layout, and less in others.
const FIRST_READ: usize = 9;

/// A body that is being read is kept for at least this long after each step.
const BODY_RETENTION: Duration = Duration::from_secs(60);

/// A reader of a stored body.
struct BodyReader {
    connection: Connection,
    layout: StorageLayout,
    key: String,
    /// Elements of the whole list, markers included.
    count: usize,
    /// Elements read so far, and their bytes.
    read: usize,
    bytes: usize,
    /// The last element read. It is read again with the next ones: if it or the length of the list has changed, the
    /// list holds another body.
    last: Bytes,
}

/// The body of a live entry: in one step if it is short, otherwise in parts.
pub(crate) async fn body(connection: &Connection, id: &EntryId) -> Result<Option<StoredBody>> {
    let EntryId::Http(layout, id) = id else { return Ok(None) };
    let key = layout::stream(*layout, *id);
    let mut pipe = Pipeline::new();
    heads::request_head(&mut pipe, heads::layout_of(*layout), *id);
    pipe.cmd("LLEN").arg(&key);
    pipe.cmd("LINDEX").arg(&key).arg(-1);
    pipe.cmd("LRANGE").arg(&key).arg(0).arg(FIRST_READ - 1);
    let now = clock::now();
    let mut answers = connection.on_entries("reading a body", &mut pipe).await?.into_iter();
    let Some(Ok(head)) = heads::head(heads::layout_of(*layout), *id, &mut answers, now) else { return Ok(None) };
    let mut next = || answers.next().and_then(RedisResult::ok);
    let (count, last, chunks) = (next().as_ref().and_then(reply::int), next().and_then(reply::bytes), next());
    let (Some(count), Some(chunks)) = (count, chunks.map(reply::strings)) else { return Ok(None) };
    if head.layout != *layout || !is_live(&head, count, last.as_deref(), now) {
        return Ok(None);
    }
    let mut reading = BodyReader {
        connection: connection.clone(),
        layout: *layout,
        key,
        count: count as usize,
        read: 0,
        bytes: 0,
        last: Bytes::new(),
    };
    let first = reading.take(chunks)?;
    let rest = stream::try_unfold(reading, BodyReader::next);
    Ok(Some(Box::pin(stream::StreamExt::chain(stream::iter([Ok(first)]), rest))))
}

/// Whether a body is complete, and its entry neither deleted nor expired. hishel keeps the keys of expired entries for
/// a while.
fn is_live(head: &StoredHead, count: i64, last: Option<&[u8]>, now: f64) -> bool {
    if let Some(done) = &head.done {
        let is_expired = done.ttl_deadline.is_some_and(|deadline| deadline <= now);
        return i64::try_from(done.chunk_count) == Ok(count) && !is_expired;
    }
    let Ok(facts) = EntryView::decode(&head.data) else { return false };
    let is_whole = match head.layout {
        StorageLayout::Hishel1 => head.is_done && last.is_some_and(<[u8]>::is_empty),
        _ => last == Some(COMPLETE),
    };
    let lifetime = facts.request.extra.hishel_ttl.zip(facts.meta.as_ref()).map(|(ttl, meta)| meta.created_at + ttl);
    let is_expired = head.layout == StorageLayout::Hishel1 && lifetime.is_some_and(|at| at <= now);
    is_whole && !facts.is_deleted() && !is_expired
}

impl BodyReader {
    async fn next(mut self) -> Result<Option<(Bytes, Self)>> {
        if self.read == self.count {
            return Ok(None);
        }
        let elements = (WINDOW * self.read / self.bytes.max(1)).clamp(1, 4_096);
        let mut pipe = Pipeline::new();
        pipe.cmd("LLEN").arg(&self.key);
        pipe.cmd("LRANGE").arg(&self.key).arg(self.read - 1).arg(self.read + elements - 1);
        pipe.cmd("PTTL").arg(&self.key);
        let answers = self.connection.on_entries("reading a body", &mut pipe).await?;
        let mut answers = answers.into_iter().map(RedisResult::ok);
        let mut next = || answers.next().flatten();
        let (count, chunks, left) = (next(), next(), next());
        if count.as_ref().and_then(reply::int) != i64::try_from(self.count).ok() {
            return Err(self.lost());
        }
        let mut chunks = chunks.map(reply::strings).unwrap_or_default();
        if chunks.is_empty() || chunks.remove(0) != self.last {
            return Err(self.lost());
        }
        let window = self.take(chunks)?;
        self.buffer(left.as_ref().and_then(reply::int)).await;
        Ok(Some((window, self)))
    }

    /// Joins the next elements, without layout A's end marker.
    fn take(&mut self, mut chunks: Vec<Vec<u8>>) -> Result<Bytes> {
        if chunks.is_empty() && self.count > self.read {
            return Err(self.lost());
        }
        self.read += chunks.len();
        if self.layout == StorageLayout::Pipeline
            && self.read == self.count
            && chunks.pop().as_deref() != Some(COMPLETE)
        {
            return Err(self.lost());
        }
        let length = chunks.last().map_or(0, Vec::len);
        let window = Bytes::from(if chunks.len() == 1 { chunks.remove(0) } else { chunks.concat() });
        self.bytes += window.len();
        self.last = window.slice(window.len() - length..);
        Ok(window)
    }

    /// Keeps a body that expires soon for its reader; the entry itself expires as before. Read-only users and servers do
    /// not support that: the body then expires in time.
    async fn buffer(&self, left: Option<i64>) {
        if self.read < self.count && left.is_some_and(|left| (0..BODY_RETENTION.as_millis() as i64 / 2).contains(&left))
        {
            let mut pipe = Pipeline::new();
            // Only ever longer: another client may have renewed it since its TTL was read.
            extend(&self.connection, &mut pipe, self.key.as_bytes(), BODY_RETENTION);
            if let Err(error) = self.connection.pipeline("extending the TTL of a body", &mut pipe).await {
                tracing::debug!(%error, "could not extend the TTL of a body that is being read");
            }
        }
    }

    fn lost(&self) -> Error {
        Error::Removed { backend: self.connection.backend().clone(), what: "the rest of a body".into() }
    }
}

/// The existing part of a body or value, at least `limit` bytes if there are as many.
pub(crate) async fn raw_body(connection: &Connection, id: &EntryId, limit: usize) -> Result<Option<Bytes>> {
    match id {
        EntryId::Http(layout, id) => match list(connection, layout::stream(*layout, *id).as_bytes(), limit).await? {
            // Redis has no empty list; whether the entry exists decides between an empty body and a removed one.
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

/// The elements of a list, fetched in parts until there are enough bytes; without layout A's end marker.
async fn list(connection: &Connection, key: &[u8], limit: usize) -> Result<Option<Bytes>> {
    const READ_COUNT: usize = 64;
    let mut body = BytesMut::new();
    let mut from = 0;
    loop {
        let mut pipe = Pipeline::new();
        pipe.cmd("LRANGE").arg(key).arg(from).arg(from + READ_COUNT - 1);
        pipe.cmd("LLEN").arg(key);
        let mut answers = connection.on_entries("LRANGE", &mut pipe).await?.into_iter().map(RedisResult::ok);
        let mut chunks = answers.next().flatten().map(reply::strings).unwrap_or_default();
        let count = answers.next().flatten().as_ref().and_then(reply::int).unwrap_or(0);
        if from == 0 && chunks.is_empty() {
            return Ok(None);
        }
        let is_last = chunks.len() < READ_COUNT || i64::try_from(from + READ_COUNT).is_ok_and(|read| read >= count);
        chunks.pop_if(|chunk| is_last && chunk == COMPLETE);
        for chunk in &chunks {
            body.extend_from_slice(chunk);
        }
        if is_last || body.len() >= limit {
            return Ok(Some(body.freeze()));
        }
        from += READ_COUNT;
    }
}
