//! Dead rows leave the file a few at a time, behind the writes that would else let it grow for ever.
//!
//! hishel looks at every row once an hour; a short stretch behind every few writes takes as much out and blocks no caller.

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

/// A stretch is looked at behind so many writes.
const WRITES: u32 = 32;

/// How many rows of each table a stretch has: twice as many as are added in between, so that it comes round.
const STEP_ROWS: u32 = 2 * WRITES;

/// How long, in seconds, an expired entry stays for its current readers; hishel's own value.
const GRACE: f64 = 180.0;

/// How long, in seconds, an entry may take to be written; hishel's own value.
const MAX_WRITE: f64 = 3_600.0;

/// Where the sweep stands.
pub(crate) struct Sweep {
    /// Writes since the last stretch.
    writes: u32,
    /// The last entry's row that was looked at.
    entries: i64,
    /// The last body's entry that was looked at.
    bodies: Vec<u8>,
}

impl Default for Sweep {
    /// Due behind the first write: many programs make few.
    fn default() -> Self {
        Self { writes: WRITES - 1, entries: i64::MIN, bodies: Vec::new() }
    }
}

impl Sweep {
    /// Counts a write, and looks at the next stretch of each table where it is time to.
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
        // Somebody waits for what was written just now: where another program has the lock, the next time will do.
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
        // hishel 2 does not say when it began to write, but when it last touched the row.
        EntryState::Incomplete => entry.created_at.or(entry.last_used).is_some_and(|at| at + MAX_WRITE < now),
        EntryState::Live | EntryState::Corrupt | EntryState::Orphan => false,
    }
}
