//! Incremental deletion of expired rows after writes.
//!
//! hishel scans all rows once an hour. Scanning a few rows after some of the writes deletes as many and blocks no
//! caller.

use std::time::Duration;

use rusqlite::{Connection, TransactionBehavior};

use crate::clock;
use crate::model::entry::{EntryState, StorageLayout};
use crate::model::service::ServiceRegistry;
use crate::model::summary::Summary;
use crate::store::sqlite::delete::remove_from;
use crate::store::sqlite::failure::Failure;
use crate::store::sqlite::rows::{Depth, Reader};
use crate::store::sqlite::scan;
use crate::store::sqlite::schema::BUSY_TIMEOUT;

/// The number of writes between two steps.
const WRITES: u32 = 32;

/// The number of rows of each table in a step: twice as many as are added in between, so that the sweep advances.
const STEP_ROWS: u32 = 2 * WRITES;

/// How long, in seconds, an expired entry is kept for its current readers; hishel's own value.
const GRACE: f64 = 180.0;

/// How long, in seconds, an entry may take to be written; hishel's own value.
const MAX_WRITE: f64 = 3_600.0;

/// Position of the sweep.
pub(crate) struct Sweep {
    /// Writes since the last step.
    writes: u32,
    /// The row of the last scanned entry.
    entries: i64,
    /// The entry of the last scanned body.
    bodies: Vec<u8>,
}

impl Default for Sweep {
    /// The first step is due after the first write: many programs write little.
    fn default() -> Self {
        Self { writes: WRITES - 1, entries: i64::MIN, bodies: Vec::new() }
    }
}

impl Sweep {
    /// Counts a write, and sweeps the next rows of each table if a step is due.
    pub(crate) fn has_grown(
        &mut self,
        connection: &mut Connection,
        layout: StorageLayout,
        services: &ServiceRegistry,
    ) -> Result<(), Failure> {
        self.writes += 1;
        if self.writes < WRITES {
            return Ok(());
        }
        self.writes = 0;
        // A caller waits for the write: if another program holds the lock, skip this step.
        connection.busy_timeout(Duration::ZERO)?;
        let swept = self.step(connection, layout, services);
        connection.busy_timeout(BUSY_TIMEOUT)?;
        swept
    }

    fn step(
        &mut self,
        connection: &mut Connection,
        layout: StorageLayout,
        services: &ServiceRegistry,
    ) -> Result<(), Failure> {
        let now = clock::now();
        let change = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let reader = Reader { connection: &change, layout, services, now };

        let entries = reader.entries("e.rowid > ?1", self.entries, STEP_ROWS, Depth::Summary)?;
        self.entries =
            entries.last().filter(|_| entries.len() == STEP_ROWS as usize).map_or(i64::MIN, |last| last.rowid);
        let (orphans, next) = scan::orphans(&change, &self.bodies, STEP_ROWS / 4)?;
        self.bodies = next.unwrap_or_default();
        let dead = entries.into_iter().map(|found| found.summary).filter(|summary| is_dead(summary, now));
        let dead: Vec<_> = dead.chain(orphans).map(|summary| summary.id).collect();
        remove_from(&change, layout, &dead)?;

        change
            .prepare_cached(
                "DELETE FROM animecache_results WHERE rowid IN
                     (SELECT rowid FROM animecache_results WHERE expires_at <= ?1 LIMIT ?2)",
            )?
            .execute((now, STEP_ROWS))?;
        Ok(change.commit()?)
    }
}

fn is_dead(entry: &Summary, now: f64) -> bool {
    match entry.state {
        EntryState::Deleted => entry.expires_at.is_some_and(|at| at + GRACE < now),
        // hishel 2 does not record when it began to write, but when it last updated the row.
        EntryState::Incomplete => entry.created_at.or(entry.last_used).is_some_and(|at| at + MAX_WRITE < now),
        EntryState::Live | EntryState::Corrupt | EntryState::Orphan => false,
    }
}
