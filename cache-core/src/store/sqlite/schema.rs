//! The tables: detecting the layout of a file, and creating a new one.

use std::collections::BTreeSet;
use std::time::Duration;

use rusqlite::Connection;

use crate::model::entry::StorageLayout;
use crate::store::sqlite::failure::Failure;

/// How long a call waits for another program's lock; hishel's own value.
pub(crate) const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// The tables of this crate, for results, counters, leases and rate limits. hishel ignores them.
pub(crate) const RESULTS: &str = "animecache_results";

/// Layout C, exactly as hishel 1.3 creates it.
const HISHEL_1: &str = "
    CREATE TABLE IF NOT EXISTS entries (
        id BLOB PRIMARY KEY,
        cache_key BLOB,
        data BLOB NOT NULL,
        created_at REAL NOT NULL,
        deleted_at REAL
    );
    CREATE TABLE IF NOT EXISTS streams (
        entry_id BLOB NOT NULL,
        chunk_number INTEGER NOT NULL,
        chunk_data BLOB NOT NULL,
        PRIMARY KEY (entry_id, chunk_number),
        FOREIGN KEY (entry_id) REFERENCES entries(id) ON DELETE CASCADE
    );
    CREATE INDEX IF NOT EXISTS idx_entries_deleted_at ON entries(deleted_at);
    CREATE INDEX IF NOT EXISTS idx_entries_cache_key ON entries(cache_key);";

/// Keys are BLOBs: they may hold any bytes. A counter is one field of one name in one hour (Unix seconds / 3600).
const OWN: &str = "
    CREATE TABLE IF NOT EXISTS animecache_results (
        key BLOB NOT NULL PRIMARY KEY,
        value BLOB NOT NULL,
        created_at REAL NOT NULL,
        expires_at REAL
    );
    CREATE INDEX IF NOT EXISTS animecache_results_expiry ON animecache_results (expires_at);
    CREATE TABLE IF NOT EXISTS animecache_counters (
        hour INTEGER NOT NULL,
        name TEXT NOT NULL,
        field TEXT NOT NULL,
        value INTEGER NOT NULL,
        PRIMARY KEY (hour, name, field)
    ) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS animecache_leases (
        name BLOB NOT NULL PRIMARY KEY,
        owner BLOB,
        expires_at REAL NOT NULL
    ) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS animecache_turns (
        name TEXT NOT NULL,
        at REAL NOT NULL,
        is_hold INTEGER NOT NULL
    );
    CREATE INDEX IF NOT EXISTS animecache_turns_by_name ON animecache_turns (name, at);
    CREATE TABLE IF NOT EXISTS animecache_generations (
        key BLOB NOT NULL PRIMARY KEY,
        number INTEGER NOT NULL,
        raised_at REAL NOT NULL
    );";

pub(crate) const COLUMNS_1: [&str; 5] = ["cache_key", "created_at", "data", "deleted_at", "id"];

pub(crate) const COLUMNS_2: [&str; 8] =
    ["cache_key", "chunk_count", "data", "expires_at", "id", "last_accessed_at", "tti", "ttl_deadline"];

const COLUMNS_OF_STREAMS: [&str; 3] = ["chunk_data", "chunk_number", "entry_id"];

/// The layout of a file; `None` if it has no table `entries`.
pub(crate) fn layout(connection: &Connection) -> Result<Option<StorageLayout>, Failure> {
    let columns = columns(connection, "entries")?;
    let layout = if columns.is_empty() {
        return Ok(None);
    } else if columns.iter().eq(COLUMNS_1.iter()) {
        StorageLayout::Sqlite1
    } else if columns.iter().eq(COLUMNS_2.iter()) {
        StorageLayout::Sqlite2
    } else {
        return Err(Failure::NotACache("unexpected columns in table 'entries'"));
    };
    if self::columns(connection, "streams")?.iter().ne(COLUMNS_OF_STREAMS.iter()) {
        return Err(Failure::NotACache("unexpected columns in table 'streams'"));
    }
    Ok(Some(layout))
}

fn columns(connection: &Connection, table: &str) -> Result<BTreeSet<String>, Failure> {
    let mut statement = connection.prepare("SELECT name FROM pragma_table_info(?1)")?;
    let names = statement.query_map([table], |row| row.get(0))?;
    Ok(names.collect::<Result<_, _>>()?)
}

/// Whether the tables of this crate exist: the first write creates them.
pub(crate) fn has_own(connection: &Connection) -> Result<bool, Failure> {
    has_table(connection, RESULTS)
}

/// Whether the file has counters; older versions had none.
pub(crate) fn has_counters(connection: &Connection) -> Result<bool, Failure> {
    has_table(connection, "animecache_counters")
}

/// Whether the file has generations; older versions had none.
pub(crate) fn has_generations(connection: &Connection) -> Result<bool, Failure> {
    has_table(connection, "animecache_generations")
}

fn has_table(connection: &Connection, name: &str) -> Result<bool, Failure> {
    let mut statement = connection.prepare_cached("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?1")?;
    Ok(statement.exists([name])?)
}

/// Creates layout C in a new file.
pub(crate) fn create(connection: &Connection) -> Result<(), Failure> {
    Ok(connection.execute_batch(HISHEL_1)?)
}

/// Creates the tables of this crate.
pub(crate) fn create_own(connection: &Connection) -> Result<(), Failure> {
    Ok(connection.execute_batch(OWN)?)
}
