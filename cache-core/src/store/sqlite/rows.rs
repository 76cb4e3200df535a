//! Reading the row of an entry, with the totals of its body rows, as a summary or completely.
//!
//! SQLite checks no types: any column may hold anything, and an invalid row is reported as corrupt.

use rusqlite::types::ValueRef;
use rusqlite::{CachedStatement, Connection, OptionalExtension, ToSql};
use uuid::Uuid;

use crate::error::CodecError;
use crate::format::entry_view::EntryView;
use crate::format::msgpack;
use crate::model::entry::{Entry, EntryId, EntryState, StorageLayout};
use crate::model::key::CacheKey;
use crate::model::service::ServiceRegistry;
use crate::model::summary::Summary;
use crate::store::sqlite::failure::Failure;
use crate::store::summarize;
use crate::store::summarize::{StoredParts, TITLE_WINDOW, needs_title};

/// Reads entries of one file as of one time.
pub(crate) struct Reader<'a> {
    pub(crate) connection: &'a Connection,
    pub(crate) layout: StorageLayout,
    pub(crate) services: &'a ServiceRegistry,
    /// Unix seconds.
    pub(crate) now: f64,
}

/// The row of an entry.
pub(crate) struct StoredResponse {
    pub(crate) rowid: i64,
    pub(crate) summary: Summary,
    /// The number of body rows.
    pub(crate) chunks: u64,
    /// When layout C's entry was marked as deleted; Unix seconds.
    pub(crate) deleted_at: Option<f64>,
    /// Whether it has the mark of this crate: it may make room for others.
    pub(crate) is_own: bool,
    /// Request and response, if they are wanted and valid.
    pub(crate) entry: Option<Entry>,
}

/// An entry that may be served.
pub(crate) struct Live {
    pub(crate) rowid: i64,
    pub(crate) entry: Entry,
    pub(crate) expires_at: Option<f64>,
    /// Bytes of the body.
    pub(crate) size: u64,
}

/// Which parts of an entry are read.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Depth {
    /// What lists show.
    Summary,
    /// The whole request and response.
    Entry,
}

