//! Putting records back: body, mark, head, index, as a store writes them. Each step leaves what is there as it is, and may
//! be repeated: it goes on where an earlier attempt, or a deletion, was ended.

use std::sync::LazyLock;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::StreamExt as _;
use redis::{Pipeline, RedisResult, Value, cmd};

use crate::clock;
use crate::error::{Error, Result};
use crate::model::entry::StorageLayout;
use crate::model::key::CacheKey;
use crate::model::record::{HttpRecord, Record, ResultRecord, Stored, StoredValue};
use crate::store::archive::{RecordBody, Restored};
use crate::store::redis::commands::{millis, set_expiry};
use crate::store::redis::connection::{Connection, multi};
use crate::store::redis::join::JOIN;
use crate::store::redis::layout::COMPLETE;
use crate::store::redis::read_stored::{DONE, ENTRY, SCORE, restore_raw};
use crate::store::redis::script::Script;
use crate::store::redis::{layout, reply};

const RESTORING: &str = "restoring an entry";

/// What is sent at once: bytes, and elements.
const STEP: usize = 1 << 19;
const STEP_ELEMENTS: usize = 1_000;

/// The TTL of a body that is being written and will have none.
const UNFINISHED: Duration = Duration::from_secs(3_600);

/// `KEYS`: the body; `ARGV`: the number of elements before these, its TTL in milliseconds, elements. Appends those that
/// are missing; if another one is there, nothing. Returns the length, or -1.
static PUT: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        "the script for bodies",
        "local from = tonumber(ARGV[1])
         if redis.call('LLEN', KEYS[1]) < from then return -1 end
         local have = redis.call('LRANGE', KEYS[1], from, from + #ARGV - 3)
         for i, element in ipairs(have) do
           if element ~= ARGV[i + 2] then return -1 end
         end
         for i = #have + 1, #ARGV - 2 do redis.call('RPUSH', KEYS[1], ARGV[i + 2]) end
         redis.call('PEXPIRE', KEYS[1], ARGV[2])
         return redis.call('LLEN', KEYS[1])",
    )
});

/// `KEYS`: a hash; `ARGV`: its TTL in milliseconds (empty: none), names and values of fields. Returns whether it was
/// created.
static CREATE_HASH: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        "the script for heads",
        "if redis.call('EXISTS', KEYS[1]) == 1 then return 0 end
         for i = 2, #ARGV, 2 do redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1]) end
         if ARGV[1] ~= '' then redis.call('PEXPIRE', KEYS[1], ARGV[1]) end
         return 1",
    )
});

/// The time that is left; the outer `None`: it is over.
#[expect(clippy::option_option, reason = "over and endless are different answers")]
fn left(expires_at: Option<f64>) -> Option<Option<Duration>> {
    let Some(at) = expires_at else { return Some(None) };
    Duration::try_from_secs_f64(at - clock::now()).ok().filter(|left| left.as_millis() > 0).map(Some)
}

/// Puts a record back.
pub(crate) async fn restore(connection: &Connection, record: &Record, body: RecordBody<'_>) -> Result<Restored> {
    let Some(left) = left(record.expires_at()) else { return Ok(Restored::Expired) };
    match record {
        Record::Http(http) => match http.layout {
            StorageLayout::Pipeline | StorageLayout::Hishel1 | StorageLayout::Hishel2 => {
                let kept = match http.layout {
                    StorageLayout::Pipeline => left,
                    _ => self::left(http.body_expires_at).unwrap_or(left),
                };
                Restore { connection, http, kept }.run(body).await
            }
            _ => Err(Error::Unsupported("responses of a SQLite file cannot be restored in Redis")),
        },
        Record::Result(result) => restore_result(connection, result, left, body).await,
        Record::Raw(raw) => match restore_raw(connection, raw, left).await? {
            Some(true) => Ok(Restored::Restored { keys: 1 }),
            Some(false) => Ok(Restored::Present),
            None => Err(Error::Unsupported("the server restores no keys of another server or of a later version")),
        },
        Record::Expiry(_) => Err(Error::Unsupported("a TTL is changed, not restored")),
    }
}

