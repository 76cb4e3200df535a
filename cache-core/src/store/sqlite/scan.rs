//! Scans: entries, then bodies without an entry, then results, each by its own key.

use std::sync::Arc;

use rusqlite::Connection;

use crate::model::entry::{CacheKind, EntryId, EntryState};
use crate::model::filter::Filter;
use crate::model::service::ServiceRegistry;
use crate::model::summary::Summary;
use crate::store::page::{Cursor, Page};
use crate::store::sqlite::failure::Failure;
use crate::store::sqlite::rows::{Depth, Reader, bytes, number};
use crate::store::sqlite::{rows, schema};
use crate::store::summarize;

/// Position in a scan.
#[derive(Debug)]
pub(crate) struct Position {
    /// The file of the scan.
    pub(crate) file: Arc<str>,
    at: TableCursor,
    scanned: u64,
    total: u64,
}

/// The last listed row.
#[derive(Debug)]
enum TableCursor {
    Entries(i64),
    Bodies(Vec<u8>),
    Results(i64),
}

/// The tables that can contain matches.
#[derive(Clone, Copy)]
pub(crate) struct ScanTables {
    entries: bool,
    bodies: bool,
    results: bool,
}

impl ScanTables {
    pub(crate) fn new(filter: &Filter) -> Self {
        Self {
            entries: filter.matches_kind(CacheKind::Http),
            bodies: filter.includes_orphans(),
            results: filter.matches_kind(CacheKind::Result),
        }
    }

    /// The first wanted table from `at` on.
    fn from(self, at: TableCursor) -> Option<TableCursor> {
        match at {
            TableCursor::Entries(_) if !self.entries => self.from(TableCursor::Bodies(Vec::new())),
            TableCursor::Bodies(_) if !self.bodies => self.from(TableCursor::Results(i64::MIN)),
            TableCursor::Results(_) if !self.results => None,
            wanted => Some(wanted),
        }
    }
}

impl Position {
    pub(crate) fn start(file: Arc<str>, connection: &Connection) -> Result<Self, Failure> {
        Ok(Self { file, at: TableCursor::Entries(i64::MIN), scanned: 0, total: total(connection)? })
    }
}

/// The number of entries and results.
pub(crate) fn total(connection: &Connection) -> Result<u64, Failure> {
    let count = |table: &str| -> Result<u64, Failure> {
        let mut statement = connection.prepare_cached(&format!("SELECT COUNT(*) FROM {table}"))?;
        Ok(statement.query_row([], |row| row.get::<_, i64>(0))? as u64)
    };
    let results = if schema::has_own(connection)? { count(schema::RESULTS)? } else { 0 };
    Ok(count("entries")? + results)
}

/// One page after a position; the caller filters it.
pub(crate) fn page(reader: &Reader<'_>, from: Position, mut wanted: ScanTables, want: usize) -> Result<Page, Failure> {
    let want = u32::try_from(want).unwrap_or(u32::MAX).max(1);
    wanted.results = wanted.results && schema::has_own(reader.connection)?;
    let Some(at) = wanted.from(from.at) else { return Ok(Page::default()) };
    let is_orphans = matches!(at, TableCursor::Bodies(_));
    let (entries, next) = match at {
        TableCursor::Entries(after) => entries(reader, after, want)?,
        TableCursor::Bodies(after) => {
            let (found, end) = orphans(reader.connection, &after, want)?;
            (found, Some(end.map_or(TableCursor::Results(i64::MIN), TableCursor::Bodies)))
        }
        TableCursor::Results(after) => results(reader, after, want)?,
    };
    let keys = if is_orphans { 0 } else { entries.len() as u64 };
    let scanned = from.scanned + keys;
    let next = next
        .and_then(|at| wanted.from(at))
        .map(|at| Cursor::new(Position { file: from.file, at, scanned, total: from.total }));
    Ok(Page { entries, next, scanned, total: from.total, denied: 0, keys, left_out: 0 })
}

type Listed = (Vec<Summary>, Option<TableCursor>);

