//! Storing an entry: body, then head, then index record.
//!
//! Until the last step no reader finds the entry. All data that was written expires by itself if the writer or the
//! connection ends: a key and its TTL are set in one transaction.

use std::borrow::Cow;
use std::sync::LazyLock;
use std::time::Duration;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use redis::{Pipeline, Value, cmd};

use crate::clock;
use crate::error::{Error, Result};
use crate::format::msgpack;
use crate::format::msgpack::Done;
use crate::model::entry::{Entry, EntryId, StorageLayout};
use crate::model::generation::Generation;
use crate::model::service::ServiceRegistry;
use crate::store::redis::commands::{millis, set_expiry};
use crate::store::redis::connection::{Connection, multi};
use crate::store::redis::join::JOIN;
use crate::store::redis::layout::COMPLETE;
use crate::store::redis::script::Script;
use crate::store::redis::touch::outlives;
use crate::store::redis::{generations, heads, layout, reply, variants};
use crate::store::traits::ResponseWriter;

/// Bodies are stored in chunks of this size, as hishel 2 does; bytes.
const CHUNK: usize = 131_072;

/// A body shorter than this is stored as one chunk, which readers need not join; but not in hishel 2's layout.
const SHORT_BODY: usize = 4 * CHUNK;

/// The TTL of a body that is being written. Each chunk takes less time, and finds the chunks before it.
const UNFINISHED: Duration = Duration::from_secs(3_600);

/// `KEYS`: the entry; `ARGV`: its head, its storage time. Hashes have no "only if it exists": without the check, an
/// entry that just expired would be created without a TTL.
static UPDATE_HEAD: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        "the script that replaces metadata",
        "if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
         redis.call('HSET', KEYS[1], 'data', ARGV[1], 'created_at', ARGV[2])
         return 1",
    )
});

/// Timeout of removing an unfinished entry.
const UNDO: Duration = Duration::from_secs(1);

/// An entry being stored in Redis.
pub(crate) struct RedisWriter {
    connection: Connection,
    layout: StorageLayout,
    entry: Entry,
    ttl: Option<Duration>,
    generation: Generation,
    /// The expiry of the entry, which hishel's own layouts store inside it; Unix seconds.
    expires_at: Option<f64>,
    /// Shorter than [`Self::max_pending`].
    pending: BytesMut,
    /// Number of elements of the body in Redis.
    sent: u64,
    /// Whether Redis may contain parts that must be removed.
    has_leftovers: bool,
}

impl RedisWriter {
    pub(crate) fn new(connection: Connection, layout: StorageLayout, mut entry: Entry, ttl: Option<Duration>) -> Self {
        let now = clock::now();
        let expires_at = ttl.map(|ttl| now + ttl.as_secs_f64());
        let created_at = *entry.created_at.get_or_insert(now);
        if let (StorageLayout::Hishel1, Some(expires_at)) = (layout, expires_at) {
            // hishel 1 counts from the time when the response was first stored, which may be long ago.
            entry.request.extra.set_storage_ttl(expires_at - created_at);
        }
        Self {
            connection,
            layout,
            entry,
            ttl,
            generation: Generation::UNKNOWN,
            expires_at,
            pending: BytesMut::new(),
            sent: 0,
            has_leftovers: false,
        }
    }

    fn retention(&self) -> Option<Duration> {
        layout::retention(self.layout, self.ttl)
    }

    fn stream(&self) -> String {
        layout::stream(self.layout, self.entry.id)
    }

    /// Adds the command that appends elements to the body, which must be as long as before: if it was evicted or
    /// flushed meanwhile, its beginning would be missing.
    fn append(&mut self, pipe: &mut Pipeline, elements: &[&[u8]]) {
        let stream = self.stream();
        if self.sent == 0 {
            // An entry may be stored again under its ID: its old body must not become the beginning of the new one.
            pipe.cmd("DEL").arg(&stream);
            pipe.cmd("RPUSH").arg(&stream).arg(elements);
        } else {
            pipe.cmd("RPUSHX").arg(&stream).arg(elements);
        }
        self.sent += elements.len() as u64;
    }

    /// Chunks are buffered up to this length before they are sent.
    fn max_pending(&self) -> usize {
        if self.sent == 0 && self.layout != StorageLayout::Hishel2 { SHORT_BODY } else { CHUNK }
    }

    fn append_rest(&mut self, pipe: &mut Pipeline, rest: &[u8]) {
        // A chunk that equals the end marker would end the body for its readers: it is stored in two chunks.
        if self.layout == StorageLayout::Pipeline && rest == COMPLETE {
            self.append(pipe, &[&rest[..1], &rest[1..]]);
        } else {
            self.append(pipe, &[rest]);
        }
    }

