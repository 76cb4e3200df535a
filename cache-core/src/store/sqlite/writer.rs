//! Storing a response: a short one in one transaction, a long one in several, so that memory does not grow with it.
//!
//! Until its last transaction, a long response is incomplete to every reader, including hishel: in layout C it has no
//! end marker, in layout E it has expired and has no number of chunks.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use rusqlite::Transaction;
use uuid::Uuid;

use crate::clock;
use crate::error::Result;
use crate::format::msgpack;
use crate::model::entry::{Entry, EntryId, StorageLayout};
use crate::model::generation::Generation;
use crate::store::sqlite::database::Database;
use crate::store::sqlite::delete::delete;
use crate::store::sqlite::failure::Failure;
use crate::store::sqlite::generations;
use crate::store::sqlite::worker::Worker;
use crate::store::sqlite::write::{NO_END, set_expiry, write_pair};
use crate::store::traits::ResponseWriter;

/// The size of a chunk, one row each; hishel 2's own value.
const CHUNK: usize = 131_072;

/// The size of the part that is buffered in memory.
const IN_MEMORY: usize = 8 * CHUNK;

/// A response to be stored.
pub(crate) struct SqliteWriter {
    worker: Arc<Worker>,
    entry: Entry,
    ttl: Option<Duration>,
    generation: Option<Generation>,
    pending: BytesMut,
    begun: Option<Begun>,
    /// Whether the file may contain an incomplete part that must be removed.
    has_leftovers: bool,
}

/// The part of a response that is already in the file.
#[derive(Clone, Copy)]
struct Begun {
    /// The number of its entry row: another number means that the entry was replaced.
    row: i64,
    chunks: u32,
}

impl SqliteWriter {
    pub(crate) fn new(worker: Arc<Worker>, entry: Entry, ttl: Option<Duration>) -> Self {
        Self { worker, entry, ttl, generation: None, pending: BytesMut::new(), begun: None, has_leftovers: false }
    }
}

#[async_trait]
impl ResponseWriter for SqliteWriter {
    async fn write(&mut self, chunk: Bytes) -> Result<()> {
        self.pending.extend_from_slice(&chunk);
        if self.pending.len() < IN_MEMORY {
            return Ok(());
        }
        let part = self.pending.split_to(self.pending.len() / CHUNK * CHUNK).freeze();
        self.has_leftovers = true;
        let (entry, ttl, begun) = (self.entry.clone(), self.ttl, self.begun);
        let write = move |database: &mut Database| match begun {
            None => insert_entry(database, entry, ttl, &part, false, None),
            Some(begun) => append(database, entry.id, begun, &part),
        };
        self.begun = Some(self.worker.run("storing a body", write).await?);
        Ok(())
    }

    fn expect_generation(&mut self, generation: Generation) {
        self.generation = Some(generation);
    }

    async fn commit(mut self: Box<Self>) -> Result<EntryId> {
        let (entry, ttl, begun, generation) = (self.entry.clone(), self.ttl, self.begun, self.generation);
        let rest = std::mem::take(&mut self.pending).freeze();
        let write = move |database: &mut Database| {
            let id = EntryId::Http(database.layout, entry.id);
            match begun {
                None => insert_entry(database, entry, ttl, &rest, true, generation).map(drop)?,
                Some(begun) => finish(database, entry, ttl, begun, &rest, generation)?,
            }
            database.has_grown();
            Ok(id)
        };
        let id = self.worker.run("storing a response", write).await?;
        self.has_leftovers = false;
        Ok(id)
    }
}

impl Drop for SqliteWriter {
    fn drop(&mut self) {
        if self.has_leftovers {
            let id = self.entry.id;
            self.worker.run_later("deleting an unfinished response", move |database| undo(database?, id));
        }
    }
}

/// Replaces the response with this ID by the first part of the new one.
fn insert_entry(
    database: &mut Database,
    mut entry: Entry,
    ttl: Option<Duration>,
    part: &[u8],
    is_whole: bool,
    expected: Option<Generation>,
) -> Result<Begun, Failure> {
    let (change, layout) = database.change()?;
    generations::ensure(&change, &entry, expected)?;
    // Row numbers above the ones in use: a reader of the old body must not mistake the new one for it.
    let (row, body_row): (i64, i64) = change
        .prepare_cached(
            "SELECT (SELECT COALESCE(MAX(rowid), 0) + 1 FROM entries), (SELECT COALESCE(MAX(rowid), 0) + 1 FROM streams)",
        )?
        .query_row([], |row| row.try_into())?;
    delete(&change, entry.id)?;
    let begun = Begun { row, chunks: part.len().div_ceil(CHUNK) as u32 };
    if layout == StorageLayout::Sqlite2 {
        insert_hishel2(&change, &entry, row, ttl, is_whole.then_some(begun.chunks))?;
    } else {
        insert_hishel1(&change, &mut entry, row, ttl, is_whole)?;
    }
    insert(&change, entry.id, 0, part, Some(body_row))?;
    if is_whole && layout == StorageLayout::Sqlite1 {
        mark_complete(&change, entry.id)?;
    }
    change.commit()?;
    Ok(begun)
}

