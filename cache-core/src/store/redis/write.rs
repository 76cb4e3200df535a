//! Storing an entry: body first, then its heads, then its place in the index.
//!
//! The three keys may lie on different servers one day, so nothing depends on their changing together: until the last
//! step no reader finds the entry, and a crash in between leaves parts that expire by themselves.

use std::borrow::Cow;
use std::time::Duration;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use redis::{Pipeline, RedisResult, Value, cmd};

use super::connection::Connection;
use super::layout::{self, COMPLETE};
use super::read;
use super::reply;
use super::touch::{expire, outlives};
use crate::clock;
use crate::codec::{self, Done};
use crate::entry::{Entry, EntryId, Layout};
use crate::error::{Error, Result};
use crate::service::Services;
use crate::store::Writer;

/// Pieces are gathered to this size before they are sent; hishel 2 stores every body in chunks of this size.
const CHUNK: usize = 131_072;

/// An entry being stored in Redis.
pub(super) struct RedisWriter {
    connection: Connection,
    layout: Layout,
    entry: Entry,
    ttl: Option<Duration>,
    /// When the entry expires, which hishel's own layouts keep inside it; Unix seconds.
    expires_at: Option<f64>,
    pending: BytesMut,
    /// Chunks in Redis already.
    sent: u64,
    /// Redis may hold parts that no reader is to find.
    has_leftovers: bool,
}

impl RedisWriter {
    pub(super) fn new(connection: Connection, layout: Layout, mut entry: Entry, ttl: Option<Duration>) -> Self {
        let now = clock::now();
        let expires_at = ttl.map(|ttl| now + ttl.as_secs_f64());
        let created_at = *entry.created_at.get_or_insert(now);
        if let (Layout::Hishel1, Some(expires_at)) = (layout, expires_at) {
            // hishel 1 counts from when the response was stored first, which may be long ago.
            entry.request.extra.set_ttl(expires_at - created_at);
        }
        Self { connection, layout, entry, ttl, expires_at, pending: BytesMut::new(), sent: 0, has_leftovers: false }
    }

    fn kept(&self) -> Option<Duration> {
        layout::kept(self.layout, self.ttl)
    }

    fn stream(&self) -> String {
        layout::stream(self.layout, self.entry.id)
    }

    /// Adds the commands that store a chunk; it gets its TTL at once, so that a crash leaves nothing for ever.
    fn send(&mut self, pipe: &mut Pipeline, chunk: &[u8]) {
        let stream = self.stream();
        if self.sent == 0 {
            // An entry may be stored again under its id: its old body must not become the beginning of the new one.
            pipe.cmd("DEL").arg(&stream);
        }
        // A chunk that equals the end marker would end the body for its readers: it is stored in two pieces.
        if self.layout == Layout::Pipeline && chunk == COMPLETE {
            pipe.cmd("RPUSH").arg(&stream).arg(&chunk[..1]).arg(&chunk[1..]);
        } else {
            pipe.cmd("RPUSH").arg(&stream).arg(chunk);
        }
        if self.sent == 0 && self.ttl.is_some() {
            expire(pipe, stream.as_bytes(), self.kept());
        }
        self.sent += 1;
    }

    async fn run(&mut self, mut pipe: Pipeline) -> Result<Vec<Value>> {
        self.has_leftovers |= !pipe.is_empty();
        let answers = self.connection.pipeline_once("storing an entry", &mut pipe).await?;
        let answers: RedisResult<Vec<Value>> = answers.into_iter().collect();
        answers.map_err(|error| self.connection.explain("storing an entry", error))
    }

    /// What ends the body and makes the heads readable; the entry is not in the index yet.
    fn finish(&mut self) -> Pipeline {
        let mut pipe = Pipeline::new();
        let rest = std::mem::take(&mut self.pending).freeze();
        let (layout, id, kept) = (self.layout, self.entry.id, self.kept());
        let (stream, key) = (self.stream(), layout::entry(layout, id));
        if !rest.is_empty() {
            self.send(&mut pipe, &rest);
        } else if self.sent == 0 {
            pipe.cmd("DEL").arg(&stream);
        }
        match layout {
            Layout::Hishel2 => {}
            Layout::Hishel1 => {
                pipe.cmd("RPUSH").arg(&stream).arg("");
            }
            _ => {
                pipe.cmd("RPUSH").arg(&stream).arg(COMPLETE);
            }
        }
        let created_at = self.entry.created_at.unwrap_or_else(clock::now);
        match layout {
            Layout::Pipeline => {
                let mut heads = cmd("HSET");
                heads.arg(&key).arg("data").arg(codec::encode_pair(&self.entry));
                heads.arg("created_at").arg(created_at.to_string());
                heads.arg("cache_key").arg(self.entry.cache_key.as_bytes());
                pipe.add_command(heads);
            }
            Layout::Hishel1 => {
                pipe.cmd("SET").arg(&key).arg(codec::encode_pair(&self.entry));
                pipe.cmd("SET").arg(layout::done(layout, id)).arg("1");
            }
            _ => {
                let done = Done {
                    chunk_count: self.sent,
                    ttl_deadline: self.expires_at,
                    tti: None,
                    cache_key: self.entry.cache_key.clone(),
                };
                pipe.cmd("SET").arg(&key).arg(codec::encode_heads(&self.entry));
                pipe.cmd("SET").arg(layout::done(layout, id)).arg(codec::encode_done(&done));
            }
        }
        if kept.is_some() {
            for part in layout::parts(layout, id) {
                expire(&mut pipe, part.as_bytes(), kept);
            }
        }
        pipe
    }

