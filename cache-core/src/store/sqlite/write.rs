//! Every change of the file, each in one transaction.

use std::time::Duration;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use rusqlite::Transaction;
use uuid::Uuid;

use super::Sqlite;
use super::database::Database;
use super::rows::{self, Depth, Reader};
use super::worker::Failure;
use crate::clock;
use crate::codec;
use crate::entry::{Entry, EntryId, Layout, State};
use crate::error::Result;
use crate::service::Services;
use crate::store::{Removed, Writer};

/// How much of a body one row holds; hishel 2's own value.
const CHUNK: usize = 131_072;

const NO_END: &str = "hishel 1's SQLite layout cannot keep HTTP entries for ever; give a TTL";

/// An entry to be written. Its body waits in memory, so that a writer in no hurry locks nobody out.
pub(super) struct SqliteWriter {
    pub(super) store: Sqlite,
    pub(super) entry: Entry,
    pub(super) ttl: Option<Duration>,
    pub(super) body: BytesMut,
}

#[async_trait]
impl Writer for SqliteWriter {
    async fn push(&mut self, chunk: Bytes) -> Result<()> {
        self.body.extend_from_slice(&chunk);
        Ok(())
    }

    async fn commit(self: Box<Self>) -> Result<EntryId> {
        let Self { store, entry, ttl, body } = *self;
        store.worker.run("storing a response", move |database| insert(database, entry, ttl, &body)).await
    }
}

fn insert(database: &mut Database, mut entry: Entry, ttl: Option<Duration>, body: &[u8]) -> Result<EntryId, Failure> {
    let (change, layout) = database.change()?;
    let now = clock::now();
    let (id, cache_key) = (entry.id, entry.cache_key.as_bytes().to_vec());
    delete(&change, id)?;
    if layout == Layout::Sqlite2 {
        let deadline = ttl.map(|ttl| now + ttl.as_secs_f64());
        change
            .prepare_cached(
                "INSERT INTO entries (id, cache_key, data, expires_at, last_accessed_at, chunk_count, ttl_deadline)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?4)",
            )?
            .execute((
                id.as_bytes(),
                cache_key,
                codec::encode_heads(&entry),
                deadline,
                now,
                body.len().div_ceil(CHUNK) as u32,
            ))?;
    } else {
        let created_at = *entry.created_at.get_or_insert(now);
        set_expiry(&mut entry, now + ttl.ok_or(Failure::Unsupported(NO_END))?.as_secs_f64());
        change
            .prepare_cached(
                "INSERT INTO entries (id, cache_key, data, created_at, deleted_at) VALUES (?1, ?2, ?3, ?4, ?5)",
            )?
            .execute((id.as_bytes(), cache_key, codec::encode_pair(&entry), created_at, entry.deleted_at))?;
    }
    let mut statement =
        change.prepare_cached("INSERT INTO streams (entry_id, chunk_number, chunk_data) VALUES (?1, ?2, ?3)")?;
    for (number, chunk) in (0_i64..).zip(body.chunks(CHUNK)) {
        statement.execute((id.as_bytes(), number, chunk))?;
    }
    if layout == Layout::Sqlite1 {
        // The mark that the body is whole comes last.
        statement.execute((id.as_bytes(), -1, b"".as_slice()))?;
    }
    drop(statement);
    change.commit()?;
    Ok(EntryId::Http(layout, id))
}

/// Layout C counts an entry's TTL from its storing.
fn set_expiry(entry: &mut Entry, expires_at: f64) {
    entry.request.extra.set_kept(expires_at - entry.created_at.unwrap_or(0.0));
}

/// Writes a new head; `false`: the entry was gone.
pub(super) fn replace(
    database: &mut Database,
    services: &Services,
    id: Uuid,
    mut entry: Entry,
) -> Result<bool, Failure> {
    let (change, layout) = database.change()?;
    let reader = Reader { connection: &change, layout, services, now: clock::now() };
    let Some(old) = reader.entry(id, Depth::Entry)?.filter(|old| old.summary.state == State::Live) else {
        return Ok(false);
    };
    entry.id = id;
    if layout == Layout::Sqlite2 {
        change.prepare_cached("UPDATE entries SET data = ?2, cache_key = ?3 WHERE id = ?1")?.execute((
            id.as_bytes(),
            codec::encode_heads(&entry),
            entry.cache_key.as_bytes(),
        ))?;
    } else {
        entry.created_at = entry.created_at.or(old.summary.created_at);
        if let Some(at) = old.summary.expires_at {
            set_expiry(&mut entry, at);
        }
        write_pair(&change, &entry)?;
    }
    change.commit()?;
    Ok(true)
}

