//! Entries that still are what they were: each is read and compared, and compared once more by the script that changes
//! its key.
//!
//! Where scripts are not allowed, an entry that is replaced between the two is changed nevertheless.

use std::collections::HashSet;
use std::sync::LazyLock;
use std::time::Duration;

use redis::{Pipeline, RedisError, RedisResult, Value};
use sha1_smol::Sha1;
use uuid::Uuid;

use crate::clock;
use crate::error::Result;
use crate::format::entry_view::EntryView;
use crate::format::redis_key::Name;
use crate::model::change::{Applied, ExpiryChange, Fingerprint, Target};
use crate::model::entry::{EntryId, StorageLayout};
use crate::model::key::CacheKey;
use crate::store::redis::commands::{MAX_MILLIS, millis};
use crate::store::redis::connection::Connection;
use crate::store::redis::driver_error::{is_of_cluster, refuses_writes};
use crate::store::redis::heads::{StoredHead, layout_of, request_head};
use crate::store::redis::scan::without_owner;
use crate::store::redis::script::{Script, is_unloaded};
use crate::store::redis::{layout, reply};

/// An entry that is what it was.
pub(crate) struct Found {
    pub(crate) id: EntryId,
    /// Its place in an index.
    pub(crate) member: Option<Member>,
    /// Milliseconds until its head expires; -1: never.
    pub(crate) left: i64,
    /// When it expires, in Unix seconds.
    pub(crate) expires_at: Option<f64>,
    guard: Guard,
}

/// The place of an entry in its index.
pub(crate) struct Member {
    pub(crate) index: Vec<u8>,
    pub(crate) name: String,
    /// `None`: the index is a set.
    pub(crate) score: Option<String>,
}

impl Member {
    fn new(layout: StorageLayout, id: Uuid, cache_key: &CacheKey, expires_at: Option<f64>) -> Self {
        let score = expires_at.map_or_else(|| "+inf".to_owned(), |at| at.to_string());
        Self {
            index: layout::index(layout, cache_key),
            name: layout.id_text(id),
            score: (layout == StorageLayout::Hishel2).then_some(score),
        }
    }
}

/// What the key of an entry must still contain when it is changed.
enum Guard {
    /// Anything.
    Any,
    /// A hash with a head of this SHA-1.
    Hash(String),
    /// A head of this SHA-1.
    Text(String),
    /// A value of this length.
    Length(u64),
}

/// Reads entries, and counts those that are gone or not what they were.
pub(crate) async fn read(connection: &Connection, targets: &[Target], applied: &mut Applied) -> Result<Vec<Found>> {
    let mut pipe = Pipeline::with_capacity(targets.len() * 4);
    for target in targets {
        match &target.id {
            EntryId::Http(layout, id) => {
                request_head(&mut pipe, layout_of(*layout), *id);
                pipe.cmd("LLEN").arg(layout::stream(*layout, *id));
                if *layout == StorageLayout::Pipeline {
                    pipe.cmd("HGET").arg(layout::entry(*layout, *id)).arg("cache_key");
                }
            }
            EntryId::Key(key) if is_result(key) => {
                pipe.cmd("STRLEN").arg(&key[..]);
                pipe.cmd("PTTL").arg(&key[..]);
            }
            EntryId::Key(key) => _ = pipe.cmd("PTTL").arg(&key[..]),
        }
    }
    let mut answers = connection.on_entries("reading entries", &mut pipe).await?.into_iter();
    let now = clock::now();
    let mut found = Vec::with_capacity(targets.len());
    for target in targets {
        let state = match &target.id {
            EntryId::Http(layout, id) => read_head(*layout, *id, &target.was, &mut answers, now),
            EntryId::Key(key) => read_key(key, &target.was, &mut answers, now),
        };
        match state {
            State::Same(same) => found.push(Found { id: target.id.clone(), ..same }),
            State::Gone => applied.gone += 1,
            State::Changed => applied.changed_meanwhile += 1,
        }
    }
    let owned = owned(connection, &found).await?;
    applied.changed_meanwhile += owned.len() as u64;
    found.retain(|found| !owned.contains(&found.id));
    Ok(found)
}

