//! The shared counters, one row for each counter of each hour.

use std::collections::BTreeMap;

use rusqlite::Connection;

use super::database::Database;
use super::schema;
use super::worker::Failure;
use crate::counters::{Bucket, Counts, KEPT, Scope};

pub(super) fn add(database: &mut Database, buckets: &[Bucket]) -> Result<(), Failure> {
    let (change, _) = database.change()?;
    for bucket in buckets {
        for (field, value) in bucket.counts.fields().into_iter().filter(|(_, value)| *value > 0) {
            change
                .prepare_cached(
                    "INSERT INTO animecache_counters (hour, name, field, value) VALUES (?1, ?2, ?3, ?4)
                     ON CONFLICT (hour, name, field) DO UPDATE SET value = value + excluded.value",
                )?
                .execute((bucket.hour, bucket.scope.name(), field, value as i64))?;
        }
    }
    if let Some(hour) = buckets.iter().map(|bucket| bucket.hour).max() {
        let oldest = hour - KEPT as i64 / 3_600;
        change.prepare_cached("DELETE FROM animecache_counters WHERE hour < ?1")?.execute([oldest])?;
    }
    change.commit()?;
    Ok(())
}

pub(super) fn read(connection: &Connection, since: f64) -> Result<Vec<Bucket>, Failure> {
    if !schema::has_own(connection)? {
        return Ok(Vec::new());
    }
    let mut statement =
        connection.prepare_cached("SELECT hour, name, field, value FROM animecache_counters WHERE hour >= ?1")?;
    let mut rows = statement.query([(since / 3_600.0).floor() as i64])?;
    let mut counters = BTreeMap::<(i64, Scope), Counts>::new();
    while let Some(row) = rows.next()? {
        let (hour, name, field, value): (i64, String, String, i64) = row.try_into()?;
        let Some(scope) = Scope::from_name(&name) else { continue };
        if let Some(counter) = counters.entry((hour, scope)).or_default().field_mut(&field) {
            *counter = value as u64;
        }
    }
    Ok(counters.into_iter().map(|((hour, scope), counts)| Bucket { hour, scope, counts }).collect())
}
