//! The shared counters: one hash an hour, `animecache:counters:{hour}`, which expires when nobody asks for it any more.

use redis::{Pipeline, RedisResult, cmd};

use super::connection::Connection;
use super::reply;
use crate::clock;
use crate::counters::{Bucket, Counts, KEPT, Scope};
use crate::error::Result;

fn key(hour: i64) -> String {
    format!("animecache:counters:{hour}")
}

pub(super) async fn add(connection: &Connection, buckets: &[Bucket]) -> Result<()> {
    let mut pipe = Pipeline::new();
    for bucket in buckets {
        for (name, value) in bucket.counts.fields().into_iter().filter(|(_, value)| *value > 0) {
            pipe.cmd("HINCRBY").arg(key(bucket.hour)).arg(format!("{}:{name}", bucket.scope.name())).arg(value);
        }
        pipe.cmd("EXPIREAT").arg(key(bucket.hour)).arg((bucket.hour + 1) * 3_600 + KEPT as i64);
    }
    // Never twice: what was counted once must not be counted again.
    let answers = connection.pipeline_once("counting", &mut pipe).await?;
    match answers.into_iter().find_map(RedisResult::err) {
        Some(error) => Err(connection.explain("counting", error)),
        None => Ok(()),
    }
}

pub(super) async fn read(connection: &Connection, since: f64) -> Result<Vec<Bucket>> {
    let hours: Vec<i64> = ((since / 3_600.0).floor() as i64..=(clock::now() / 3_600.0) as i64).collect();
    let mut pipe = Pipeline::with_capacity(hours.len());
    for hour in &hours {
        pipe.add_command(cmd("HGETALL").arg(key(*hour)).clone());
    }
    let answers = connection.on_entries("reading counters", &mut pipe).await?;
    let mut buckets = Vec::new();
    for (hour, answer) in hours.into_iter().zip(answers) {
        let mut scopes = std::collections::BTreeMap::<Scope, Counts>::new();
        let values = answer.map(reply::strings).unwrap_or_default();
        for pair in values.chunks_exact(2) {
            let (name, value) = (String::from_utf8_lossy(&pair[0]), String::from_utf8_lossy(&pair[1]));
            let Some((scope, field)) = name.rsplit_once(':') else { continue };
            let (Some(scope), Ok(value)) = (Scope::from_name(scope), value.parse()) else { continue };
            if let Some(counter) = scopes.entry(scope).or_default().field_mut(field) {
                *counter = value;
            }
        }
        buckets.extend(scopes.into_iter().map(|(scope, counts)| Bucket { hour, scope, counts }));
    }
    Ok(buckets)
}