fn entries(reader: &Reader<'_>, after: i64, want: u32) -> Result<Listed, Failure> {
    let found = reader.entries("e.rowid > ?1", after, want, Depth::Summary)?;
    let next = match found.last() {
        Some(last) if found.len() == want as usize => TableCursor::Entries(last.rowid),
        _ => TableCursor::Bodies(Vec::new()),
    };
    Ok((found.into_iter().map(|found| found.summary).collect(), Some(next)))
}

/// Body rows without an entry, as hishel 1.0 leaves them: it does not enable foreign keys in SQLite. Also returns the
/// last scanned body; `None`: the scan has ended.
pub(crate) fn orphans(
    connection: &Connection,
    after: &[u8],
    want: u32,
) -> Result<(Vec<Summary>, Option<Vec<u8>>), Failure> {
    // A bounded part of the index, since there may be many rows without an orphan among them.
    let mut end = connection
        .prepare_cached("SELECT entry_id FROM streams WHERE entry_id > ?1 ORDER BY entry_id LIMIT 1 OFFSET ?2")?;
    let end: Option<Vec<u8>> = end
        .query_map((after, i64::from(want) * 4), |row| Ok(bytes(row.get_ref(0)?).map(<[u8]>::to_vec)))?
        .next()
        .transpose()?
        .flatten();
    let mut statement = connection.prepare_cached(
        "SELECT entry_id, SUM(LENGTH(chunk_data)) FROM streams AS s
         WHERE entry_id > ?1 AND (?2 IS NULL OR entry_id <= ?2) AND LENGTH(entry_id) = 16
           AND NOT EXISTS (SELECT 1 FROM entries WHERE id = s.entry_id)
         GROUP BY entry_id ORDER BY entry_id",
    )?;
    let mut rows = statement.query((after, &end))?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        if let Some(id) = bytes(row.get_ref(0)?).and_then(rows::orphan) {
            let size = row.get::<_, Option<i64>>(1)?.unwrap_or(0) as u64;
            found.push(orphan(id, size));
        }
    }
    Ok((found, end))
}

pub(crate) fn orphan(id: EntryId, size: u64) -> Summary {
    Summary { size, ..summarize::from_problem(id, EntryState::Orphan, None, "body without an entry") }
}

/// Only keys under `result_cache:`; other values are private data of programs.
fn results(reader: &Reader<'_>, after: i64, want: u32) -> Result<Listed, Failure> {
    let mut statement = reader.connection.prepare_cached(
        "SELECT rowid, key, LENGTH(value), created_at, expires_at FROM animecache_results
         WHERE rowid > ?1 AND SUBSTR(key, 1, 13) = x'726573756c745f63616368653a' ORDER BY rowid LIMIT ?2",
    )?;
    let mut rows = statement.query((after, want))?;
    let (mut found, mut last) = (Vec::new(), after);
    while let Some(row) = rows.next()? {
        last = row.get(0)?;
        found.push(result(reader.services, reader.now, row)?);
    }
    let next = (found.len() == want as usize).then_some(TableCursor::Results(last));
    Ok((found, next))
}

/// The summary of a result from a row of `_, key, length, created_at, expires_at`.
pub(crate) fn result(services: &ServiceRegistry, now: f64, row: &rusqlite::Row<'_>) -> Result<Summary, Failure> {
    let key = bytes(row.get_ref(1)?).unwrap_or_default();
    let expires_at = number(row.get_ref(4)?);
    let size = row.get::<_, Option<i64>>(2)?.unwrap_or(0) as u64;
    let mut summary = summarize::from_result(services, key, size, expires_at);
    summary.created_at = number(row.get_ref(3)?);
    // Each value is stored at another time.
    summary.version = summary.created_at.map(f64::to_bits);
    if expires_at.is_some_and(|at| at <= now) {
        summary.state = EntryState::Deleted;
    }
    Ok(summary)
}

/// The summary of the result under a key.
pub(crate) fn result_under(reader: &Reader<'_>, key: &[u8]) -> Result<Option<Summary>, Failure> {
    if !schema::has_own(reader.connection)? {
        return Ok(None);
    }
    let mut statement = reader.connection.prepare_cached(
        "SELECT rowid, key, LENGTH(value), created_at, expires_at FROM animecache_results WHERE key = ?1",
    )?;
    let mut rows = statement.query([key])?;
    rows.next()?.map(|row| result(reader.services, reader.now, row)).transpose()
}
