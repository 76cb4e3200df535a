//! Changes of stored data, each in one transaction.

use std::sync::Arc;
use std::time::Duration;

use rusqlite::Transaction;
use uuid::Uuid;

use crate::clock;
use crate::format::msgpack;
use crate::model::entry::{Entry, EntryId, EntryState, StorageLayout};
use crate::model::generation::Generation;
use crate::model::stored::RemoveStats;
use crate::store::sqlite::database::Database;
use crate::store::sqlite::delete::remove_from;
use crate::store::sqlite::failure::Failure;
use crate::store::sqlite::generations;
use crate::store::sqlite::rows::{Depth, Reader};

pub(crate) const NO_END: &str = "responses in the hishel 1 SQLite layout always expire; set a TTL";

/// Layout C counts an entry's TTL from its storage time.
pub(crate) fn set_expiry(entry: &mut Entry, expires_at: f64) {
    entry.request.extra.set_storage_ttl(expires_at - entry.created_at.unwrap_or(0.0));
}

/// Writes a new head; `false`: the entry does not exist.
pub(crate) fn update_head(database: &mut Database, id: Uuid, mut entry: Entry) -> Result<bool, Failure> {
    let services = Arc::clone(&database.services);
    let (change, layout) = database.change()?;
    let reader = Reader { connection: &change, layout, services: &services, now: clock::now() };
    let Some(old) = reader.live("e.id = ?1", id.as_bytes())?.pop() else { return Ok(false) };
    entry.id = id;
    if layout == StorageLayout::Sqlite2 {
        change.prepare_cached("UPDATE entries SET data = ?2, cache_key = ?3 WHERE id = ?1")?.execute((
            id.as_bytes(),
            msgpack::encode_head(&entry),
            entry.cache_key.as_bytes(),
        ))?;
    } else {
        entry.created_at = entry.created_at.or(old.entry.created_at);
        if let Some(at) = old.expires_at {
            set_expiry(&mut entry, at);
        }
        write_pair(&change, &entry)?;
    }
    change.commit()?;
    Ok(true)
}

pub(crate) fn write_pair(change: &Transaction<'_>, entry: &Entry) -> Result<(), Failure> {
    change
        .prepare_cached("UPDATE entries SET data = ?2, cache_key = ?3, created_at = ?4, deleted_at = ?5 WHERE id = ?1")?
        .execute((
            entry.id.as_bytes(),
            msgpack::encode_pair(entry),
            entry.cache_key.as_bytes(),
            entry.created_at,
            entry.deleted_at,
        ))?;
    Ok(())
}

/// Sets the TTL of entries that still exist.
pub(crate) fn expire(database: &mut Database, ids: &[EntryId], ttl: Option<Duration>) -> Result<u64, Failure> {
    let services = Arc::clone(&database.services);
    let (change, layout) = database.change()?;
    let now = clock::now();
    let reader = Reader { connection: &change, layout, services: &services, now };
    let expires_at = ttl.map(|ttl| now + ttl.as_secs_f64());
    let mut touched = 0;
    for id in ids {
        touched += expire_one(&reader, &change, id, expires_at)?;
    }
    change.commit()?;
    Ok(touched)
}

/// Sets when an entry expires. Returns the number of changed entries.
pub(crate) fn expire_one(
    reader: &Reader<'_>,
    change: &Transaction<'_>,
    id: &EntryId,
    expires_at: Option<f64>,
) -> Result<u64, Failure> {
    let changed = match id {
        EntryId::Http(of, id) if *of == reader.layout && reader.layout == StorageLayout::Sqlite2 => {
            // A shorter idle limit could expire the entry before its new TTL.
            change
                .prepare_cached(
                    "UPDATE entries SET expires_at = ?2, ttl_deadline = ?2, tti = NULL
                     WHERE id = ?1 AND (expires_at IS NULL OR expires_at > ?3)",
                )?
                .execute((id.as_bytes(), expires_at, reader.now))?
        }
        EntryId::Http(of, id) if *of == reader.layout => {
            let expires_at = expires_at.ok_or(Failure::Unsupported(NO_END))?;
            let found = reader.entry(*id, Depth::Entry)?.filter(|found| found.summary.state != EntryState::Deleted);
            let Some(mut entry) = found.and_then(|found| found.entry) else { return Ok(0) };
            set_expiry(&mut entry, expires_at);
            write_pair(change, &entry)?;
            1
        }
        EntryId::Http(..) => 0,
        EntryId::Key(key) => change
            .prepare_cached(
                "UPDATE animecache_results SET expires_at = ?2
                 WHERE key = ?1 AND (expires_at IS NULL OR expires_at > ?3)",
            )?
            .execute((&key[..], expires_at, reader.now))?,
    };
    Ok(changed as u64)
}

/// Deletes entries and results with their bodies. The rows of bodies are not counted.
pub(crate) fn remove(database: &mut Database, ids: &[EntryId]) -> Result<RemoveStats, Failure> {
    let (change, layout) = database.change()?;
    let removed = remove_from(&change, layout, ids)?;
    change.commit()?;
    Ok(RemoveStats { entries: removed, keys: removed })
}

/// Stores a result, replacing an existing one, if its key still has this generation.
pub(crate) fn set(
    database: &mut Database,
    key: &str,
    value: &[u8],
    ttl: Duration,
    expected: Generation,
) -> Result<bool, Failure> {
    let (change, _) = database.change()?;
    if !generations::is_unchanged(&change, key.as_bytes(), expected)? {
        return Ok(false);
    }
    let now = clock::now();
    change
        .prepare_cached(
            "INSERT INTO animecache_results (key, value, created_at, expires_at) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (key) DO UPDATE SET value = ?2, created_at = ?3, expires_at = ?4",
        )?
        .execute((key.as_bytes(), value, now, now + ttl.as_secs_f64()))?;
    change.commit()?;
    database.has_grown();
    Ok(true)
}
