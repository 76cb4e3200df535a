//! Putting records back: a short body in one transaction with its entry, a long one in several. Until the last one the
//! entry is incomplete to every reader, as while it is stored.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::stream::StreamExt as _;
use rusqlite::types::Value;
use rusqlite::{OptionalExtension as _, Transaction, params_from_iter};

use crate::clock;
use crate::error::{Error, Result};
use crate::model::entry::StorageLayout;
use crate::model::record::{HttpRecord, RawRecord, Record, ResultRecord, StoredValue};
use crate::store::archive::{RecordBody, Restored};
use crate::store::sqlite::database::Database;
use crate::store::sqlite::delete::delete;
use crate::store::sqlite::failure::Failure;
use crate::store::sqlite::read_stored::{CHUNK_NUMBERS, sql_value};
use crate::store::sqlite::rows;
use crate::store::sqlite::schema::{COLUMNS_1, COLUMNS_2};
use crate::store::sqlite::worker::Worker;

const RESTORING: &str = "restoring an entry";

/// The part of a body that is written in one transaction; bytes.
const STEP: usize = 1 << 20;

/// Puts a record back.
pub(crate) async fn restore(worker: &Arc<Worker>, record: &Record, body: RecordBody<'_>) -> Result<Restored> {
    if record.expires_at().is_some_and(|at| at <= clock::now()) {
        return Ok(Restored::Expired);
    }
    match record {
        Record::Http(http) => restore_response(worker, http, body).await,
        Record::Result(result) => restore_result(worker, result, body).await,
        Record::Raw(raw) if !raw.row.is_empty() => {
            let raw = raw.clone();
            worker.run(RESTORING, move |database| restore_row(database, &raw)).await
        }
        Record::Raw(_) => Err(Error::Unsupported("keys of Redis cannot be restored in SQLite")),
        Record::Expiry(_) => Err(Error::Unsupported("a TTL is changed, not restored")),
    }
}

async fn restore_response(worker: &Arc<Worker>, http: &HttpRecord, mut body: RecordBody<'_>) -> Result<Restored> {
    let http = Arc::new(http.clone());
    let (mut step, mut size, mut from) = (Vec::new(), 0, 0);
    let mut failed = None;
    while let Some(element) = body.next().await {
        match element {
            Ok(element) => {
                size += element.len();
                step.push(element);
            }
            Err(error) => {
                failed = Some(error);
                break;
            }
        }
        if size >= STEP {
            let part = std::mem::take(&mut step);
            let next = from + part.len();
            if !write(worker, &http, from, part, false).await? {
                return Ok(Restored::Present);
            }
            (size, from) = (0, next);
        }
    }
    if let Some(error) = failed {
        if from > 0 {
            let id = http.id;
            let delete = move |database: &mut Database| {
                let (change, _) = database.change()?;
                delete(&change, id)?;
                Ok(change.commit()?)
            };
            worker.run(RESTORING, delete).await?;
        }
        return Err(error);
    }
    let is_written = write(worker, &http, from, step, true).await?;
    Ok(if is_written { Restored::Restored { keys: 1 } } else { Restored::Present })
}

/// Writes a part of a body, with the entry before the first one; `false`: another entry is there.
async fn write(
    worker: &Arc<Worker>,
    http: &Arc<HttpRecord>,
    from: usize,
    part: Vec<Bytes>,
    is_last: bool,
) -> Result<bool> {
    let http = Arc::clone(http);
    worker
        .run(RESTORING, move |database| {
            // Rows of a body without an entry are restored, too.
            let is_orphan = !http.stored.contains_key("data");
            database.connection.pragma_update(None, "foreign_keys", !is_orphan)?;
            let outcome = write_part(database, &http, from, &part, is_last);
            database.connection.pragma_update(None, "foreign_keys", true)?;
            outcome
        })
        .await
}

fn write_part(
    database: &mut Database,
    http: &HttpRecord,
    from: usize,
    part: &[Bytes],
    is_last: bool,
) -> Result<bool, Failure> {
    let (change, layout) = database.change()?;
    if layout != http.layout {
        return Err(Failure::Unsupported("the response has the layout of another storage"));
    }
    if from == 0 {
        if !make_room(&change, layout, http)? {
            return Ok(false);
        }
        insert_entry(&change, layout, http, is_last)?;
    }
    let numbers: Option<Vec<i64>> = match http.stored.get(CHUNK_NUMBERS) {
        Some(StoredValue::Text { text }) => text.split(' ').map(|number| number.parse().ok()).collect(),
        _ => None,
    };
    let mut insert =
        change.prepare_cached("INSERT INTO streams (entry_id, chunk_number, chunk_data) VALUES (?1, ?2, ?3)")?;
    for (at, element) in (from..).zip(part) {
        let number = numbers
            .as_ref()
            .and_then(|numbers| numbers.get(at))
            .copied()
            .unwrap_or(i64::try_from(at).unwrap_or(i64::MAX));
        insert.execute((http.id.as_bytes(), number, &element[..]))?;
    }
    if is_last {
        if layout == StorageLayout::Sqlite1 && http.is_complete {
            insert.execute((http.id.as_bytes(), -1, &b""[..]))?;
        } else if layout == StorageLayout::Sqlite2 && from > 0 {
            show(&change, http)?;
        }
    }
    drop(insert);
    change.commit()?;
    Ok(true)
}