    /// The entry's place in the index, and the index's TTL: set where the index is new, else only ever extended.
    async fn join_index(&mut self) -> Result<()> {
        let index = layout::index(self.layout, &self.entry.cache_key);
        let member = self.layout.id_text(self.entry.id);
        let mut pipe = Pipeline::new();
        pipe.cmd("PTTL").arg(&index);
        if self.layout == Layout::Hishel2 {
            let score = self.expires_at.map_or("+inf".to_owned(), |at| at.to_string());
            pipe.cmd("ZADD").arg(&index).arg(score).arg(member);
        } else {
            pipe.cmd("SADD").arg(&index).arg(member);
        }
        let before = self.run(pipe).await?.first().and_then(reply::int);
        let kept = self.kept();
        let is_new = before == Some(-2);
        let mut pipe = Pipeline::new();
        if is_new && kept.is_some() || before.is_some_and(|left| outlives(kept, left)) {
            expire(&mut pipe, &index, kept);
        }
        self.run(pipe).await.map(drop)
    }
}

#[async_trait]
impl Writer for RedisWriter {
    async fn push(&mut self, chunk: Bytes) -> Result<()> {
        self.pending.extend_from_slice(&chunk);
        let mut pipe = Pipeline::new();
        while self.pending.len() >= CHUNK {
            let chunk = self.pending.split_to(CHUNK).freeze();
            self.send(&mut pipe, &chunk);
        }
        self.run(pipe).await.map(drop)
    }

    async fn commit(mut self: Box<Self>) -> Result<EntryId> {
        let pipe = self.finish();
        self.run(pipe).await?;
        self.join_index().await?;
        self.has_leftovers = false;
        Ok(EntryId::Http(self.layout, self.entry.id))
    }
}

impl Drop for RedisWriter {
    /// What an abandoned writer sent is taken back where that is still possible; else it expires.
    fn drop(&mut self) {
        if !self.has_leftovers {
            return;
        }
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        let (connection, parts) = (self.connection.clone(), layout::parts(self.layout, self.entry.id));
        runtime.spawn(async move {
            let mut pipe = Pipeline::new();
            pipe.cmd(connection.unlink()).arg(&parts);
            if let Err(error) = connection.pipeline("taking back an unfinished entry", &mut pipe).await {
                tracing::debug!(%error, "an unfinished entry is left to expire");
            }
        });
    }
}

/// Replaces the heads of an entry that is still there; its body and TTL stay.
pub(super) async fn replace(connection: &Connection, services: &Services, id: &EntryId, entry: &Entry) -> Result<bool> {
    let EntryId::Http(layout, id) = id else {
        return Err(Error::Unsupported("only HTTP entries have heads that can be replaced"));
    };
    let key = layout::entry(*layout, *id);
    let mut entry = Cow::Borrowed(entry);
    if *layout != Layout::Pipeline {
        let Some(old) = read::live(connection, services, *layout, *id).await? else { return Ok(false) };
        if let (Layout::Hishel1, Some(at)) = (layout, old.expires_at) {
            let stored_at = entry.created_at.or(old.created_at).unwrap_or(at);
            entry.to_mut().request.extra.set_ttl(at - stored_at);
        }
    }
    let command = match layout {
        // A hash has no "only if it is there": without the check an entry that just expired would live for ever.
        Layout::Pipeline => cmd("EVAL")
            .arg(
                "if redis.call('EXISTS', KEYS[1]) == 0 then return false end \
                     redis.call('HSET', KEYS[1], 'data', ARGV[1], 'created_at', ARGV[2]) return 1",
            )
            .arg(1)
            .arg(key)
            .arg(codec::encode_pair(&entry))
            .arg(entry.created_at.unwrap_or(0.0).to_string())
            .clone(),
        Layout::Hishel2 => cmd("SET").arg(key).arg(codec::encode_heads(&entry)).arg("XX").arg("KEEPTTL").clone(),
        _ => cmd("SET").arg(key).arg(codec::encode_pair(&entry)).arg("XX").arg("KEEPTTL").clone(),
    };
    let answer = connection.query("replacing an entry", &command).await?;
    Ok(!matches!(answer, Value::Nil | Value::Boolean(false)))
}