/// The orphans that belong to an entry now: that entry was not selected.
async fn owned(connection: &Connection, found: &[Found]) -> Result<HashSet<EntryId>> {
    let is_part = |key: &[u8]| matches!(Name::parse(key), Name::Stream(..) | Name::Done(_) | Name::Index(..));
    let parts: Vec<_> = found
        .iter()
        .filter_map(|found| match &found.id {
            EntryId::Key(key) if is_part(key) => Some(key.to_vec()),
            _ => None,
        })
        .collect();
    let mut owned: HashSet<_> = parts.iter().map(|key| EntryId::key(&key[..])).collect();
    for orphan in without_owner(connection, parts).await? {
        owned.remove(&EntryId::key(orphan));
    }
    Ok(owned)
}

fn is_result(key: &[u8]) -> bool {
    Name::parse(key) == Name::Result
}

/// An entry compared with what it was; its ID is filled in by the caller.
enum State {
    Same(Found),
    Changed,
    Gone,
}

fn int(answer: Option<RedisResult<Value>>) -> Option<i64> {
    answer.and_then(RedisResult::ok).as_ref().and_then(reply::int)
}

fn read_key(key: &[u8], was: &Fingerprint, answers: &mut impl Iterator<Item = RedisResult<Value>>, now: f64) -> State {
    let length = if is_result(key) { Some(int(answers.next()).unwrap_or(0) as u64) } else { None };
    let left = int(answers.next()).unwrap_or(-2);
    if left == -2 {
        return State::Gone;
    }
    let expires_at = (left >= 0).then_some(now + left as f64 / 1e3);
    let is_same = was.size.is_none_or(|size| Some(size) == length) && was.is_expiry(expires_at);
    if !is_same {
        return State::Changed;
    }
    let guard = length.filter(|_| was.size.is_some()).map_or(Guard::Any, Guard::Length);
    State::Same(Found { id: EntryId::key(Vec::new()), member: None, left, expires_at, guard })
}

fn read_head(
    layout: StorageLayout,
    id: Uuid,
    was: &Fingerprint,
    answers: &mut impl Iterator<Item = RedisResult<Value>>,
    now: f64,
) -> State {
    let data = answers.next().and_then(RedisResult::ok).and_then(reply::bytes).unwrap_or_default();
    let left = int(answers.next()).unwrap_or(-2);
    let is_pipelines = layout == StorageLayout::Pipeline;
    let mark = if is_pipelines { None } else { answers.next().and_then(RedisResult::ok).and_then(reply::bytes) };
    let elements = int(answers.next()).map(|count| count as u64);
    let field = if is_pipelines { answers.next().and_then(RedisResult::ok).and_then(reply::bytes) } else { None };
    if left == -2 {
        return State::Gone;
    }
    let guard = match (was.version.is_some(), is_pipelines) {
        (false, _) => Guard::Any,
        (true, true) => Guard::Hash(Sha1::from(&data).digest().to_string()),
        (true, false) => Guard::Text(Sha1::from(&data).digest().to_string()),
    };
    let key_expiry = (left >= 0).then_some(now + left as f64 / 1e3);
    let head = StoredHead::new(layout_of(layout), id, data, mark.as_deref(), key_expiry);
    let view = EntryView::decode(&head.data).ok();
    let is_same_layout = head.layout == layout || view.is_none() || was.version.is_none();
    let version = head.version(view.as_ref(), elements);
    let expires_at = head.expiry(view.as_ref());
    if !is_same_layout || was.version.is_some_and(|was| was != version) || !was.is_expiry(expires_at) {
        return State::Changed;
    }
    let cache_key = match layout {
        StorageLayout::Hishel2 => head.done.as_ref().map(|done| done.cache_key.clone()),
        StorageLayout::Hishel1 => view.and_then(|view| view.cache_key).map(|key| CacheKey::new(&key[..])),
        _ => field.map(CacheKey::new),
    };
    let score = head.done.as_ref().and_then(|done| done.ttl_deadline);
    let member = cache_key.map(|cache_key| Member::new(layout, id, &cache_key, score));
    State::Same(Found { id: EntryId::key(Vec::new()), member, left, expires_at, guard })
}