impl Reader<'_> {
    /// The first `limit` entries that match `which`, a condition on the row `e` with `?1` for `value`.
    pub(crate) fn entries(
        &self,
        which: &str,
        value: impl ToSql,
        limit: u32,
        depth: Depth,
    ) -> Result<Vec<StoredResponse>, Failure> {
        let mut statement = self.statement(which)?;
        let mut rows = statement.query((value, limit))?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            found.push(self.found(row, depth)?);
        }
        Ok(found)
    }

    /// The live entries that match `which`.
    pub(crate) fn live(&self, which: &str, value: impl ToSql) -> Result<Vec<Live>, Failure> {
        let mut statement = self.statement(which)?;
        let mut rows = statement.query((value, u32::MAX))?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            found.extend(self.live_row(row)?);
        }
        Ok(found)
    }

    /// Selects entries, `?2` at most. The columns are `_, id, cache_key, data`, layout E's expiry, last use and number
    /// of chunks, and the columns of [`BodyRows`].
    ///
    /// The body rows are aggregated in the same query: one query for each row would be far slower for whole lists. It
    /// joins the tables themselves: their order is that of the groups, so that SQLite need not sort.
    fn statement(&self, which: &str) -> Result<CachedStatement<'_>, Failure> {
        let own = match self.layout {
            StorageLayout::Sqlite2 => "e.expires_at, e.last_accessed_at, e.chunk_count",
            _ => "NULL, NULL, NULL",
        };
        Ok(self.connection.prepare_cached(&format!(
            "SELECT e.rowid, e.id, e.cache_key, e.data, {own},
                    COUNT(s.chunk_number), MIN(s.chunk_number), MAX(s.chunk_number), SUM(LENGTH(s.chunk_data))
             FROM entries AS e LEFT JOIN streams AS s ON s.entry_id = e.id
             WHERE {which} GROUP BY e.rowid ORDER BY e.rowid LIMIT ?2"
        ))?)
    }

    /// The entry with this ID, in any state.
    pub(crate) fn entry(&self, id: Uuid, depth: Depth) -> Result<Option<StoredResponse>, Failure> {
        Ok(self.entries("e.id = ?1", id.as_bytes(), 1, depth)?.pop())
    }

    fn found(&self, row: &rusqlite::Row<'_>, depth: Depth) -> Result<StoredResponse, Failure> {
        let rowid = row.get(0)?;
        let data = bytes(row.get_ref(3)?).unwrap_or_default();
        let body = BodyRows::new(row)?;
        let size = body.size;
        let chunks = body.chunks().max(0) as u64;
        let corrupt = |id, problem| self.corrupt(rowid, id, data, &body, problem);
        let Some(id) = id(row)? else {
            return Ok(corrupt(unidentified(rowid), "the ID is not a UUID".into()));
        };
        let entry_id = EntryId::Http(self.layout, id);
        let view = match EntryView::decode(data) {
            Ok(view) if self.layout == StorageLayout::Sqlite2 || view.meta.is_some() => view,
            Ok(_) => return Ok(corrupt(entry_id, CodecError::Missing("its metadata").to_string())),
            Err(error) => return Ok(corrupt(entry_id, error.to_string())),
        };
        let created_at = view.meta.as_ref().map(|meta| meta.created_at);
        let own_expiry = number(row.get_ref(4)?);
        let expires_at = match self.layout {
            StorageLayout::Sqlite2 => own_expiry,
            _ => view.meta.as_ref().and_then(|meta| expires_at(view.request.extra.hishel_ttl, meta.created_at)),
        };
        let cache_key = bytes(row.get_ref(2)?);
        let body_start = if needs_title(&view.request.method) { self.body_start(id)? } else { Vec::new() };
        let stored = StoredParts {
            layout: self.layout,
            id,
            size,
            is_complete: body.is_complete(self.layout),
            expires_at,
            cache_key,
            body_start: &body_start,
        };
        let mut summary = summarize::from_view(self.services, &view, &stored);
        let rows = Some((Some(chunks), stored.is_complete));
        summary.version = Some(summarize::version(self.layout, data, created_at, rows));
        if self.layout == StorageLayout::Sqlite2 {
            summary.last_used = number(row.get_ref(5)?);
        }
        // hishel 2 hides an entry that is still being written by an expiry in the past; the missing number of chunks
        // identifies it.
        let is_being_written = self.layout == StorageLayout::Sqlite2 && body.expected.is_none();
        if expires_at.is_some_and(|at| at <= self.now) && !is_being_written {
            summary.state = EntryState::Deleted;
        }
        let entry = match depth {
            Depth::Summary => None,
            Depth::Entry => match self.decode(id, cache_key, data) {
                Ok((entry, _)) => Some(entry),
                Err(error) => return Ok(corrupt(entry_id, error.to_string())),
            },
        };
        let deleted_at = view.meta.as_ref().and_then(|meta| meta.deleted_at).filter(|at| *at > 0.0);
        let is_own = view.request.extra.hishel_ttl.is_some() && view.request.extra.own_ttl().is_none();
        Ok(StoredResponse { rowid, summary, chunks, deleted_at, is_own, entry })
    }

    fn corrupt(&self, rowid: i64, id: EntryId, data: &[u8], body: &BodyRows, problem: String) -> StoredResponse {
        StoredResponse {
            rowid,
            summary: Summary {
                size: body.size,
                version: Some(summarize::version(self.layout, data, None, None)),
                ..summarize::from_problem(id, EntryState::Corrupt, None, problem)
            },
            chunks: body.chunks().max(0) as u64,
            deleted_at: None,
            is_own: false,
            entry: None,
        }
    }

    fn live_row(&self, row: &rusqlite::Row<'_>) -> Result<Option<Live>, Failure> {
        let body = BodyRows::new(row)?;
        let Some(id) = id(row)?.filter(|_| body.is_complete(self.layout)) else { return Ok(None) };
        let data = bytes(row.get_ref(3)?).unwrap_or_default();
        let Ok((entry, expires_at)) = self.decode(id, bytes(row.get_ref(2)?), data) else { return Ok(None) };
        let expires_at = if self.layout == StorageLayout::Sqlite2 { number(row.get_ref(4)?) } else { expires_at };
        let is_live = expires_at.is_none_or(|at| at > self.now) && !entry.is_deleted();
        Ok(is_live.then_some(Live { rowid: row.get(0)?, entry, expires_at, size: body.size }))
    }

    /// Decodes a stored entry, with its expiry in layout C.
    fn decode(&self, id: Uuid, cache_key: Option<&[u8]>, data: &[u8]) -> Result<(Entry, Option<f64>), CodecError> {
        if self.layout == StorageLayout::Sqlite2 {
            let (request, response) = msgpack::decode_head(data)?;
            let cache_key = CacheKey::new(cache_key.unwrap_or_default());
            return Ok((Entry { id, cache_key, request, response, created_at: None, deleted_at: None }, None));
        }
        // The ID of the row counts, not the one in the entry.
        let mut entry = Entry { id, ..msgpack::decode_pair(data)? };
        let extra = &mut entry.request.extra;
        let expires_at = expires_at(extra.ttl(), entry.created_at.unwrap_or(0.0));
        extra.clear_storage_ttl();
        Ok((entry, expires_at))
    }

    fn body_start(&self, id: Uuid) -> Result<Vec<u8>, Failure> {
        let mut statement = self
            .connection
            .prepare_cached("SELECT SUBSTR(chunk_data, 1, ?2) FROM streams WHERE entry_id = ?1 AND chunk_number = 0")?;
        let start = statement
            .query_row((id.as_bytes(), TITLE_WINDOW as u32), |row| {
                Ok(bytes(row.get_ref(0)?).unwrap_or_default().to_vec())
            })
            .optional()?;
        Ok(start.unwrap_or_default())
    }
}

