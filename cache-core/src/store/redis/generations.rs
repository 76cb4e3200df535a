//! Generations of keys: numbers that expire long after the slowest fetch that began before they were raised.

use std::time::Duration;

use redis::{Pipeline, RedisResult, Value};

use crate::error::Result;
use crate::format::hex::sha256_hex;
use crate::model::generation::Generation;
use crate::store::redis::commands::{millis, set_expiry};
use crate::store::redis::connection::Connection;
use crate::store::redis::reply;

/// How long a generation is kept: no fetch takes longer.
const KEPT: Duration = Duration::from_secs(3_600);

const READING: &str = "reading a generation";
const RAISING: &str = "raising a generation";

/// The Lua condition that the generations in the last two of `KEYS` are those in the last two of `ARGV`.
pub(crate) const IS_UNCHANGED: &str = "(redis.call('GET', KEYS[#KEYS - 1]) or '0') == ARGV[#ARGV - 1]
    and (redis.call('GET', KEYS[#KEYS]) or '0') == ARGV[#ARGV]";

/// The keys of the generation of all keys, and of this one, whose name may be long.
pub(crate) fn names(key: &[u8]) -> [String; 2] {
    let all = "animecache:generation".to_owned();
    let of_key = format!("{all}:{}", sha256_hex(key));
    [all, of_key]
}

/// As `ARGV` of a script with [`IS_UNCHANGED`].
pub(crate) fn texts(generation: Generation) -> [String; 2] {
    [generation.all.to_string(), generation.key.to_string()]
}

pub(crate) async fn read(connection: &Connection, key: &[u8]) -> Result<Generation> {
    let [all, of_key] = names(key);
    let mut pipe = Pipeline::with_capacity(4);
    // A change of the whole cache raises this key only where it exists: without a fetch there is nothing to refuse.
    keep(&mut pipe, &all);
    pipe.cmd("GET").arg(&all).cmd("GET").arg(&of_key);
    let answers = connection.pipeline(READING, &mut pipe).await?;
    let numbers: RedisResult<Vec<u64>> = answers
        .into_iter()
        .skip(2)
        .map(|answer| answer.map(|value| reply::bytes(value).and_then(|text| parsed(&text)).unwrap_or(0)))
        .collect();
    match numbers.as_deref() {
        Ok([all, key]) => Ok(Generation { all: *all, key: *key }),
        // A user may be limited to the keys of the entries.
        Err(error) => {
            tracing::debug!(%error, "generations unavailable: an invalidation does not stop a fetch under way");
            Ok(Generation::UNKNOWN)
        }
        Ok(_) => Ok(Generation::UNKNOWN),
    }
}

/// Lets a generation exist, with its whole TTL from its first moment.
fn keep(pipe: &mut Pipeline, name: &str) {
    pipe.cmd("SET").arg(name).arg(0).arg("NX").arg("PX").arg(millis(KEPT));
    set_expiry(pipe, name.as_bytes(), Some(KEPT));
}

fn parsed(text: &[u8]) -> Option<u64> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// Raises the generation of a key; `None`: of all keys.
pub(crate) async fn raise(connection: &Connection, key: Option<&[u8]>) -> Result<()> {
    let [all, of_key] = names(key.unwrap_or_default());
    let name = if key.is_some() { of_key } else { all };
    if key.is_none() && !is_in_use(connection, &name).await? {
        return Ok(());
    }
    let mut pipe = Pipeline::with_capacity(3);
    keep(&mut pipe, &name);
    pipe.cmd("INCR").arg(&name);
    for answer in connection.pipeline(RAISING, &mut pipe).await? {
        answer.map_err(|error| connection.explain(RAISING, error))?;
    }
    Ok(())
}

/// Whether a fetch has read this generation lately. A cache that only the pipeline uses gets no key of ours.
async fn is_in_use(connection: &Connection, name: &str) -> Result<bool> {
    let mut pipe = Pipeline::with_capacity(1);
    pipe.cmd("EXISTS").arg(name);
    let answer = connection.pipeline(RAISING, &mut pipe).await?.pop();
    let found = answer.map(|answer| answer.map_err(|error| connection.explain(RAISING, error))).transpose()?;
    Ok(matches!(found, Some(Value::Int(1..))))
}