    /// Sends the buffer in chunks; the first ones set the TTL of the body.
    async fn send(&mut self) -> Result<()> {
        let pending = self.pending.split().freeze();
        let is_first = self.sent == 0;
        let mut pipe = multi();
        self.append(&mut pipe, &pending.chunks(CHUNK).collect::<Vec<_>>());
        if is_first {
            set_expiry(&mut pipe, self.stream().as_bytes(), Some(self.retention().unwrap_or_default().max(UNFINISHED)));
        }
        let answers = self.run(pipe, is_first).await?;
        let length = if is_first { answers.get(1) } else { answers.first() };
        self.check_length(length)
    }

    fn check_length(&self, length: Option<&Value>) -> Result<()> {
        if length.and_then(reply::int).and_then(|length| u64::try_from(length).ok()) == Some(self.sent) {
            return Ok(());
        }
        let backend = self.connection.backend().clone();
        Err(Error::Removed { backend, what: format!("the first part of the body of {}", self.entry.id) })
    }

    /// Only the command that begins the body may be repeated.
    async fn run(&mut self, pipe: Pipeline, may_repeat: bool) -> Result<Vec<Value>> {
        self.has_leftovers = true;
        self.connection.transaction("storing an entry", pipe, may_repeat).await
    }

    /// Writes the body's end marker, the head, and the TTL of each: the entry can be read, and is not in the index yet.
    async fn finish(&mut self) -> Result<()> {
        let mut pipe = multi();
        let (rest, is_first) = (self.pending.split().freeze(), self.sent == 0);
        let (layout, id, kept) = (self.layout, self.entry.id, self.retention());
        let (stream, key) = (self.stream(), layout::entry(layout, id));
        if !rest.is_empty() {
            self.append_rest(&mut pipe, &rest);
        }
        let chunks = self.sent;
        match layout {
            StorageLayout::Hishel2 if chunks == 0 => {
                pipe.cmd("DEL").arg(&stream);
            }
            StorageLayout::Hishel2 => {}
            StorageLayout::Hishel1 => self.append(&mut pipe, &[b""]),
            _ => self.append(&mut pipe, &[COMPLETE]),
        }
        // `MULTI` itself has no reply there.
        pipe.cmd("LLEN").arg(&stream);
        let length_at = pipe.len() - 2;
        let created_at = self.entry.created_at.unwrap_or_else(clock::now);
        match layout {
            StorageLayout::Pipeline => {
                let mut head = cmd("HSET");
                head.arg(&key).arg("data").arg(msgpack::encode_pair(&self.entry));
                head.arg("created_at").arg(created_at.to_string());
                head.arg("cache_key").arg(self.entry.cache_key.as_bytes());
                pipe.add_command(head);
            }
            StorageLayout::Hishel1 => {
                pipe.cmd("SET").arg(&key).arg(msgpack::encode_pair(&self.entry));
                pipe.cmd("SET").arg(layout::done(layout, id)).arg("1");
            }
            _ => {
                let done = Done {
                    chunk_count: chunks,
                    ttl_deadline: self.expires_at,
                    tti: None,
                    cache_key: self.entry.cache_key.clone(),
                };
                pipe.cmd("SET").arg(&key).arg(msgpack::encode_head(&self.entry));
                pipe.cmd("SET").arg(layout::done(layout, id)).arg(msgpack::encode_done(&done));
            }
        }
        for part in layout::parts(layout, id) {
            set_expiry(&mut pipe, part.as_bytes(), kept);
        }
        let answers = self.run(pipe, is_first).await?;
        self.check_length(answers.get(length_at))
    }

    /// Adds the entry to the index, and sets the index's TTL.
    async fn join_index(&mut self) -> Result<()> {
        let index = layout::index(self.layout, &self.entry.cache_key);
        let member = self.layout.id_text(self.entry.id);
        let score = match self.layout {
            StorageLayout::Hishel2 => self.expires_at.map_or("+inf".to_owned(), |at| at.to_string()),
            _ => String::new(),
        };
        let kept = self.retention().map_or(String::new(), |kept| millis(kept).to_string());
        let cache_key = self.entry.cache_key.clone();
        let cache_key = cache_key.as_bytes();
        let ([all, of_key], [all_then, then]) = (generations::names(cache_key), generations::texts(self.generation));
        let mut keys = vec![&index[..]];
        let mut arguments = vec![member.as_bytes(), score.as_bytes(), kept.as_bytes()];
        if self.generation.is_known() {
            keys.extend([all.as_bytes(), of_key.as_bytes()]);
            arguments.extend([all_then.as_bytes(), then.as_bytes()]);
        }
        match JOIN.run(&self.connection, "adding an entry to its index", &keys, &arguments).await? {
            Some(answer) if reply::int(&answer) == Some(0) => return Err(self.outdated()),
            Some(members) => return variants::limit(&self.connection, self.layout, &index, &members).await,
            None => {}
        }
        let before = self.connection.query("PTTL", cmd("PTTL").arg(&index)).await?;
        let mut pipe = multi();
        if score.is_empty() {
            pipe.cmd("SADD").arg(&index).arg(&member);
        } else {
            pipe.cmd("ZADD").arg(&index).arg(&score).arg(&member);
        }
        let left = reply::int(&before).unwrap_or(-1);
        if left == -2 && self.ttl.is_some() || outlives(self.retention(), left) {
            set_expiry(&mut pipe, &index, self.retention());
        }
        self.run(pipe, true).await?;
        // An invalidation after this finds the entry.
        if self.generation.is_known() && generations::read(&self.connection, cache_key).await? != self.generation {
            let leave = if score.is_empty() { "SREM" } else { "ZREM" };
            self.connection.query("deleting an outdated entry", cmd(leave).arg(&index).arg(&member)).await?;
            return Err(self.outdated());
        }
        let count = if score.is_empty() { "SCARD" } else { "ZCARD" };
        let members = self.connection.query(count, cmd(count).arg(&index)).await?;
        variants::limit(&self.connection, self.layout, &index, &members).await
    }

