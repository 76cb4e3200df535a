//! Generations of keys: numbers that expire long after the slowest fetch that began before they were raised.

use std::time::Duration;

use redis::{Pipeline, RedisResult};

use crate::error::Result;
use crate::format::hex::sha256_hex;
use crate::model::generation::Generation;
use crate::store::redis::commands::set_expiry;
use crate::store::redis::connection::Connection;
use crate::store::redis::reply;

/// How long a generation is kept: no fetch takes longer.
const KEPT: Duration = Duration::from_secs(3_600);

const READING: &str = "reading a generation";

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
    let mut pipe = Pipeline::with_capacity(2);
    for name in names(key) {
        pipe.cmd("GET").arg(name);
    }
    let answers = connection.pipeline(READING, &mut pipe).await?;
    let numbers: RedisResult<Vec<u64>> = answers
        .into_iter()
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

fn parsed(text: &[u8]) -> Option<u64> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// Raises the generation of a key; `None`: of all keys.
pub(crate) async fn raise(connection: &Connection, key: Option<&[u8]>) -> Result<()> {
    let [all, of_key] = names(key.unwrap_or_default());
    let name = if key.is_some() { of_key } else { all };
    let mut pipe = Pipeline::with_capacity(2);
    pipe.cmd("INCR").arg(&name);
    set_expiry(&mut pipe, name.as_bytes(), Some(KEPT));
    for answer in connection.pipeline("raising a generation", &mut pipe).await? {
        answer.map_err(|error| connection.explain("raising a generation", error))?;
    }
    Ok(())
}
