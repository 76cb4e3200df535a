//! Deleting rows: of HTTP entries and of results.

use rusqlite::Transaction;
use uuid::Uuid;

use crate::model::entry::{EntryId, StorageLayout};
use crate::store::sqlite::failure::Failure;
use crate::store::sqlite::rows;

pub(crate) fn remove_from(change: &Transaction<'_>, layout: StorageLayout, ids: &[EntryId]) -> Result<u64, Failure> {
    let mut removed = 0;
    for id in ids {
        removed += match id {
            EntryId::Http(of, id) if *of == layout => delete(change, *id)?,
            EntryId::Http(..) => 0,
            EntryId::Key(key) => delete_key(change, key)?,
        };
    }
    Ok(removed)
}

pub(crate) fn delete(change: &Transaction<'_>, id: Uuid) -> Result<u64, Failure> {
    let gone = change.prepare_cached("DELETE FROM entries WHERE id = ?1")?.execute([id.as_bytes()])?;
    // Not left to the foreign key: a body without an entry would stay.
    change.prepare_cached("DELETE FROM streams WHERE entry_id = ?1")?.execute([id.as_bytes()])?;
    Ok(gone as u64)
}

fn delete_key(change: &Transaction<'_>, key: &[u8]) -> Result<u64, Failure> {
    if let Some(rowid) = rows::row_of(key) {
        // Only a row without a valid ID: row numbers may be reused.
        let gone = change
            .prepare_cached("DELETE FROM entries WHERE rowid = ?1 AND (TYPEOF(id) <> 'blob' OR LENGTH(id) <> 16)")?
            .execute([rowid])?;
        return Ok(gone as u64);
    }
    if let Some(id) = rows::orphan_of(key) {
        let gone = change
            .prepare_cached(
                "DELETE FROM streams WHERE entry_id = ?1 AND NOT EXISTS (SELECT 1 FROM entries WHERE id = ?1)",
            )?
            .execute([id.as_bytes()])?;
        return Ok(u64::from(gone > 0));
    }
    Ok(change.prepare_cached("DELETE FROM animecache_results WHERE key = ?1")?.execute([key])? as u64)
}
