//! The shared counters: one hash an hour, `animecache:{counters}:HOUR`, and one for all of them together; each expires
//! when nobody asks for it any more. The braces are Redis' own: they keep the hashes together in a cluster.

use std::collections::BTreeMap;

use redis::{Pipeline, Value, cmd};

use super::connection::Connection;
use super::reply;
use crate::clock;
use crate::counters::{Batch, Bucket, Counted, Counts, KEPT, Scope, forgotten_at, hour_of};
use crate::error::Result;

const EVER: &str = "animecache:{counters}:ever";

fn key(hour: i64) -> String {
    format!("animecache:{{counters}}:{hour}")
}

/// Adds a batch whole, and once: a connection that breaks does not tell whether the server has got it.
///
/// `KEYS`: the hash of all hours, then those of some hours; `ARGV`: the field for the process's last batch in the first
/// of these, the number of the batch, when each key expires, and then for each counter its hash, its field and what
/// to add.
const ADD: &str = "\
local last = tonumber(redis.call('HGET', KEYS[2], ARGV[1]) or 0)
if last >= tonumber(ARGV[2]) then return end
redis.call('HSET', KEYS[2], ARGV[1], ARGV[2])
for i = 3 + #KEYS, #ARGV, 3 do
  redis.call('HINCRBY', KEYS[tonumber(ARGV[i])], ARGV[i + 1], ARGV[i + 2])
  redis.call('HINCRBY', KEYS[1], ARGV[i + 1], ARGV[i + 2])
end
for i, key in ipairs(KEYS) do redis.call('EXPIREAT', key, ARGV[2 + i]) end";

pub(super) async fn add(connection: &Connection, batch: &Batch) -> Result<()> {
    let mut hours: Vec<i64> = batch.buckets.iter().map(|bucket| bucket.hour).collect();
    hours.dedup();
    let Some(newest) = hours.last() else { return Ok(()) };
    let mut command = cmd("EVAL");
    command.arg(ADD).arg(1 + hours.len()).arg(EVER);
    for hour in &hours {
        command.arg(key(*hour));
    }
    command.arg(format!("batch:{}", batch.process)).arg(batch.number).arg(forgotten_at(*newest));
    for hour in &hours {
        command.arg(forgotten_at(*hour));
    }
    for Bucket { hour, scope, counts } in &batch.buckets {
        // Lua counts from 1, and the first hash is the one of all hours.
        let place = 2 + hours.partition_point(|other| other < hour);
        for (field, value) in counts.fields().into_iter().filter(|(_, value)| *value > 0) {
            command.arg(place).arg(format!("{}:{field}", scope.name())).arg(value);
        }
    }
    connection.query("counting", &command).await.map(drop)
}

pub(super) async fn read(connection: &Connection, since: f64) -> Result<Counted> {
    let now = hour_of(clock::now());
    // Older ones have expired.
    let hours: Vec<i64> = (hour_of(since).max(now - hour_of(KEPT))..=now).collect();
    let mut pipe = Pipeline::with_capacity(hours.len() + 1);
    pipe.cmd("HGETALL").arg(EVER);
    for hour in &hours {
        pipe.cmd("HGETALL").arg(key(*hour));
    }
    let mut answers = connection.on_entries("reading counters", &mut pipe).await?.into_iter();
    let ever = answers.next().and_then(redis::RedisResult::ok).map(scopes).unwrap_or_default();
    let mut counted = Counted { ever, hours: Vec::new() };
    for (hour, answer) in hours.into_iter().zip(answers) {
        let scopes = answer.map(scopes).unwrap_or_default();
        counted.hours.extend(scopes.into_iter().map(|(scope, counts)| Bucket { hour, scope, counts }));
    }
    Ok(counted)
}

/// A hash of counters; what else is in it is not ours to understand.
fn scopes(hash: Value) -> BTreeMap<Scope, Counts> {
    let mut scopes = BTreeMap::<Scope, Counts>::new();
    for pair in reply::strings(hash).chunks_exact(2) {
        let (name, value) = (String::from_utf8_lossy(&pair[0]), String::from_utf8_lossy(&pair[1]));
        let Some((scope, field)) = name.rsplit_once(':') else { continue };
        let (Some(scope), Ok(value)) = (Scope::from_name(scope), value.parse()) else { continue };
        if let Some(counter) = scopes.entry(scope).or_default().field_mut(field) {
            *counter = value;
        }
    }
    scopes
}
