//! Measuring stored bodies on the server, instead of transferring them.
//!
//! Redis has no command for the length of a list's elements. The script only reads; if scripts are not allowed, the
//! bodies are fetched and measured here.

use std::sync::LazyLock;

use redis::{Pipeline, RedisResult, Value};

use crate::error::Result;
use crate::store::redis::connection::Connection;
use crate::store::redis::driver_error::lacks_right_to_keys;
use crate::store::redis::reply;
use crate::store::redis::script::{Script, is_unloaded};

/// `KEYS`: bodies; `ARGV`: for each, the number of bytes wanted of its start. Returns four values for each body: the
/// number of its elements (-1: not a list), their bytes, the last element if it is short enough to be a marker, and the
/// start.
static MEASURE: LazyLock<Script> = LazyLock::new(|| Script::new("the script that measures bodies", MEASURE_TEXT));

const MEASURE_TEXT: &str = "\
local found = {}
for i, key in ipairs(KEYS) do
  local from, count, size, last, start = 0, 0, 0, '', ''
  repeat
    local chunks = redis.pcall('LRANGE', key, from, from + 63)
    if chunks.err then count = -1 break end
    for _, chunk in ipairs(chunks) do
      size = size + #chunk
      last = chunk
      if start == '' then start = string.sub(chunk, 1, tonumber(ARGV[i])) end
    end
    count = count + #chunks
    from = from + 64
  until #chunks < 64
  if #last > 32 then last = '-' end
  local at = #found
  found[at + 1], found[at + 2], found[at + 3], found[at + 4] = count, size, last, start
end
return found";

/// The number of bodies that one call measures: few, since a call blocks the server; not one, since a call costs as
/// much as measuring several small bodies.
const MAX_CONCURRENT: usize = 16;

/// A body with at most this memory usage counts as short; bytes.
const SMALL_BYTES: i64 = 8_192;

/// Measurements of a stored body.
#[derive(Debug, Default)]
pub(crate) struct Measure {
    /// Elements of the list, markers included.
    pub(crate) count: u64,
    /// Bytes of all elements.
    pub(crate) size: u64,
    /// The last element, if it is short.
    pub(crate) last: Vec<u8>,
    /// The start of the first element.
    pub(crate) start: Vec<u8>,
}

/// A body to be measured, and the number of bytes wanted of its start.
pub(crate) struct MeasureRequest {
    pub(crate) key: String,
    pub(crate) start: usize,
    /// `MEMORY USAGE` of the key, if known.
    pub(crate) memory: Option<i64>,
}

impl MeasureRequest {
    /// Transferring a short body takes less time than measuring it by script.
    fn is_small(&self) -> bool {
        self.memory.is_some_and(|bytes| bytes <= SMALL_BYTES)
    }
}

/// The measurements of a body. `None`: the key is not a list; a missing body has no elements. An error: the key may not
/// be read.
pub(crate) type Measured = RedisResult<Option<Measure>>;

/// Measures bodies.
pub(crate) async fn measure(connection: &Connection, bodies: &[MeasureRequest]) -> Result<Vec<Measured>> {
    let (small, large): (Vec<&MeasureRequest>, Vec<&MeasureRequest>) = bodies.iter().partition(|body| body.is_small());
    let (small, large) = tokio::try_join!(fetch(connection, &small), run(connection, &large))?;
    let (mut small, mut large) = (small.into_iter(), large.into_iter());
    Ok(bodies
        .iter()
        .map(|body| if body.is_small() { small.next() } else { large.next() }.unwrap_or(Ok(None)))
        .collect())
}

/// Measures bodies on the server; fetches them in groups if it runs no scripts.
async fn run(connection: &Connection, bodies: &[&MeasureRequest]) -> Result<Vec<Measured>> {
    if !MEASURE.is_refused(connection) {
        let mut answers = eval(connection, bodies).await?;
        if answers.iter().any(|answer| answer.as_ref().is_err_and(is_unloaded)) {
            let mut load = Pipeline::new();
            load.cmd("SCRIPT").arg("LOAD").arg(MEASURE.text());
            connection.pipeline("SCRIPT LOAD", &mut load).await?;
            answers = eval(connection, bodies).await?;
        }
        match answers.iter().find_map(|answer| answer.as_ref().err()) {
            Some(error) => MEASURE.refused(connection, error),
            None => return Ok(answers.into_iter().filter_map(RedisResult::ok).flat_map(from_script).map(Ok).collect()),
        }
    }
    let mut measures = Vec::with_capacity(bodies.len());
    for bodies in bodies.chunks(MAX_CONCURRENT) {
        measures.extend(fetch(connection, bodies).await?);
    }
    Ok(measures)
}

/// Fetches bodies to measure them here.
async fn fetch(connection: &Connection, bodies: &[&MeasureRequest]) -> Result<Vec<Measured>> {
    let mut pipe = Pipeline::with_capacity(bodies.len());
    for body in bodies {
        pipe.cmd("LRANGE").arg(&body.key).arg(0).arg(-1);
    }
    let answers = connection.on_readable_entries("LRANGE", &mut pipe).await?;
    let measured = answers.into_iter().zip(bodies).map(|(answer, body)| match answer {
        Ok(chunks) => Ok(Some(from_chunks(chunks, body.start))),
        Err(error) if lacks_right_to_keys(&error) => Err(error),
        Err(_) => Ok(None),
    });
    Ok(measured.collect())
}

async fn eval(connection: &Connection, bodies: &[&MeasureRequest]) -> Result<Vec<RedisResult<Value>>> {
    let mut pipe = Pipeline::with_capacity(bodies.len().div_ceil(MAX_CONCURRENT));
    for bodies in bodies.chunks(MAX_CONCURRENT) {
        let keys: Vec<_> = bodies.iter().map(|body| body.key.as_bytes()).collect();
        let starts: Vec<_> = bodies.iter().map(|body| body.start.to_string()).collect();
        let starts: Vec<_> = starts.iter().map(String::as_bytes).collect();
        pipe.add_command(MEASURE.by_hash(&keys, &starts));
    }
    connection.pipeline("EVALSHA", &mut pipe).await
}

fn from_script(answer: Value) -> Vec<Option<Measure>> {
    let mut values = reply::list(answer).into_iter();
    let mut measures = Vec::with_capacity(MAX_CONCURRENT);
    while let (Some(count), Some(size), Some(last), Some(start)) =
        (values.next(), values.next(), values.next(), values.next())
    {
        let number = |value: &Value| u64::try_from(reply::int(value).unwrap_or(-1)).ok();
        measures.push(number(&count).map(|count| Measure {
            count,
            size: number(&size).unwrap_or(0),
            last: reply::bytes(last).unwrap_or_default(),
            start: reply::bytes(start).unwrap_or_default(),
        }));
    }
    measures
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
