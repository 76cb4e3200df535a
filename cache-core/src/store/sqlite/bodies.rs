//! Bodies and values, read piece by piece.

use bytes::{Bytes, BytesMut};
use rusqlite::OptionalExtension;
use uuid::Uuid;

use super::database::Database;
use super::rows::{self, bytes};
use super::schema;
use super::worker::Failure;
use crate::entry::EntryId;

/// The body rows of an entry, in order, until `limit` bytes are reached; `None` where there are none.
pub(super) fn stored(database: &Database, id: Uuid, limit: usize) -> Result<Option<Bytes>, Failure> {
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

/// What is stored of a body or value, in whatever state it is.
pub(super) fn raw(database: &Database, id: &EntryId, limit: usize) -> Result<Option<Bytes>, Failure> {
    match id {
        EntryId::Http(layout, id) if *layout == database.layout => match stored(database, *id, limit)? {
            // An entry without body rows has an empty body so far; without a row it is not there.
            None => {
                let mut statement = database.connection.prepare_cached("SELECT 1 FROM entries WHERE id = ?1")?;
                Ok(statement.exists([id.as_bytes()])?.then(Bytes::new))
            }
            body => Ok(body),
        },
        EntryId::Http(..) => Ok(None),
        EntryId::Key(key) => match rows::orphan_of(key) {
            Some(id) => stored(database, id, limit),
            None => value(database, key, None),
        },
    }
}

/// The value of a result; `live_at`: only if it does not expire before that time (Unix seconds).
pub(super) fn value(database: &Database, key: &[u8], live_at: Option<f64>) -> Result<Option<Bytes>, Failure> {
    if !schema::has_own(&database.connection)? {
        return Ok(None);
    }
    let mut statement = database.connection.prepare_cached(
        "SELECT value FROM animecache_results
         WHERE key = ?1 AND (?2 IS NULL OR expires_at IS NULL OR expires_at > ?2)",
    )?;
    let value = statement
        .query_row((key, live_at), |row| Ok(Bytes::copy_from_slice(bytes(row.get_ref(0)?).unwrap_or_default())))
        .optional()?;
    Ok(value)
}