async fn restore_result(
    connection: &Connection,
    result: &ResultRecord,
    left: Option<Duration>,
    body: RecordBody<'_>,
) -> Result<Restored> {
    let value = match &result.value {
        Some(value) => value.0.clone(),
        None => collect(body).await?,
    };
    let is_set = set_new(connection, &result.key.0, &value, left).await?;
    if is_set {
        return Ok(Restored::Restored { keys: 1 });
    }
    let now = connection.query(RESTORING, cmd("GET").arg(&result.key.0)).await.ok().and_then(reply::bytes);
    Ok(if now.is_some_and(|now| now == value) { Restored::Present } else { Restored::Newer })
}

/// All elements as one.
async fn collect(mut body: RecordBody<'_>) -> Result<Vec<u8>> {
    let mut value = Vec::new();
    while let Some(element) = body.next().await {
        value.extend_from_slice(&element?);
    }
    Ok(value)
}

/// Sets a key that does not exist; `false`: it does.
async fn set_new(connection: &Connection, key: &[u8], value: &[u8], left: Option<Duration>) -> Result<bool> {
    let mut set = cmd("SET");
    set.arg(key).arg(value).arg("NX");
    if let Some(left) = left {
        set.arg("PX").arg(millis(left));
    }
    Ok(connection.query(RESTORING, &set).await? != Value::Nil)
}

/// A response that is put back.
struct Restore<'a> {
    connection: &'a Connection,
    http: &'a HttpRecord,
    /// The TTL of its head.
    kept: Option<Duration>,
}

/// What is there of a response.
#[derive(PartialEq)]
enum There {
    /// No head. `has_body`: a body, which may be another's.
    Nothing { has_body: bool },
    /// The head, but not the place in the index.
    Unindexed,
    /// All, or something else.
    Other,
}

