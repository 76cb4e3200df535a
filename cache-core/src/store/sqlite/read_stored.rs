//! Entries as they are stored: all columns of the row, and the rows of the body.

use std::sync::Arc;

use rusqlite::types::{Value, ValueRef};
use rusqlite::{OptionalExtension, Row};
use uuid::Uuid;

use crate::model::entry::{EntryId, StorageLayout};
use crate::model::record::{Base64, HttpRecord, Octets, RawRecord, Record, Stored, StoredValue};
use crate::model::stored::StoredBody;
use crate::store::archive::{StoredRecord, of_value};
use crate::store::sqlite::bodies;
use crate::store::sqlite::bodies::BodyReader;
use crate::store::sqlite::database::Database;
use crate::store::sqlite::failure::Failure;
use crate::store::sqlite::rows::{self, Depth, Reader, bytes, number};
use crate::store::sqlite::worker::Worker;

/// The numbers of the rows of a body, where they have gaps.
pub(crate) const CHUNK_NUMBERS: &str = "chunk_numbers";

/// An entry, and where its body is read.
pub(crate) enum Found {
    Record(StoredRecord),
    Response(Box<HttpRecord>, BodyReader),
}

impl Found {
    pub(crate) fn with_body(self, worker: &Arc<Worker>) -> StoredRecord {
        match self {
            Self::Record(record) => record,
            Self::Response(http, reading) => {
                let body = Box::pin(reading.pieces(Arc::clone(worker))) as StoredBody;
                StoredRecord { record: Record::Http(http), body: Some(body) }
            }
        }
    }
}

/// The entry, result, row without a valid ID, or rows of a body without an entry.
pub(crate) fn read(database: &Database, reader: &Reader<'_>, id: &EntryId) -> Result<Option<Found>, Failure> {
    let key = match id {
        EntryId::Http(layout, id) if *layout == database.layout => return response(database, reader, *id),
        EntryId::Http(..) => return Ok(None),
        EntryId::Key(key) => key,
    };
    if let Some(rowid) = rows::row_of(key) {
        let row = row(database, "rowid = ?1", rowid)?;
        return Ok(row.map(|row| {
            let (key, kind) = (Octets(key.to_vec()), "row".to_owned());
            Found::Record(Record::Raw(RawRecord { key, kind, expires_at: None, rdb: None, dump: None, row }).into())
        }));
    }
    if let Some(id) = rows::orphan_of(key) {
        return orphan(database, id);
    }
    let created_at = "SELECT created_at FROM animecache_results WHERE key = ?1";
    let Some(result) = bodies::result(database, key, None, None)? else { return Ok(None) };
    let created_at =
        database.connection.prepare_cached(created_at)?.query_row([&key[..]], |row| Ok(number(row.get_ref(0)?)))?;
    Ok(Some(Found::Record(of_value(key, created_at, result.expires_at, result.value))))
}

fn response(database: &Database, reader: &Reader<'_>, id: Uuid) -> Result<Option<Found>, Failure> {
    let Some(summary) = reader.entry(id, Depth::Summary)?.map(|found| found.summary) else { return Ok(None) };
    let Some(mut stored) = row(database, "id = ?1", id.as_bytes())? else { return Ok(None) };
    stored.remove("id");
    let (reading, is_marked) = body(database, id, &mut stored)?;
    let record = HttpRecord {
        id,
        layout: database.layout,
        cache_key: stored.get("cache_key").and_then(StoredValue::as_bytes).map(|key| Octets(key.to_vec())),
        created_at: summary.created_at,
        expires_at: summary.expires_at,
        body_expires_at: summary.expires_at,
        is_complete: is_marked || database.layout == StorageLayout::Sqlite2,
        is_indexed: true,
        index_expires_at: None,
        method: summary.http.as_ref().map(|http| http.method.to_string()),
        url: summary.http.as_ref().map(|http| http.url.to_string()),
        status: summary.http.as_ref().map(|http| http.status),
        stored,
    };
    Ok(Some(Found::Response(Box::new(record), reading)))
}

/// Rows of a body without an entry: a record without columns of an entry.
fn orphan(database: &Database, id: Uuid) -> Result<Option<Found>, Failure> {
    let mut stored = Stored::new();
    let (reading, is_marked) = body(database, id, &mut stored)?;
    if reading.numbers().next().is_none() && !is_marked {
        return Ok(None);
    }
    let record = HttpRecord {
        id,
        layout: database.layout,
        cache_key: None,
        created_at: None,
        expires_at: None,
        body_expires_at: None,
        is_complete: is_marked || database.layout == StorageLayout::Sqlite2,
        is_indexed: false,
        index_expires_at: None,
        method: None,
        url: None,
        status: None,
        stored,
    };
    Ok(Some(Found::Response(Box::new(record), reading)))
}

/// A reader of a body, and whether the body has layout C's end marker.
fn body(database: &Database, id: Uuid, stored: &mut Stored) -> Result<(BodyReader, bool), Failure> {
    let reading = BodyReader::of_rows(database, id)?;
    if !reading.numbers().eq((0..).take(reading.numbers().count())) {
        let text = reading.numbers().map(|number| number.to_string()).collect::<Vec<_>>().join(" ");
        stored.insert(CHUNK_NUMBERS.to_owned(), StoredValue::Text { text });
    }
    let mark = "SELECT 1 FROM streams WHERE entry_id = ?1 AND chunk_number = -1";
    let is_marked = database.connection.prepare_cached(mark)?.exists([id.as_bytes()])?;
    Ok((reading, is_marked))
}

/// The columns of a row of `entries`.
fn row(database: &Database, which: &str, value: impl rusqlite::ToSql) -> Result<Option<Stored>, Failure> {
    let mut statement = database.connection.prepare_cached(&format!("SELECT * FROM entries WHERE {which}"))?;
    let names: Vec<String> = statement.column_names().map(str::to_owned).collect();
    Ok(statement.query_row([value], |row| columns(&names, row)).optional()?)
}

fn columns(names: &[String], row: &Row<'_>) -> rusqlite::Result<Stored> {
    let column = |(at, name): (usize, &String)| Ok((name.clone(), stored_value(row.get_ref(at)?)));
    names.iter().enumerate().map(column).collect()
}

fn stored_value(value: ValueRef<'_>) -> StoredValue {
    match value {
        ValueRef::Null => StoredValue::Null,
        ValueRef::Integer(number) => StoredValue::Integer(number),
        ValueRef::Real(number) => StoredValue::Real(number),
        ValueRef::Text(text) => match std::str::from_utf8(text) {
            Ok(text) => StoredValue::Text { text: text.to_owned() },
            Err(_) => StoredValue::bytes(text),
        },
        ValueRef::Blob(_) => StoredValue::Bytes(Base64(bytes(value).unwrap_or_default().to_vec())),
    }
}

/// A stored value as SQLite takes it.
pub(crate) fn sql_value(value: &StoredValue) -> Value {
    match value {
        StoredValue::Null => Value::Null,
        StoredValue::Integer(number) => Value::Integer(*number),
        StoredValue::Real(number) => Value::Real(*number),
        StoredValue::Bytes(bytes) => Value::Blob(bytes.0.clone()),
        StoredValue::Text { text } => Value::Text(text.clone()),
    }
}