/// `KEYS`: the entry; `ARGV`: the kind of the guard and what it compares, the milliseconds that were left (empty: not
/// compared), the command, its milliseconds. Returns 1: done; 0: it has changed; -1: it is gone; 2: it has no TTL.
static CHANGE: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        "the script that changes entries",
        "local left = redis.call('PTTL', KEYS[1])
         if left == -2 then return -1 end
         local now = ARGV[2]
         if ARGV[1] == 'length' then
           local length = redis.pcall('STRLEN', KEYS[1])
           now = tostring(type(length) == 'number' and length or 0)
         elseif ARGV[1] ~= 'any' then
           now = ARGV[1] == 'hash' and redis.pcall('HGET', KEYS[1], 'data') or redis.pcall('GET', KEYS[1])
           now = redis.sha1hex(type(now) == 'string' and now or '')
         end
         if now ~= ARGV[2] then return 0 end
         local was = tonumber(ARGV[3])
         if was and ((was < 0) ~= (left < 0) or math.abs(was - left) > 1000) then return 0 end
         if ARGV[4] == 'EXTEND' then
           if left < 0 then return 2 end
           redis.call('PEXPIRE', KEYS[1], string.format('%.0f', math.min(left + tonumber(ARGV[5]), 2 ^ 62 - 512)))
         elseif ARGV[5] ~= '' then redis.call(ARGV[4], KEYS[1], ARGV[5])
         else redis.call(ARGV[4], KEYS[1]) end
         return 1",
    )
});

/// What came of the change of one key.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum KeyChange {
    Done,
    Changed,
    Gone,
    HasNoTtl,
}

/// A command on the key of an entry.
#[derive(Clone, Copy)]
pub(crate) enum HeadCommand {
    Unlink,
    Expire(Duration),
    Extend(Duration),
    Persist,
}

impl HeadCommand {
    fn parts(self, connection: &Connection) -> (&'static str, String) {
        match self {
            Self::Unlink => (connection.unlink(), String::new()),
            Self::Expire(ttl) => ("PEXPIRE", millis(ttl).to_string()),
            Self::Extend(by) => ("EXTEND", millis(by).to_string()),
            Self::Persist => ("PERSIST", String::new()),
        }
    }
}

impl From<ExpiryChange> for HeadCommand {
    fn from(change: ExpiryChange) -> Self {
        match change {
            ExpiryChange::Set(ttl) => Self::Expire(ttl),
            ExpiryChange::Extend(by) => Self::Extend(by),
            ExpiryChange::Persist => Self::Persist,
        }
    }
}

/// Changes the keys of entries that still are what was read.
pub(crate) async fn change_heads(
    connection: &Connection,
    found: &[Found],
    command: HeadCommand,
) -> Result<Vec<KeyChange>> {
    let (name, amount) = command.parts(connection);
    let calls: Vec<_> = found
        .iter()
        .map(|found| {
            let (kind, what) = match &found.guard {
                Guard::Any => ("any", String::new()),
                Guard::Hash(digest) => ("hash", digest.clone()),
                Guard::Text(digest) => ("text", digest.clone()),
                Guard::Length(length) => ("length", length.to_string()),
            };
            let left = if matches!(found.guard, Guard::Length(_)) { found.left.to_string() } else { String::new() };
            let arguments = vec![
                kind.as_bytes().to_vec(),
                what.into_bytes(),
                left.into_bytes(),
                name.into(),
                amount.clone().into_bytes(),
            ];
            (found.id.redis_key().to_vec(), arguments)
        })
        .collect();
    let is_guarded = found.iter().any(|found| !matches!(found.guard, Guard::Any));
    if is_guarded && let Some(answers) = run_each(connection, &CHANGE, &calls).await? {
        return Ok(answers
            .iter()
            .map(|answer| match reply::int(answer) {
                Some(1) => KeyChange::Done,
                Some(0) => KeyChange::Changed,
                Some(2) => KeyChange::HasNoTtl,
                _ => KeyChange::Gone,
            })
            .collect());
    }
    change_plainly(connection, found, command).await
}

