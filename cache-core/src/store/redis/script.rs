//! How long stored bodies are and how they end, told by the server instead of sending them over.
//!
//! Redis has no command for the length of a list's elements. The script only reads; where scripts are not allowed the
//! bodies are fetched and measured here.

use std::sync::LazyLock;

use redis::{Pipeline, RedisResult, Script, Value, cmd};

use super::connection::Connection;
use super::reply;
use crate::error::Result;

/// Named by its hash, which the server remembers.
///
/// `KEYS[1]`: a body; `ARGV[1]`: how many bytes of its start are wanted. Returns its elements, their bytes, the last
/// element where it is short enough to be a marker, and the start.
static MEASURE: LazyLock<Script> = LazyLock::new(|| Script::new(MEASURE_TEXT));

const MEASURE_TEXT: &str = "\
local count, size, last, start = redis.call('LLEN', KEYS[1]), 0, '', ''
for from = 0, count - 1, 64 do
  for _, chunk in ipairs(redis.call('LRANGE', KEYS[1], from, from + 63)) do
    size = size + #chunk
    last = chunk
    if start == '' then start = string.sub(chunk, 1, tonumber(ARGV[1])) end
  end
end
if #last > 32 then last = '-' end
return {count, size, last, start}";

/// What a stored body looks like from outside.
#[derive(Debug, Default)]
pub(super) struct Measure {
    /// Elements of the list, markers included.
    pub(super) count: u64,
    /// Bytes of all elements.
    pub(super) size: u64,
    /// The last element, where it is short.
    pub(super) last: Vec<u8>,
    /// The start of the first element.
    pub(super) start: Vec<u8>,
}

/// A body to be measured, and how many bytes of its start are wanted.
pub(super) struct Wanted {
    pub(super) key: String,
    pub(super) start: usize,
}

/// Measures bodies in one round trip, each with its own answer; a missing body has no elements.
pub(super) async fn measure(connection: &Connection, bodies: &[Wanted]) -> Result<Vec<RedisResult<Measure>>> {
    if connection.has_scripts() {
        let answers = run(connection, bodies).await?;
        let is_unknown = |answers: &[RedisResult<Value>]| {
            answers.iter().any(|answer| answer.as_ref().is_err_and(|error| error.code() == Some("NOSCRIPT")))
        };
        let answers = if is_unknown(&answers) {
            let mut load = Pipeline::new();
            load.cmd("SCRIPT").arg("LOAD").arg(MEASURE_TEXT);
            connection.pipeline("SCRIPT LOAD", &mut load).await?;
            run(connection, bodies).await?
        } else {
            answers
        };
        let is_refused = |answer: &RedisResult<Value>| {
            answer
                .as_ref()
                .is_err_and(|error| matches!(error.code(), Some("NOSCRIPT" | "NOPERM")) || is_unknown_command(error))
        };
        if !answers.iter().any(is_refused) {
            return Ok(answers.into_iter().map(|answer| answer.map(from_script)).collect());
        }
        connection.has_no_scripts();
    }
    let mut fetch = Pipeline::with_capacity(bodies.len());
    for body in bodies {
        fetch.add_command(cmd("LRANGE").arg(&body.key).arg(0).arg(-1).clone());
    }
    let answers = connection.pipeline("LRANGE", &mut fetch).await?;
    Ok(answers
        .into_iter()
        .zip(bodies)
        .map(|(answer, body)| answer.map(|value| from_chunks(value, body.start)))
        .collect())
}

pub(super) fn is_unknown_command(error: &redis::RedisError) -> bool {
    error.detail().is_some_and(|detail| detail.contains("unknown command"))
}

async fn run(connection: &Connection, bodies: &[Wanted]) -> Result<Vec<RedisResult<Value>>> {
    let mut pipe = Pipeline::with_capacity(bodies.len());
    for body in bodies {
        pipe.add_command(cmd("EVALSHA").arg(MEASURE.get_hash()).arg(1).arg(&body.key).arg(body.start).clone());
    }
    connection.pipeline("EVALSHA", &mut pipe).await
}

fn from_script(value: Value) -> Measure {
    let mut parts = reply::list(value).into_iter();
    let mut number = || parts.next().as_ref().and_then(reply::int).unwrap_or(0) as u64;
    let (count, size) = (number(), number());
    let mut bytes = || parts.next().and_then(reply::bytes).unwrap_or_default();
    Measure { count, size, last: bytes(), start: bytes() }
}

fn from_chunks(value: Value, start: usize) -> Measure {
    let chunks = reply::strings(value);
    let first = chunks.iter().find(|chunk| !chunk.is_empty()).map_or(&[][..], |chunk| chunk);
    Measure {
        count: chunks.len() as u64,
        size: chunks.iter().map(|chunk| chunk.len() as u64).sum(),
        last: chunks.last().filter(|chunk| chunk.len() <= 32).cloned().unwrap_or_default(),
        start: first[..first.len().min(start)].to_vec(),
    }
}
