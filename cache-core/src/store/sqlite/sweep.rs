//! Incremental deletion of expired rows after writes.
//!
//! hishel scans all rows once an hour. Scanning a few rows after some of the writes deletes as many and blocks no
//! caller. Only what carries its own end is deleted: an expiry, a mark, or a body that no longer grows.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use rusqlite::{Connection, Transaction, TransactionBehavior};

use crate::clock;
use crate::model::entry::{EntryState, StorageLayout};
use crate::model::service::ServiceRegistry;
use crate::store::sqlite::delete::remove_from;
use crate::store::sqlite::failure::Failure;
use crate::store::sqlite::rows::{Depth, Reader, StoredResponse};
use crate::store::sqlite::scan;
use crate::store::sqlite::schema::BUSY_TIMEOUT;
use crate::store::sqlite::space::FileSpace;

/// The number of writes between two steps.
const WRITES: u32 = 32;

/// The number of rows of each table in a step: twice as many as are added in between, so that the sweep advances.
const STEP_ROWS: u32 = 2 * WRITES;

/// The number of results that make room in a step of a nearly full file.
const EVICTED_RESULTS: u32 = 4;

/// How long, in seconds, an expired entry is kept for its current readers; hishel's own value.
const GRACE: f64 = 180.0;

/// How long, in seconds, an entry that was marked as deleted is kept; hishel's own value.
const DELETED_GRACE: f64 = 3_600.0;

/// How long an unfinished entry may stay as it is: its writer may be slow, and an age says nothing about that.
const MAX_PAUSE: Duration = Duration::from_secs(3_600);

/// The number of unfinished entries that are observed at once; others are kept.
const MAX_OBSERVED: usize = 1_024;

/// Position of the sweep.
pub(crate) struct Sweep {
    /// Writes since the last step.
    writes: u32,
    /// The row of the last scanned entry.
    entries: i64,
    /// The entry of the last scanned body.
    bodies: Vec<u8>,
    unfinished: Unfinished,
}

/// Unfinished entries by row, as they were when they were first seen in this state.
#[derive(Default)]
struct Unfinished(HashMap<i64, Observation>);

struct Observation {
    chunks: u64,
    since: Instant,
    /// Whether this round of the sweep has met the row.
    is_present: bool,
}

impl Unfinished {
    /// Whether an unfinished entry has not grown for [`MAX_PAUSE`].
    fn is_abandoned(&mut self, found: &StoredResponse, now: Instant) -> bool {
        let first = Observation { chunks: found.chunks, since: now, is_present: true };
        if !self.0.contains_key(&found.rowid) && self.0.len() >= MAX_OBSERVED {
            return false;
        }
        let seen = self.0.entry(found.rowid).or_insert(first);
        seen.is_present = true;
        if seen.chunks != found.chunks {
            (seen.chunks, seen.since) = (found.chunks, now);
        }
        now.saturating_duration_since(seen.since) > MAX_PAUSE
    }

    /// Forgets the rows that the round that ends has not met.
    fn end_round(&mut self) {
        self.0.retain(|_, seen| std::mem::take(&mut seen.is_present));
    }
}

impl Default for Sweep {
    /// The first step is due after the first write: many programs write little.
    fn default() -> Self {
        Self { writes: WRITES - 1, entries: i64::MIN, bodies: Vec::new(), unfinished: Unfinished::default() }
    }
}

impl Sweep {
    /// Counts a write, and sweeps the next rows of each table if a step is due.
    pub(crate) fn has_grown(
        &mut self,
        connection: &mut Connection,
        layout: StorageLayout,
        services: &ServiceRegistry,
        max_bytes: u64,
    ) -> Result<(), Failure> {
        self.writes += 1;
        if self.writes < WRITES {
            return Ok(());
        }
        self.writes = 0;
        // A caller waits for the write: if another program holds the lock, skip this step.
        connection.busy_timeout(Duration::ZERO)?;
        let swept = self.step(connection, layout, services, max_bytes, Instant::now());
        connection.busy_timeout(BUSY_TIMEOUT)?;
        swept
    }

