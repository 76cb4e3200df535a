//! Generations of keys, in a table.

use rusqlite::{Connection, OptionalExtension as _, Transaction};

use crate::clock;
use crate::model::entry::Entry;
use crate::model::generation::Generation;
use crate::store::sqlite::failure::Failure;
use crate::store::sqlite::schema;

/// How long a generation is kept, in seconds: no fetch takes longer.
const KEPT: f64 = 3_600.0;

/// The key of the generation of all keys: no entry has an empty key.
const ALL: &[u8] = b"";

pub(crate) fn read(connection: &Connection, key: &[u8]) -> Result<Generation, Failure> {
    if !schema::has_generations(connection)? {
        return Ok(Generation::default());
    }
    let mut statement = connection.prepare_cached("SELECT number FROM animecache_generations WHERE key = ?1")?;
    let mut number = |key: &[u8]| statement.query_row([key], |row| row.get::<_, i64>(0)).optional();
    let (all, key) = (number(ALL)?.unwrap_or(0), number(key)?.unwrap_or(0));
    Ok(Generation { all: all as u64, key: key as u64 })
}

/// Raises the generation of a key; `None`: of all keys.
pub(crate) fn raise(change: &Transaction<'_>, key: Option<&[u8]>) -> Result<(), Failure> {
    let now = clock::now();
    change.prepare_cached("DELETE FROM animecache_generations WHERE raised_at < ?1")?.execute([now - KEPT])?;
    change
        .prepare_cached(
            "INSERT INTO animecache_generations (key, number, raised_at) VALUES (?1, 1, ?2)
             ON CONFLICT (key) DO UPDATE SET number = number + 1, raised_at = ?2",
        )?
        .execute((key.unwrap_or(ALL), now))?;
    Ok(())
}

/// Fails if the key of an entry was invalidated since the entry was requested.
pub(crate) fn ensure(change: &Transaction<'_>, entry: &Entry, expected: Option<Generation>) -> Result<(), Failure> {
    let is_unchanged = is_unchanged(change, entry.cache_key.as_bytes(), expected.unwrap_or(Generation::UNKNOWN))?;
    if is_unchanged { Ok(()) } else { Err(Failure::Outdated(entry.id)) }
}

/// Whether what was requested in this generation may be stored.
pub(crate) fn is_unchanged(change: &Transaction<'_>, key: &[u8], expected: Generation) -> Result<bool, Failure> {
    Ok(!expected.is_known() || read(change, key)? == expected)
}