impl Restore<'_> {
    async fn run(&self, body: RecordBody<'_>) -> Result<Restored> {
        let there = self.there().await?;
        if there == There::Other {
            return Ok(Restored::Present);
        }
        let has_body = there != There::Nothing { has_body: false };
        match self.put_body(body).await {
            Ok(true) => {}
            Ok(false) => return Ok(Restored::Present),
            Err(error) => {
                if !has_body {
                    let body = cmd(self.connection.unlink()).arg(self.stream()).clone();
                    self.connection.query(RESTORING, &body).await?;
                }
                return Err(error);
            }
        }
        if there != There::Unindexed && !self.put_head().await? {
            return Ok(Restored::Present);
        }
        self.join_index().await?;
        let keys = if self.http.layout == StorageLayout::Pipeline { 2 } else { 3 };
        Ok(Restored::Restored { keys })
    }

    fn stream(&self) -> String {
        layout::stream(self.http.layout, self.http.id)
    }

    fn value(&self, name: &str) -> Option<&[u8]> {
        self.http.stored.get(name).and_then(StoredValue::as_bytes)
    }

    fn index(&self) -> Option<Vec<u8>> {
        let key = self.http.cache_key.as_ref().filter(|_| self.http.is_indexed)?;
        Some(layout::index(self.http.layout, &CacheKey::new(&key.0[..])))
    }

    async fn there(&self) -> Result<There> {
        let HttpRecord { layout, id, stored, .. } = self.http;
        let (is_pipelines, key) = (*layout == StorageLayout::Pipeline, layout::entry(*layout, *id));
        let index = self.index();
        let mut pipe = Pipeline::new();
        pipe.cmd(if is_pipelines { "HGETALL" } else { "GET" }).arg(&key);
        pipe.cmd("TYPE").arg(self.stream());
        pipe.cmd("GET").arg(if is_pipelines { "animecache:none".to_owned() } else { layout::done(*layout, *id) });
        let of_index = if *layout == StorageLayout::Hishel2 { "ZSCORE" } else { "SISMEMBER" };
        pipe.cmd(of_index).arg(index.as_deref().unwrap_or(b"animecache:none")).arg(layout.id_text(*id));
        let answers = self.connection.on_entries(RESTORING, &mut pipe).await?;
        if answers.iter().any(RedisResult::is_err) {
            return Ok(There::Other);
        }
        let mut answers = answers.into_iter().map(|answer| answer.unwrap_or(Value::Nil));
        let mut next = || answers.next().unwrap_or(Value::Nil);
        let (head, kind, done, place) = (next(), reply::text(next()).unwrap_or_default(), reply::bytes(next()), next());
        let is_other_done = done.is_some_and(|done| Some(&done[..]) != self.value(DONE));
        let has_body = kind == "list";
        if is_other_done || !(has_body || kind == "none") {
            return Ok(There::Other);
        }
        let (is_missing, is_same) = match head {
            Value::Nil => (true, false),
            Value::Array(items) if is_pipelines => (items.is_empty(), is_same_hash(stored, &items)),
            Value::Map(pairs) if is_pipelines => {
                let items: Vec<_> = pairs.into_iter().flat_map(|(name, value)| [name, value]).collect();
                (items.is_empty(), is_same_hash(stored, &items))
            }
            head => (false, reply::bytes(head).as_deref() == self.value(ENTRY)),
        };
        let is_placed = !matches!(place, Value::Nil | Value::Int(0));
        Ok(match (is_missing, is_same) {
            (true, _) => There::Nothing { has_body },
            (false, true) if index.is_some() && !is_placed => There::Unindexed,
            _ => There::Other,
        })
    }

    /// Writes the elements that are missing; `false`: another body is there.
    async fn put_body(&self, mut body: RecordBody<'_>) -> Result<bool> {
        let lasts = left(self.http.body_expires_at).unwrap_or(self.kept);
        let (mut sent, mut waiting, mut size) = (0, Vec::new(), 0);
        while let Some(element) = body.next().await {
            let element = element?;
            if !waiting.is_empty() && (size + element.len() > STEP || waiting.len() == STEP_ELEMENTS) {
                if !self.put(sent, &waiting, lasts).await? {
                    return Ok(false);
                }
                sent += waiting.len();
                (size, waiting) = (0, Vec::new());
            }
            size += element.len();
            waiting.push(element);
        }
        match self.http.layout {
            StorageLayout::Pipeline if self.http.is_complete => waiting.push(Bytes::from_static(COMPLETE)),
            StorageLayout::Hishel1 if self.http.is_complete => waiting.push(Bytes::new()),
            _ => {}
        }
        if !waiting.is_empty() && !self.put(sent, &waiting, lasts).await? {
            return Ok(false);
        }
        sent += waiting.len();
        let length = self.connection.query(RESTORING, cmd("LLEN").arg(self.stream())).await?;
        if reply::int(&length) != i64::try_from(sent).ok() {
            return Ok(false);
        }
        if lasts.is_none() && sent > 0 {
            self.connection.query(RESTORING, cmd("PERSIST").arg(self.stream())).await?;
        }
        Ok(true)
    }

    async fn put(&self, from: usize, elements: &[Bytes], lasts: Option<Duration>) -> Result<bool> {
        let stream = self.stream();
        let (from_text, lasts) = (from.to_string(), millis(lasts.unwrap_or(UNFINISHED)));
        let lasts_text = lasts.to_string();
        let mut arguments = vec![from_text.as_bytes(), lasts_text.as_bytes()];
        arguments.extend(elements.iter().map(|element| &element[..]));
        if let Some(answer) = PUT.run(self.connection, RESTORING, &[stream.as_bytes()], &arguments).await? {
            return Ok(reply::int(&answer).is_some_and(|length| length >= 0));
        }
        let mut pipe = Pipeline::with_capacity(2);
        pipe.cmd("LLEN").arg(&stream);
        pipe.cmd("LRANGE").arg(&stream).arg(from).arg(from + elements.len() - 1);
        let mut answers = self.connection.on_entries(RESTORING, &mut pipe).await?.into_iter().map(RedisResult::ok);
        let length = answers.next().flatten().as_ref().and_then(reply::int).unwrap_or(0);
        let have = answers.next().flatten().map(reply::strings).unwrap_or_default();
        if usize::try_from(length).is_ok_and(|length| length < from)
            || have.iter().zip(elements).any(|(have, element)| have[..] != element[..])
        {
            return Ok(false);
        }
        let missing: Vec<&[u8]> = elements[have.len()..].iter().map(|element| &element[..]).collect();
        let mut pipe = multi();
        if !missing.is_empty() {
            pipe.cmd("RPUSH").arg(&stream).arg(&missing);
        }
        pipe.cmd("PEXPIRE").arg(&stream).arg(lasts);
        self.connection.transaction(RESTORING, pipe, false).await?;
        Ok(true)
    }

    /// Writes the mark and the head; `false`: another one is there.
    async fn put_head(&self) -> Result<bool> {
        let HttpRecord { layout, id, stored, .. } = self.http;
        let key = layout::entry(*layout, *id);
        if *layout != StorageLayout::Pipeline {
            if let Some(done) = self.value(DONE) {
                // If it is there, it is the same: that was compared.
                set_new(self.connection, layout::done(*layout, *id).as_bytes(), done, self.kept).await?;
            }
            let Some(head) = self.value(ENTRY) else { return Err(NO_HEAD) };
            return set_new(self.connection, key.as_bytes(), head, self.kept).await;
        }
        if !stored.contains_key("data") {
            return Err(NO_HEAD);
        }
        let kept = self.kept.map_or(String::new(), |kept| millis(kept).to_string());
        let fields = stored.iter().filter_map(|(name, value)| Some([name.as_bytes(), value.as_bytes()?]));
        let mut arguments = vec![kept.as_bytes()];
        arguments.extend(fields.flatten());
        if let Some(answer) = CREATE_HASH.run(self.connection, RESTORING, &[key.as_bytes()], &arguments).await? {
            return Ok(reply::int(&answer) == Some(1));
        }
        let mut pipe = multi();
        pipe.cmd("HSET").arg(&key).arg(&arguments[1..]);
        if self.kept.is_some() {
            set_expiry(&mut pipe, key.as_bytes(), self.kept);
        }
        self.connection.transaction(RESTORING, pipe, true).await?;
        Ok(true)
    }

    async fn join_index(&self) -> Result<()> {
        let Some(index) = self.index() else { return Ok(()) };
        let member = self.http.layout.id_text(self.http.id);
        let score = self.value(SCORE).unwrap_or_default();
        // The index has lived as long as the longest of its entries.
        let longest = match (self.kept, left(self.http.index_expires_at)) {
            (Some(entry), Some(Some(index))) => Some(entry.max(index)),
            (Some(entry), None) => Some(entry),
            _ => None,
        };
        let kept = longest.map_or(String::new(), |left| millis(left).to_string());
        let arguments = [member.as_bytes(), score, kept.as_bytes()];
        if JOIN.run(self.connection, RESTORING, &[&index], &arguments).await?.is_some() {
            return Ok(());
        }
        let mut pipe = Pipeline::new();
        if score.is_empty() {
            pipe.cmd("SADD").arg(&index).arg(member);
        } else {
            pipe.cmd("ZADD").arg(&index).arg(score).arg(member);
        }
        let before = self.connection.query("PTTL", cmd("PTTL").arg(&index)).await?;
        let before = reply::int(&before).unwrap_or(-1);
        if before == -2 || (before >= 0 && longest.is_none_or(|longest| millis(longest) > before)) {
            set_expiry(&mut pipe, &index, longest);
        }
        self.connection.on_entries(RESTORING, &mut pipe).await.map(drop)
    }
}

const NO_HEAD: Error = Error::Unsupported("the record has no head");

fn is_same_hash(stored: &Stored, items: &[Value]) -> bool {
    let field = |pair: &[Value]| {
        let name = reply::text(pair.first()?.clone())?;
        let value = reply::bytes(pair.get(1)?.clone())?;
        Some(stored.get(&name)?.as_bytes()? == value)
    };
    items.len() == stored.len() * 2 && items.chunks(2).all(|pair| field(pair) == Some(true))
}