/// Whether the ID is free. What an earlier attempt left is deleted.
fn make_room(change: &Transaction<'_>, layout: StorageLayout, http: &HttpRecord) -> Result<bool, Failure> {
    let id = http.id;
    let data: Option<Vec<u8>> = change
        .prepare_cached("SELECT CAST(data AS BLOB) FROM entries WHERE id = ?1")?
        .query_row([id.as_bytes()], |row| row.get(0))
        .optional()?;
    let Some(data) = data else {
        let mut rows = change.prepare_cached("SELECT 1 FROM streams WHERE entry_id = ?1")?;
        return Ok(!rows.exists([id.as_bytes()])?);
    };
    let is_whole = match layout {
        StorageLayout::Sqlite2 => "SELECT 1 FROM entries WHERE id = ?1 AND chunk_count IS NOT NULL",
        _ => "SELECT 1 FROM streams WHERE entry_id = ?1 AND chunk_number = -1",
    };
    let was_whole = match layout {
        StorageLayout::Sqlite2 => !matches!(http.stored.get("chunk_count"), None | Some(StoredValue::Null)),
        _ => http.is_complete,
    };
    let is_ours = was_whole
        && http.stored.get("data").and_then(StoredValue::as_bytes) == Some(&data[..])
        && !change.prepare_cached(is_whole)?.exists([id.as_bytes()])?;
    if is_ours {
        delete(change, id)?;
    }
    Ok(is_ours)
}

/// Inserts the row of an entry. Layout E hides one that is not whole yet as hishel does.
fn insert_entry(
    change: &Transaction<'_>,
    layout: StorageLayout,
    http: &HttpRecord,
    is_whole: bool,
) -> Result<(), Failure> {
    if !http.stored.contains_key("data") {
        return Ok(());
    }
    let mut columns = vec![("id", Value::Blob(http.id.as_bytes().to_vec()))];
    for (name, value) in http.stored.iter().filter(|(name, _)| *name != CHUNK_NUMBERS) {
        let name = known(name)?;
        columns.push((
            name,
            match name {
                "expires_at" if layout == StorageLayout::Sqlite2 && !is_whole => Value::Real(0.0),
                "chunk_count" if !is_whole => Value::Null,
                _ => sql_value(value),
            },
        ));
    }
    insert_row(change, columns)
}

fn insert_row(change: &Transaction<'_>, columns: Vec<(&str, Value)>) -> Result<(), Failure> {
    let names = columns.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
    let places = vec!["?"; columns.len()].join(", ");
    let insert = format!("INSERT INTO entries ({names}) VALUES ({places})");
    change.prepare_cached(&insert)?.execute(params_from_iter(columns.into_iter().map(|(_, value)| value)))?;
    Ok(())
}

/// Makes an entry of layout E visible.
fn show(change: &Transaction<'_>, http: &HttpRecord) -> Result<(), Failure> {
    let value = |name| http.stored.get(name).map_or(Value::Null, sql_value);
    change.prepare_cached("UPDATE entries SET expires_at = ?2, chunk_count = ?3 WHERE id = ?1")?.execute((
        http.id.as_bytes(),
        value("expires_at"),
        value("chunk_count"),
    ))?;
    Ok(())
}

/// The columns of both layouts: names in a file are not trusted.
fn known(name: &str) -> Result<&'static str, Failure> {
    let mut columns = COLUMNS_1.into_iter().chain(COLUMNS_2);
    columns.find(|known| *known == name).ok_or(Failure::Unsupported("the record has an unknown column"))
}

fn restore_row(database: &mut Database, raw: &RawRecord) -> Result<Restored, Failure> {
    let Some(rowid) = rows::row_of(&raw.key.0) else { return Err(Failure::Unsupported("the record has no number")) };
    let (change, _) = database.change()?;
    if change.prepare_cached("SELECT 1 FROM entries WHERE rowid = ?1")?.exists([rowid])? {
        return Ok(Restored::Present);
    }
    let mut columns = vec![("rowid", Value::Integer(rowid))];
    for (name, value) in &raw.row {
        columns.push((known(name)?, sql_value(value)));
    }
    insert_row(&change, columns)?;
    change.commit()?;
    Ok(Restored::Restored { keys: 1 })
}

async fn restore_result(worker: &Arc<Worker>, result: &ResultRecord, mut body: RecordBody<'_>) -> Result<Restored> {
    let mut value = result.value.as_ref().map(|value| value.0.clone()).unwrap_or_default();
    while let Some(element) = body.next().await {
        value.extend_from_slice(&element?);
    }
    let (key, created_at, expires_at) = (result.key.0.clone(), result.created_at, result.expires_at);
    worker
        .run(RESTORING, move |database| {
            let (change, _) = database.change()?;
            let now = clock::now();
            change
                .prepare_cached("DELETE FROM animecache_results WHERE key = ?1 AND expires_at <= ?2")?
                .execute((&key, now))?;
            let insert = "INSERT INTO animecache_results (key, value, created_at, expires_at) VALUES (?1, ?2, ?3, ?4)
                          ON CONFLICT (key) DO NOTHING";
            let inserted =
                change.prepare_cached(insert)?.execute((&key, &value, created_at.unwrap_or(now), expires_at))?;
            let is_same = "SELECT 1 FROM animecache_results WHERE key = ?1 AND value = ?2";
            let is_same = inserted == 0 && change.prepare_cached(is_same)?.exists((&key, &value))?;
            change.commit()?;
            Ok(match (inserted, is_same) {
                (1, _) => Restored::Restored { keys: 1 },
                (_, true) => Restored::Present,
                (_, false) => Restored::Newer,
            })
        })
        .await
}
