//! The shared counters: one row for each counter of each hour.

use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension as _};

use crate::model::stats::{Counters, HourlyCounters, RETENTION, Scope, StatsDelta, hour_of};
use crate::model::window::StatsSnapshot;
use crate::store::sqlite::database::Database;
use crate::store::sqlite::failure::Failure;
use crate::store::sqlite::schema;

/// Replaces the hour in the rows of the totals.
const EVER: i64 = 0;

/// Replaces the scope in the rows of each process's last delta.
const LAST_BATCH: &str = "batch";

/// The number of hours for which the last delta of a process is known.
const BATCH_HOURS: i64 = 2;

pub(crate) fn add(database: &mut Database, batch: &StatsDelta) -> Result<(), Failure> {
    let (Some(first), Some(last)) = (batch.buckets.first(), batch.buckets.last()) else { return Ok(()) };
    let (change, _) = database.change()?;
    let process = batch.process.to_string();
    let known: Option<i64> = change
        .prepare_cached("SELECT value FROM animecache_counters WHERE hour = ?1 AND name = ?2 AND field = ?3")?
        .query_row((first.hour, LAST_BATCH, &process), |row| row.get(0))
        .optional()?;
    if known.is_some_and(|number| number >= batch.number.cast_signed()) {
        return Ok(());
    }
    change
        .prepare_cached("REPLACE INTO animecache_counters (hour, name, field, value) VALUES (?1, ?2, ?3, ?4)")?
        .execute((first.hour, LAST_BATCH, &process, batch.number.cast_signed()))?;
    for HourlyCounters { hour, scope, counts } in &batch.buckets {
        let name = scope.name();
        for (field, value) in counts.fields().into_iter().filter(|(_, value)| *value > 0) {
            for hour in [*hour, EVER] {
                change
                    .prepare_cached(
                        "INSERT INTO animecache_counters (hour, name, field, value) VALUES (?1, ?2, ?3, ?4)
                         ON CONFLICT (hour, name, field) DO UPDATE SET value = value + excluded.value",
                    )?
                    .execute((hour, &name, field, value.cast_signed()))?;
            }
        }
    }
    let oldest = last.hour - hour_of(RETENTION);
    change.prepare_cached("DELETE FROM animecache_counters WHERE hour < ?1 AND hour <> ?2")?.execute((oldest, EVER))?;
    // A delta is sent again soon or never: otherwise each short process would leave a row for days.
    change
        .prepare_cached("DELETE FROM animecache_counters WHERE name = ?1 AND hour < ?2")?
        .execute((LAST_BATCH, last.hour - BATCH_HOURS))?;
    change.commit()?;
    Ok(())
}

pub(crate) fn read(connection: &Connection, since: f64) -> Result<StatsSnapshot, Failure> {
    let mut counted = StatsSnapshot::default();
    if !schema::has_counters(connection)? {
        return Ok(counted);
    }
    let mut statement = connection.prepare_cached(
        "SELECT hour, name, field, value FROM animecache_counters WHERE (hour >= ?1 OR hour = ?2) AND name <> ?3",
    )?;
    let mut rows = statement.query((hour_of(since), EVER, LAST_BATCH))?;
    let mut hours = BTreeMap::<(i64, Scope), Counters>::new();
    while let Some(row) = rows.next()? {
        // Invalid rows are ignored.
        let Ok((hour, name, field, value)) = <(i64, String, String, i64)>::try_from(row) else { continue };
        let (Some(scope), Ok(value)) = (Scope::from_name(&name), value.try_into()) else { continue };
        let counts =
            if hour == EVER { counted.ever.entry(scope).or_default() } else { hours.entry((hour, scope)).or_default() };
        if let Some(counter) = counts.field_mut(&field) {
            *counter = value;
        }
    }
    counted.hours = hours.into_iter().map(|((hour, scope), counts)| HourlyCounters { hour, scope, counts }).collect();
    Ok(counted)
}