/// The expiry that an entry of layout C carries; hishel counts from the storage time. `None`: it is not recorded,
/// because the TTL of hishel's storage, which is unlimited by default, is not in the file.
fn expires_at(own_ttl: Option<f64>, created_at: f64) -> Option<f64> {
    // hishel treats 0 as "not given".
    own_ttl.filter(|ttl| *ttl != 0.0).map(|ttl| created_at + ttl).filter(|at| at.is_finite())
}

/// Totals of a body's rows.
struct BodyRows {
    /// The number of chunks that hishel 2 recorded; `None` while it writes them.
    expected: Option<i64>,
    rows: i64,
    first: Option<i64>,
    last: Option<i64>,
    /// The number of bytes of all rows.
    size: u64,
}

impl BodyRows {
    fn new(row: &rusqlite::Row<'_>) -> Result<Self, Failure> {
        Ok(Self {
            expected: integer(row.get_ref(6)?),
            rows: row.get(7)?,
            first: integer(row.get_ref(8)?),
            last: integer(row.get_ref(9)?),
            size: integer(row.get_ref(10)?).unwrap_or(0) as u64,
        })
    }

    fn has_mark(&self) -> bool {
        self.first == Some(-1)
    }

    fn chunks(&self) -> i64 {
        self.rows - i64::from(self.has_mark())
    }

    fn is_complete(&self, layout: StorageLayout) -> bool {
        let chunks = self.chunks();
        // Chunks are numbered from 0 without a gap. An empty body has only the end marker, or no row.
        let is_gapless = match self.last {
            Some(last) => last == chunks - 1,
            None => true,
        };
        let is_ended = match layout {
            StorageLayout::Sqlite2 => self.expected == Some(chunks) && !self.has_mark(),
            _ => self.has_mark(),
        };
        is_ended && is_gapless
    }
}

fn id(row: &rusqlite::Row<'_>) -> Result<Option<Uuid>, Failure> {
    Ok(row.get_ref(1)?.as_blob().ok().and_then(|id| Uuid::from_slice(id).ok()))
}

/// The key of a row without a valid ID.
fn unidentified(rowid: i64) -> EntryId {
    EntryId::key(format!("{ROW}{rowid}").into_bytes())
}

const ROW: &str = "hishel_cache:row:";

const STREAM: &str = "hishel_cache:stream:";

/// The row of a key made by [`unidentified`].
pub(crate) fn row_of(key: &[u8]) -> Option<i64> {
    std::str::from_utf8(key).ok()?.strip_prefix(ROW)?.parse().ok()
}

/// The key of body rows that belong to no entry: the pipeline's key for a body.
pub(crate) fn orphan(entry_id: &[u8]) -> Option<EntryId> {
    let id = Uuid::from_slice(entry_id).ok()?;
    Some(EntryId::key(format!("{STREAM}{id}").into_bytes()))
}

/// The ID of a key made by [`orphan`].
pub(crate) fn orphan_of(key: &[u8]) -> Option<Uuid> {
    std::str::from_utf8(key).ok()?.strip_prefix(STREAM)?.parse().ok()
}

pub(crate) fn bytes(value: ValueRef<'_>) -> Option<&[u8]> {
    match value {
        ValueRef::Blob(bytes) | ValueRef::Text(bytes) => Some(bytes),
        _ => None,
    }
}

pub(crate) fn number(value: ValueRef<'_>) -> Option<f64> {
    match value {
        ValueRef::Real(number) => Some(number),
        ValueRef::Integer(number) => Some(number as f64),
        _ => None,
    }
}

fn integer(value: ValueRef<'_>) -> Option<i64> {
    match value {
        ValueRef::Integer(number) => Some(number),
        _ => None,
    }
}