    fn step(
        &mut self,
        connection: &mut Connection,
        layout: StorageLayout,
        services: &ServiceRegistry,
        max_bytes: u64,
        at: Instant,
    ) -> Result<(), Failure> {
        let now = clock::now();
        let change = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let reader = Reader { connection: &change, layout, services, now };
        let is_full = FileSpace::read(&change)?.is_nearly_full(max_bytes);
        if is_full {
            // The next write makes room, too.
            self.writes = WRITES - 1;
        }

        let entries = reader.entries("e.rowid > ?1", self.entries, STEP_ROWS, Depth::Summary)?;
        let last = entries.last().filter(|_| entries.len() == STEP_ROWS as usize).map(|last| last.rowid);
        let (orphans, next) = scan::orphans(&change, &self.bodies, STEP_ROWS / 4)?;
        self.bodies = next.unwrap_or_default();
        let dead = entries.into_iter().filter(|found| match found.summary.state {
            EntryState::Deleted => is_over(found, now),
            EntryState::Incomplete => self.unfinished.is_abandoned(found, at),
            EntryState::Live => is_full && found.is_own,
            EntryState::Corrupt | EntryState::Orphan => false,
        });
        let dead: Vec<_> = dead.map(|found| found.summary).chain(orphans).map(|summary| summary.id).collect();
        if last.is_none() {
            self.unfinished.end_round();
        }
        self.entries = last.unwrap_or(i64::MIN);
        remove_from(&change, layout, &dead)?;

        change
            .prepare_cached(
                "DELETE FROM animecache_results WHERE rowid IN
                     (SELECT rowid FROM animecache_results WHERE expires_at <= ?1 ORDER BY expires_at LIMIT ?2)",
            )?
            .execute((if is_full { f64::MAX } else { now }, if is_full { EVICTED_RESULTS } else { STEP_ROWS }))?;
        sweep_leases(&change, now, STEP_ROWS)?;
        Ok(change.commit()?)
    }
}

/// Deletes leases that have ended, at most `count`.
fn sweep_leases(change: &Transaction<'_>, now: f64, count: u32) -> Result<(), Failure> {
    change
        .prepare_cached(
            "DELETE FROM animecache_leases WHERE name IN
                 (SELECT name FROM animecache_leases WHERE expires_at <= ?1 LIMIT ?2)",
        )?
        .execute((now, count))?;
    Ok(())
}

/// Whether a deleted entry is old enough for its current readers to be done.
fn is_over(found: &StoredResponse, now: f64) -> bool {
    found.summary.expires_at.is_some_and(|at| at + GRACE < now)
        || found.deleted_at.is_some_and(|at| at + DELETED_GRACE < now)
}

#[cfg(test)]
mod tests {
    use rusqlite::Connection;
    use uuid::Uuid;

    use super::*;
    use crate::format::msgpack;
    use crate::model::entry::{Entry, Request, Response};
    use crate::model::key::CacheKey;
    use crate::store::sqlite::schema;

    /// A file of layout C with one entry that has no end marker, stored two days ago.
    fn unfinished() -> (Connection, Uuid) {
        let connection = Connection::open_in_memory().unwrap();
        schema::create(&connection).unwrap();
        schema::create_own(&connection).unwrap();
        let entry = Entry {
            id: Uuid::new_v4(),
            cache_key: CacheKey::new(*b"key"),
            request: Request { method: "GET".into(), url: "https://api.example.com/".into(), ..Request::default() },
            response: Response { status_code: 200, ..Response::default() },
            created_at: Some(clock::now() - 172_800.0),
            deleted_at: None,
        };
        let sql = "INSERT INTO entries (id, cache_key, data, created_at) VALUES (?1, x'6b6579', ?2, ?3)";
        connection.execute(sql, (entry.id.as_bytes(), msgpack::encode_pair(&entry), entry.created_at)).unwrap();
        (connection, entry.id)
    }

    fn grow(connection: &Connection, id: Uuid, chunk: i64) {
        let sql = "INSERT INTO streams (entry_id, chunk_number, chunk_data) VALUES (?1, ?2, x'00')";
        connection.execute(sql, (id.as_bytes(), chunk)).unwrap();
    }

    #[test]
    fn only_a_body_that_no_longer_grows_is_abandoned() {
        let (mut connection, id) = unfinished();
        let (mut sweep, begin) = (Sweep::default(), Instant::now());
        let minute = Duration::from_mins(1);
        let is_kept = |sweep: &mut Sweep, connection: &mut Connection, at: Instant| {
            sweep.step(connection, StorageLayout::Sqlite1, &ServiceRegistry::default(), u64::MAX, at).unwrap();
            connection.query_row("SELECT COUNT(*) FROM entries", [], |row| row.get::<_, i64>(0)).unwrap() == 1
        };
        for chunk in 0..5 {
            assert!(
                is_kept(&mut sweep, &mut connection, begin + 50 * minute * chunk),
                "a slow stream of {chunk} chunks"
            );
            grow(&connection, id, i64::from(chunk));
        }
        let pause = begin + 50 * minute * 5;
        assert!(is_kept(&mut sweep, &mut connection, pause));
        assert!(is_kept(&mut sweep, &mut connection, pause + 59 * minute));
        assert!(!is_kept(&mut sweep, &mut connection, pause + 61 * minute));
        assert!(sweep.unfinished.0.len() <= 1);
        assert!(!is_kept(&mut sweep, &mut connection, pause + 61 * minute));
        assert!(sweep.unfinished.0.is_empty());
    }
}
