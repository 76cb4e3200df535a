//! Statistics: one hash for each hour, and one for the totals. Each expires when no program reads it any more.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use redis::{Pipeline, Value, cmd};

use crate::clock;
use crate::error::{CodecError, Error, Result, error_chain};
use crate::model::stats::{Counters, HourlyCounters, RETENTION, Scope, StatsDelta, expires_at, hour_of};
use crate::model::window::StatsSnapshot;
use crate::store::redis::connection::{Connection, multi};
use crate::store::redis::script::Script;
use crate::store::redis::{layout, reply};

/// Adds a delta atomically and once: after a broken connection it is unknown whether the server has received it.
///
/// `KEYS`: the hash of the totals, then those of some hours; `ARGV`: the field for the process's last delta in the
/// first of these, the sequence number of the delta, the TTL of each key in seconds, and then for each counter its hash, its
/// field and the increment.
static ADD: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        "the script for counters",
        "local last = tonumber(redis.call('HGET', KEYS[2], ARGV[1]) or 0)
         if last >= tonumber(ARGV[2]) then return 0 end
         redis.call('HSET', KEYS[2], ARGV[1], ARGV[2])
         for i = 3 + #KEYS, #ARGV, 3 do
           redis.call('HINCRBY', KEYS[tonumber(ARGV[i])], ARGV[i + 1], ARGV[i + 2])
           redis.call('HINCRBY', KEYS[1], ARGV[i + 1], ARGV[i + 2])
         end
         for i, key in ipairs(KEYS) do
           if redis.call('TTL', key) < tonumber(ARGV[2 + i]) then redis.call('EXPIRE', key, ARGV[2 + i]) end
         end
         return 1",
    )
});

pub(crate) async fn add(connection: &Connection, delta: &StatsDelta) -> Result<()> {
    let (now, shift) = (clock::now(), hours_ahead(connection).await?);
    let mut hours: Vec<i64> = delta.buckets.iter().map(|bucket| bucket.hour).collect();
    hours.dedup();
    let Some(newest) = hours.last() else { return Ok(()) };
    let keys: Vec<String> = std::iter::once(layout::STATS_EVER.to_owned())
        .chain(hours.iter().map(|hour| layout::stats(hour + shift)))
        .collect();
    // Relative to the clock that counted the hours, whatever the server's clock shows.
    let ttl = |hour: &i64| (expires_at(*hour) - now as i64).max(1);
    let ends: Vec<i64> = std::iter::once(newest).chain(&hours).map(ttl).collect();
    let last_delta = format!("batch:{}", delta.process);
    // The index of the hash, the field and the increment. The first hash is the one of the totals.
    let additions: Vec<(usize, String, u64)> = delta
        .buckets
        .iter()
        .flat_map(|HourlyCounters { hour, scope, counts }| {
            let place = 1 + hours.partition_point(|other| other < hour);
            let added = counts.fields().into_iter().filter(|(_, value)| *value > 0);
            added.map(move |(field, value)| (place, format!("{}:{field}", scope.name()), value))
        })
        .collect();

    let mut arguments = vec![last_delta.clone(), delta.number.to_string()];
    arguments.extend(ends.iter().map(i64::to_string));
    for (place, field, value) in &additions {
        // Lua counts from 1.
        arguments.extend([(place + 1).to_string(), field.clone(), value.to_string()]);
    }
    if ADD.run(connection, "counting", &slices(&keys), &slices(&arguments)).await?.is_some() {
        return Ok(());
    }

    // No other process adds deltas of this process.
    let last = connection.query("HGET", cmd("HGET").arg(&keys[1]).arg(&last_delta)).await?;
    if reply::text(last).and_then(|last| last.parse().ok()).is_some_and(|last: u64| last >= delta.number) {
        return Ok(());
    }
    let mut pipe = multi();
    pipe.cmd("HSET").arg(&keys[1]).arg(last_delta).arg(delta.number);
    for (place, field, value) in &additions {
        pipe.cmd("HINCRBY").arg(&keys[*place]).arg(field).arg(value);
        pipe.cmd("HINCRBY").arg(layout::STATS_EVER).arg(field).arg(value);
    }
    for (key, end) in keys.iter().zip(ends) {
        pipe.cmd("EXPIRE").arg(key).arg(end);
    }
    connection.transaction("counting", pipe, false).await.map(drop)
}

fn slices(texts: &[String]) -> Vec<&[u8]> {
    texts.iter().map(String::as_bytes).collect()
}

pub(crate) async fn read(connection: &Connection, since: f64) -> Result<StatsSnapshot> {
    let (now, shift) = (hour_of(clock::now()), hours_ahead(connection).await?);
    // Older ones have expired.
    let hours: Vec<i64> = (hour_of(since).max(now - hour_of(RETENTION))..=now).collect();
    let mut pipe = Pipeline::with_capacity(hours.len() + 1);
    pipe.cmd("HGETALL").arg(layout::STATS_EVER);
    for hour in &hours {
        pipe.cmd("HGETALL").arg(layout::stats(hour + shift));
    }
    let answers = match connection.on_entries("reading counters", &mut pipe).await {
        // A user may read entries and not these: unknown counters take nothing else with them.
        Err(error @ Error::Refused { .. }) => {
            return Ok(StatsSnapshot { unavailable: Some(error_chain(&error)), ..StatsSnapshot::default() });
        }
        answers => answers?,
    };
    // A key of the wrong type has no counters.
    let mut hashes = answers.into_iter().map(|answer| answer.map_or_else(|_| Ok(BTreeMap::new()), scopes));
    let ever = hashes.next().transpose()?.unwrap_or_default();
    let mut counted = StatsSnapshot { ever, ..StatsSnapshot::default() };
    for (hour, scopes) in hours.into_iter().zip(hashes) {
        let scopes = scopes?;
        counted.hours.extend(scopes.into_iter().map(|(scope, counts)| HourlyCounters { hour, scope, counts }));
    }
    Ok(counted)
}

/// How many hours the server's clock is ahead: the hours of all machines that count are those of the server.
async fn hours_ahead(connection: &Connection) -> Result<i64> {
    let offset = connection.server().await?.clock_offset_ms.unwrap_or(0) as f64 / 1e3;
    let now = clock::now();
    Ok(hour_of(now + offset) - hour_of(now))
}

/// The counters in a hash; other fields are ignored. A reply of another type must not look as if nothing was counted.
fn scopes(hash: Value) -> Result<BTreeMap<Scope, Counters>> {
    if !matches!(hash, Value::Array(_) | Value::Map(_)) {
        let source = CodecError::Missing("fields");
        return Err(Error::Corrupt { what: "the reply of HGETALL".to_owned(), source });
    }
    let mut scopes = BTreeMap::<Scope, Counters>::new();
    for pair in reply::strings(hash).chunks_exact(2) {
        let (name, value) = (String::from_utf8_lossy(&pair[0]), String::from_utf8_lossy(&pair[1]));
        let Some((scope, field)) = name.rsplit_once(':') else { continue };
        let (Some(scope), Ok(value)) = (Scope::from_name(scope), value.parse()) else { continue };
        if let Some(counter) = scopes.entry(scope).or_default().field_mut(field) {
            *counter = value;
        }
    }
    Ok(scopes)
}