/// As [`change_heads`], without a comparison.
async fn change_plainly(connection: &Connection, found: &[Found], command: HeadCommand) -> Result<Vec<KeyChange>> {
    let mut pipe = Pipeline::with_capacity(found.len());
    for found in found {
        let key = found.id.redis_key();
        match command {
            HeadCommand::Unlink => pipe.cmd(connection.unlink()).arg(&*key),
            HeadCommand::Expire(ttl) => pipe.cmd("PEXPIRE").arg(&*key).arg(millis(ttl)),
            HeadCommand::Extend(by) if found.left >= 0 => {
                pipe.cmd("PEXPIRE").arg(&*key).arg(found.left.saturating_add(millis(by)).min(MAX_MILLIS))
            }
            HeadCommand::Extend(_) => pipe.cmd("EXISTS").arg(&*key),
            HeadCommand::Persist => pipe.cmd("PERSIST").arg(&*key),
        };
    }
    let answers = connection.on_entries("changing entries", &mut pipe).await?;
    let outcome = |(answer, found): (RedisResult<Value>, &Found)| match (int(Some(answer)), command) {
        (Some(1), HeadCommand::Extend(_)) if found.left < 0 => KeyChange::HasNoTtl,
        (Some(1), _) => KeyChange::Done,
        // The answer is the same for a key without a TTL.
        (Some(0), HeadCommand::Persist) if found.left < 0 => KeyChange::Done,
        _ => KeyChange::Gone,
    };
    Ok(answers.into_iter().zip(found).map(outcome).collect())
}

/// Runs a script once for each key; `None`: the server runs no scripts.
pub(crate) async fn run_each(
    connection: &Connection,
    script: &Script,
    calls: &[(Vec<u8>, Vec<Vec<u8>>)],
) -> Result<Option<Vec<Value>>> {
    const OPERATION: &str = "changing entries";
    if script.is_refused(connection) {
        return Ok(None);
    }
    let pipeline = |calls: &mut dyn Iterator<Item = &(Vec<u8>, Vec<Vec<u8>>)>| {
        let mut pipe = Pipeline::new();
        for (key, arguments) in calls {
            let arguments: Vec<_> = arguments.iter().map(Vec::as_slice).collect();
            pipe.add_command(script.by_hash(&[key], &arguments));
        }
        pipe
    };
    // Not repeated by itself: an entry that was deleted would be counted as gone.
    let mut answers = connection.pipeline_once(OPERATION, &mut pipeline(&mut calls.iter())).await?;
    let unloaded: Vec<usize> = (0..answers.len()).filter(|at| answers[*at].as_ref().is_err_and(is_unloaded)).collect();
    if !unloaded.is_empty() {
        let mut pipe = pipeline(&mut unloaded.iter().map(|at| &calls[*at]));
        let mut load = Pipeline::new();
        load.cmd("SCRIPT").arg("LOAD").arg(script.text());
        connection.pipeline("SCRIPT LOAD", &mut load).await?;
        let again = connection.pipeline_once(OPERATION, &mut pipe).await?;
        for (at, answer) in unloaded.into_iter().zip(again) {
            answers[at] = answer;
        }
    }
    let is_refused = |error: &&RedisError| !refuses_writes(error) && !is_of_cluster(error);
    if let Some(Err(error)) = answers.first()
        && is_refused(&error)
        && answers.iter().all(RedisResult::is_err)
    {
        script.refused(connection, error);
        return Ok(None);
    }
    match answers.into_iter().collect() {
        Ok(values) => Ok(Some(values)),
        Err(error) => Err(connection.explain(OPERATION, error)),
    }
}
