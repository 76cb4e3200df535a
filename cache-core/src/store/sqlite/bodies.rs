//! Reading bodies and values in parts.

use std::sync::Arc;

use futures_util::stream;
use futures_util::stream::{Stream, StreamExt as _, TryStreamExt as _};
use rusqlite::OptionalExtension;
use uuid::Uuid;

use crate::error::Result as StoreResult;
use crate::model::entry::EntryId;
use crate::model::stored::StoredResult;
use crate::store::sqlite::database::Database;
use crate::store::sqlite::failure::Failure;
use crate::store::sqlite::rows::{Reader, bytes, number};
use crate::store::sqlite::worker::Worker;
use crate::store::sqlite::{rows, schema};
use bytes::{Bytes, BytesMut};

/// The part of a body that is read at once; other callers get the thread in between.
const WINDOW: usize = 262_144;

/// A live body that is being read.
///
/// The numbers of its rows were read at the start. No other body gets them, so that a body that was removed or replaced
/// meanwhile is an error and never a mixture.
pub(crate) struct BodyReader {
    id: Uuid,
    /// The number of each row and of its chunk.
    rows: Arc<[(i64, i64)]>,
    first: Vec<Bytes>,
}

impl BodyReader {
    pub(crate) fn begin(database: &Database, reader: &Reader<'_>, id: Uuid) -> Result<Option<Self>, Failure> {
        if reader.live("e.id = ?1", id.as_bytes())?.is_empty() {
            return Ok(None);
        }
        Self::of_rows(database, id).map(Some)
    }

    /// The rows of a body in any state of its entry.
    pub(crate) fn of_rows(database: &Database, id: Uuid) -> Result<Self, Failure> {
        let mut statement = database.connection.prepare_cached(
            "SELECT rowid, chunk_number FROM streams WHERE entry_id = ?1 AND chunk_number >= 0 ORDER BY chunk_number",
        )?;
        let rows = statement.query_map([id.as_bytes()], |row| row.try_into())?.collect::<Result<Arc<[_]>, _>>()?;
        let first = window(database, id, &rows, 0)?;
        Ok(Self { id, rows, first })
    }

    /// The numbers of the chunks.
    pub(crate) fn numbers(&self) -> impl Iterator<Item = i64> {
        self.rows.iter().map(|(_, number)| *number)
    }

    pub(crate) fn pieces(self, worker: Arc<Worker>) -> impl Stream<Item = StoreResult<Bytes>> + Send {
        let Self { id, rows, first } = self;
        let rest = stream::try_unfold(first.len(), move |from| {
            let (worker, rows) = (Arc::clone(&worker), Arc::clone(&rows));
            async move {
                if from >= rows.len() {
                    return Ok(None);
                }
                let read = move |database: &mut Database| window(database, id, &rows, from);
                let pieces = worker.run("reading a body", read).await?;
                let next = from + pieces.len();
                Ok(Some((pieces, next)))
            }
        });
        let of_window = |pieces: Vec<Bytes>| stream::iter(pieces.into_iter().map(Ok));
        of_window(first).chain(rest.map_ok(of_window).try_flatten())
    }
}

/// The rows from the one numbered `from` on, one at least.
fn window(database: &Database, id: Uuid, rows: &[(i64, i64)], from: usize) -> Result<Vec<Bytes>, Failure> {
    let mut statement = database
        .connection
        .prepare_cached("SELECT chunk_data FROM streams WHERE rowid = ?1 AND entry_id = ?2 AND chunk_number = ?3")?;
    let mut pieces = Vec::new();
    let mut size = 0;
    for (row, number) in rows.iter().skip(from) {
        let piece = statement
            .query_row((row, id.as_bytes(), number), |row| {
                Ok(Bytes::copy_from_slice(bytes(row.get_ref(0)?).unwrap_or_default()))
            })
            .optional()?
            .ok_or(Failure::BodyCut(id))?;
        size += piece.len();
        pieces.push(piece);
        if size >= WINDOW {
            break;
        }
    }
    Ok(pieces)
}

/// The body rows of an entry, in order, until `limit` bytes are reached; `None` where there are none.
pub(crate) fn stored(database: &Database, id: Uuid, limit: usize) -> Result<Option<Bytes>, Failure> {
    let mut statement = database.connection.prepare_cached(
        "SELECT chunk_data FROM streams WHERE entry_id = ?1 AND chunk_number >= 0 ORDER BY chunk_number",
    )?;
    let mut rows = statement.query([id.as_bytes()])?;
    let mut body: Option<BytesMut> = None;
    while let Some(row) = rows.next()? {
        let body = body.get_or_insert_default();
        body.extend_from_slice(bytes(row.get_ref(0)?).unwrap_or_default());
        if body.len() >= limit {
            break;
        }
    }
    Ok(body.map(BytesMut::freeze))
}

/// The stored part of a body or value, in any state of its entry.
pub(crate) fn raw(database: &Database, id: &EntryId, limit: usize) -> Result<Option<Bytes>, Failure> {
    match id {
        EntryId::Http(layout, id) if *layout == database.layout => match stored(database, *id, limit)? {
            // An entry without body rows has an empty body so far; without an entry row there is none.
            None => {
                let mut statement = database.connection.prepare_cached("SELECT 1 FROM entries WHERE id = ?1")?;
                Ok(statement.exists([id.as_bytes()])?.then(Bytes::new))
            }
            body => Ok(body),
        },
        EntryId::Http(..) => Ok(None),
        EntryId::Key(key) => match rows::orphan_of(key) {
            Some(id) => stored(database, id, limit),
            None => Ok(result(database, key, None, None)?.map(|stored| stored.value)),
        },
    }
}

/// A result; `live_at`: only if it does not expire before that time (Unix seconds); `limit`: only if it is not longer.
pub(crate) fn result(
    database: &Database,
    key: &[u8],
    live_at: Option<f64>,
    limit: Option<usize>,
) -> Result<Option<StoredResult>, Failure> {
    if !schema::has_own(&database.connection)? {
        return Ok(None);
    }
    let mut statement = database.connection.prepare_cached(
        "SELECT value, expires_at FROM animecache_results
         WHERE key = ?1 AND (?2 IS NULL OR expires_at IS NULL OR expires_at > ?2)
         AND (?3 IS NULL OR length(value) <= ?3)",
    )?;
    let limit = limit.and_then(|limit| i64::try_from(limit).ok());
    let stored = statement.query_row((key, live_at, limit), |row| {
        let value = Bytes::copy_from_slice(bytes(row.get_ref(0)?).unwrap_or_default());
        Ok(StoredResult { value, expires_at: number(row.get_ref(1)?) })
    });
    Ok(stored.optional()?)
}