/// `chunks`: the number of chunks of a complete body.
fn insert_hishel2(
    change: &Transaction<'_>,
    entry: &Entry,
    row: i64,
    ttl: Option<Duration>,
    chunks: Option<u32>,
) -> Result<(), Failure> {
    let now = clock::now();
    let deadline = ttl.map(|ttl| now + ttl.as_secs_f64());
    let expires_at = if chunks.is_some() { deadline } else { Some(0.0) };
    change
        .prepare_cached(
            "INSERT INTO entries
                 (rowid, id, cache_key, data, expires_at, last_accessed_at, chunk_count, ttl_deadline)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        )?
        .execute((
            row,
            entry.id.as_bytes(),
            entry.cache_key.as_bytes(),
            msgpack::encode_head(entry),
            expires_at,
            now,
            chunks,
            deadline,
        ))?;
    Ok(())
}

fn insert_hishel1(
    change: &Transaction<'_>,
    entry: &mut Entry,
    row: i64,
    ttl: Option<Duration>,
    is_whole: bool,
) -> Result<(), Failure> {
    let now = clock::now();
    // An entry that is incomplete for long is deleted by the sweep and by hishel, and a copied entry may be old.
    let created_at = entry.created_at.filter(|_| is_whole).unwrap_or(now);
    entry.created_at = Some(created_at);
    set_expiry(entry, now + ttl.ok_or(Failure::Unsupported(NO_END))?.as_secs_f64());
    change
        .prepare_cached(
            "INSERT INTO entries (rowid, id, cache_key, data, created_at, deleted_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?
        .execute((
            row,
            entry.id.as_bytes(),
            entry.cache_key.as_bytes(),
            msgpack::encode_pair(entry),
            created_at,
            entry.deleted_at,
        ))?;
    Ok(())
}

/// Appends a part.
fn append(database: &mut Database, id: Uuid, begun: Begun, part: &[u8]) -> Result<Begun, Failure> {
    let (change, _) = database.change()?;
    let begun = begun.add(&change, id, part)?;
    change.commit()?;
    Ok(begun)
}

/// Appends the last part, and makes the response visible.
fn finish(
    database: &mut Database,
    mut entry: Entry,
    ttl: Option<Duration>,
    begun: Begun,
    rest: &[u8],
    expected: Option<Generation>,
) -> Result<(), Failure> {
    let (change, layout) = database.change()?;
    generations::ensure(&change, &entry, expected)?;
    let id = entry.id;
    let begun = begun.add(&change, id, rest)?;
    let count = "SELECT COUNT(*) FROM streams WHERE entry_id = ?1";
    if begun.chunks != change.prepare_cached(count)?.query_row([id.as_bytes()], |row| row.get::<_, u32>(0))? {
        return Err(Failure::BodyCut(id));
    }
    // The TTL begins now, not with the first bytes.
    let now = clock::now();
    if layout == StorageLayout::Sqlite2 {
        change
            .prepare_cached("UPDATE entries SET chunk_count = ?2, expires_at = ?3, ttl_deadline = ?3 WHERE id = ?1")?
            .execute((id.as_bytes(), begun.chunks, ttl.map(|ttl| now + ttl.as_secs_f64())))?;
    } else {
        entry.created_at.get_or_insert(now);
        set_expiry(&mut entry, now + ttl.ok_or(Failure::Unsupported(NO_END))?.as_secs_f64());
        write_pair(&change, &entry)?;
        mark_complete(&change, id)?;
    }
    Ok(change.commit()?)
}

impl Begun {
    fn add(self, change: &Transaction<'_>, id: Uuid, part: &[u8]) -> Result<Self, Failure> {
        // The entry may have been deleted meanwhile, or replaced by another program.
        let mut statement = change.prepare_cached("SELECT 1 FROM entries WHERE id = ?1 AND rowid = ?2")?;
        if !statement.exists((id.as_bytes(), self.row))? {
            return Err(Failure::BodyCut(id));
        }
        insert(change, id, self.chunks, part, None)?;
        Ok(Self { chunks: self.chunks + part.len().div_ceil(CHUNK) as u32, ..self })
    }
}

/// Stores a part of a body from the chunk with this number on; `row`: the number of its first row, if it matters.
fn insert(change: &Transaction<'_>, id: Uuid, first: u32, part: &[u8], mut row: Option<i64>) -> Result<(), Failure> {
    let mut statement = change
        .prepare_cached("INSERT INTO streams (rowid, entry_id, chunk_number, chunk_data) VALUES (?1, ?2, ?3, ?4)")?;
    for (number, chunk) in (first..).zip(part.chunks(CHUNK)) {
        // Rows without a number get the next one.
        statement.execute((row.take(), id.as_bytes(), number, chunk))?;
    }
    Ok(())
}

/// Layout C's end marker of a complete body.
fn mark_complete(change: &Transaction<'_>, id: Uuid) -> Result<(), Failure> {
    change
        .prepare_cached("INSERT INTO streams (entry_id, chunk_number, chunk_data) VALUES (?1, -1, x'')")?
        .execute([id.as_bytes()])?;
    Ok(())
}

/// Removes what an abandoned writer left, unless it is complete.
fn undo(database: &mut Database, id: Uuid) -> Result<(), Failure> {
    let (change, layout) = database.change()?;
    let is_whole = match layout {
        StorageLayout::Sqlite2 => "SELECT 1 FROM entries WHERE id = ?1 AND chunk_count IS NOT NULL",
        _ => "SELECT 1 FROM streams WHERE entry_id = ?1 AND chunk_number = -1",
    };
    if !change.prepare_cached(is_whole)?.exists([id.as_bytes()])? {
        delete(&change, id)?;
    }
    Ok(change.commit()?)
}