    fn outdated(&self) -> Error {
        Error::Removed { backend: self.connection.backend().clone(), what: format!("the key of {}", self.entry.id) }
    }
}

#[async_trait]
impl ResponseWriter for RedisWriter {
    async fn write(&mut self, mut chunk: Bytes) -> Result<()> {
        while !chunk.is_empty() {
            let room = self.max_pending() - self.pending.len();
            self.pending.extend_from_slice(&chunk.split_to(room.min(chunk.len())));
            if self.pending.len() == self.max_pending() {
                self.send().await?;
            }
        }
        Ok(())
    }

    fn expect_generation(&mut self, generation: Generation) {
        self.generation = generation;
    }

    async fn commit(mut self: Box<Self>) -> Result<EntryId> {
        // Two steps: an entry that the first one refused must not be found in the index.
        self.finish().await?;
        self.join_index().await?;
        self.has_leftovers = false;
        Ok(EntryId::Http(self.layout, self.entry.id))
    }
}

impl Drop for RedisWriter {
    /// Removes what an abandoned writer sent, if that is quick; otherwise it expires.
    fn drop(&mut self) {
        if !self.has_leftovers {
            return;
        }
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        let (connection, parts) = (self.connection.clone(), layout::parts(self.layout, self.entry.id));
        runtime.spawn(async move {
            let mut pipe = Pipeline::new();
            pipe.cmd(connection.unlink()).arg(&parts);
            let taken_back = connection.pipeline("deleting an unfinished entry", &mut pipe);
            // The store may have been dropped by now, and must not be kept open for this.
            if !matches!(tokio::time::timeout(UNDO, taken_back).await, Ok(Ok(_))) {
                tracing::debug!("could not delete an unfinished entry; it will expire");
            }
        });
    }
}

/// Replaces the head of an entry that still exists; its body and TTL stay.
pub(crate) async fn update_head(
    connection: &Connection,
    services: &ServiceRegistry,
    id: &EntryId,
    entry: &Entry,
) -> Result<bool> {
    let EntryId::Http(layout, id) = id else {
        return Err(Error::Unsupported("only responses have metadata that can be replaced"));
    };
    let key = layout::entry(*layout, *id);
    let mut entry = Cow::Borrowed(entry);
    if *layout != StorageLayout::Pipeline {
        let Some(old) = heads::live(connection, services, *layout, *id).await? else { return Ok(false) };
        if let (StorageLayout::Hishel1, Some(at)) = (layout, old.expires_at) {
            let stored_at = entry.created_at.or(old.created_at).unwrap_or(at);
            entry.to_mut().request.extra.set_storage_ttl(at - stored_at);
        }
    }
    let command = match layout {
        StorageLayout::Pipeline => return update_pair(connection, &key, &entry).await,
        StorageLayout::Hishel2 => {
            cmd("SET").arg(key).arg(msgpack::encode_head(&entry)).arg("XX").arg("KEEPTTL").clone()
        }
        _ => cmd("SET").arg(key).arg(msgpack::encode_pair(&entry)).arg("XX").arg("KEEPTTL").clone(),
    };
    let answer = connection.query("replacing an entry", &command).await?;
    Ok(answer != Value::Nil)
}

async fn update_pair(connection: &Connection, key: &str, entry: &Entry) -> Result<bool> {
    let (data, created_at) = (msgpack::encode_pair(entry), entry.created_at.unwrap_or(0.0).to_string());
    let arguments = [&data[..], created_at.as_bytes()];
    if let Some(answer) = UPDATE_HEAD.run(connection, "replacing an entry", &[key.as_bytes()], &arguments).await? {
        return Ok(reply::int(&answer) == Some(1));
    }
    let left = connection.query("PTTL", cmd("PTTL").arg(key)).await?;
    let mut pipe = multi();
    pipe.cmd("HSET").arg(key).arg("data").arg(data).arg("created_at").arg(created_at);
    match reply::int(&left) {
        None | Some(-2) => return Ok(false),
        // If it expires meanwhile, so does its replacement.
        Some(left @ 0..) => _ = pipe.cmd("PEXPIRE").arg(key).arg(left),
        Some(_) => {}
    }
    connection.transaction("replacing an entry", pipe, true).await?;
    Ok(true)
}