fn write_pair(change: &Transaction<'_>, entry: &Entry) -> Result<(), Failure> {
    change
        .prepare_cached("UPDATE entries SET data = ?2, cache_key = ?3, created_at = ?4, deleted_at = ?5 WHERE id = ?1")?
        .execute((
            entry.id.as_bytes(),
            codec::encode_pair(entry),
            entry.cache_key.as_bytes(),
            entry.created_at,
            entry.deleted_at,
        ))?;
    Ok(())
}

/// Sets the time to live of what is still there.
pub(super) fn touch(
    database: &mut Database,
    services: &Services,
    ids: &[EntryId],
    ttl: Option<Duration>,
) -> Result<u64, Failure> {
    let (change, layout) = database.change()?;
    let now = clock::now();
    let expires_at = ttl.map(|ttl| now + ttl.as_secs_f64());
    let mut touched = 0;
    for id in ids {
        touched += match id {
            EntryId::Http(of, id) if *of == layout && layout == Layout::Sqlite2 => {
                // An idle limit of its own could end the entry before the time asked for.
                change
                    .prepare_cached(
                        "UPDATE entries SET expires_at = ?2, ttl_deadline = ?2, tti = NULL
                         WHERE id = ?1 AND (expires_at IS NULL OR expires_at > ?3)",
                    )?
                    .execute((id.as_bytes(), expires_at, now))? as u64
            }
            EntryId::Http(of, id) if *of == layout => {
                let expires_at = expires_at.ok_or(Failure::Unsupported(NO_END))?;
                let reader = Reader { connection: &change, layout, services, now };
                let found = reader.entry(*id, Depth::Entry)?.filter(|found| found.summary.state != State::Deleted);
                let Some(mut entry) = found.and_then(|found| found.entry) else { continue };
                // The row's id counts, whatever the pair says of itself.
                entry.id = *id;
                set_expiry(&mut entry, expires_at);
                write_pair(&change, &entry)?;
                1
            }
            EntryId::Http(..) => 0,
            EntryId::Key(key) => change
                .prepare_cached(
                    "UPDATE animecache_results SET expires_at = ?2
                     WHERE key = ?1 AND (expires_at IS NULL OR expires_at > ?3)",
                )?
                .execute((&key[..], expires_at, now))? as u64,
        };
    }
    change.commit()?;
    Ok(touched)
}

/// Removes entries and results with all that belongs to them. Their rows are counted, their bodies' are not.
pub(super) fn remove(database: &mut Database, ids: &[EntryId]) -> Result<Removed, Failure> {
    let (change, layout) = database.change()?;
    let mut removed = 0;
    for id in ids {
        removed += match id {
            EntryId::Http(of, id) if *of == layout => delete(&change, *id)?,
            EntryId::Http(..) => 0,
            EntryId::Key(key) => delete_key(&change, key)?,
        };
    }
    change.commit()?;
    Ok(Removed { entries: removed, keys: removed })
}

fn delete(change: &Transaction<'_>, id: Uuid) -> Result<u64, Failure> {
    let gone = change.prepare_cached("DELETE FROM entries WHERE id = ?1")?.execute([id.as_bytes()])?;
    // Not left to the foreign key: a body whose entry was gone before would stay.
    change.prepare_cached("DELETE FROM streams WHERE entry_id = ?1")?.execute([id.as_bytes()])?;
    Ok(gone as u64)
}

fn delete_key(change: &Transaction<'_>, key: &[u8]) -> Result<u64, Failure> {
    if let Some(rowid) = rows::row_of(key) {
        // Only a row that still has no proper id: row numbers may be given anew.
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

/// Stores a result, over the one that is there.
pub(super) fn put_result(database: &mut Database, key: &str, value: &[u8], ttl: Duration) -> Result<(), Failure> {
    let (change, _) = database.change()?;
    let now = clock::now();
    change
        .prepare_cached(
            "INSERT INTO animecache_results (key, value, created_at, expires_at) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (key) DO UPDATE SET value = ?2, created_at = ?3, expires_at = ?4",
        )?
        .execute((key.as_bytes(), value, now, now + ttl.as_secs_f64()))?;
    Ok(change.commit()?)
}
