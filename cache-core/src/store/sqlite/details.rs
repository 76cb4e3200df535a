//! Details of one entry, in any state.

use crate::model::entry::EntryId;
use crate::model::inspection::EntryDetails;
use crate::store::sqlite::database::Database;
use crate::store::sqlite::failure::Failure;
use crate::store::sqlite::rows::{Depth, Reader};
use crate::store::sqlite::{bodies, rows, scan, schema};

pub(crate) fn details(database: &Database, reader: &Reader<'_>, id: &EntryId) -> Result<Option<EntryDetails>, Failure> {
    let of_entry = |found: rows::StoredResponse| EntryDetails {
        summary: found.summary,
        entry: found.entry,
        chunks: found.chunks,
        keys: Vec::new(),
    };
    let of_value = |summary| EntryDetails { summary, entry: None, chunks: 1, keys: Vec::new() };
    let key = match id {
        EntryId::Http(layout, id) if *layout == database.layout => {
            return Ok(reader.entry(*id, Depth::Entry)?.map(of_entry));
        }
        EntryId::Http(..) => return Ok(None),
        EntryId::Key(key) => key,
    };
    if let Some(rowid) = rows::row_of(key) {
        let found = reader.entries("e.rowid = ?1", rowid, 1, Depth::Entry)?.pop();
        return Ok(found.filter(|found| found.summary.id == *id).map(of_entry));
    }
    if rows::orphan_of(key).is_some() {
        let body = bodies::raw(database, id, usize::MAX)?;
        return Ok(body.map(|body| of_value(scan::orphan(id.clone(), body.len() as u64))));
    }
    if !schema::has_own(reader.connection)? {
        return Ok(None);
    }
    let mut statement = reader.connection.prepare_cached(
        "SELECT rowid, key, LENGTH(value), created_at, expires_at FROM animecache_results WHERE key = ?1",
    )?;
    let mut rows = statement.query([&key[..]])?;
    match rows.next()? {
        Some(row) => Ok(Some(of_value(scan::result(reader.services, reader.now, row)?))),
        None => Ok(None),
    }
}
