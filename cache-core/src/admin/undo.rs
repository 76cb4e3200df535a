//! Saving entries to a file before they are changed, and putting them back from it.

use std::io::{BufRead, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;
use futures_util::stream::{FuturesUnordered, StreamExt as _};

use crate::admin::archive::{ArchiveError, ArchiveReader, ArchiveWriter, Ending};
use crate::clock;
use crate::error::{Error, Result};
use crate::model::change::{Applied, Change, ExpiryChange, Fingerprint, Target};
use crate::model::entry::EntryId;
use crate::model::key::CacheKey;
use crate::model::record::{ExpiryRecord, HttpRecord, Record};
use crate::store::archive::{RecordBody, Restored, StoredRecord};
use crate::store::inspect::Inspect;

/// The number of entries that are read or put back at once.
const CONCURRENCY: usize = 32;

/// A body up to this size is put back beside others; bytes.
const BESIDE: usize = 1 << 18;

/// Writes entries to a file, as they are stored, and ends its member.
pub async fn save<W: Write + Send>(
    store: &Arc<dyn Inspect>,
    ids: &[EntryId],
    writer: &mut ArchiveWriter<W>,
) -> Result<()> {
    let reads: Vec<_> = ids.iter().map(|id| read(Arc::clone(store), id.clone())).collect();
    let mut records = stream::iter(reads).buffered(CONCURRENCY);
    while let Some(found) = records.next().await {
        for StoredRecord { record, body } in found? {
            writer.record(&record).map_err(unwritten)?;
            let Some(mut body) = body else { continue };
            let mut is_void = false;
            while let Some(element) = body.next().await {
                match element {
                    Ok(element) => writer.chunk(&element).map_err(unwritten)?,
                    // What comes of the entry is for its change to find out.
                    Err(Error::Removed { .. }) => is_void = true,
                    Err(error) => return Err(error),
                }
                if is_void {
                    break;
                }
            }
            writer.end(is_void).map_err(unwritten)?;
        }
    }
    writer.flush().map_err(unwritten)
}

async fn read(store: Arc<dyn Inspect>, id: EntryId) -> Result<Vec<StoredRecord>> {
    store.read_stored(&id).await
}

/// The error of a file that cannot be written.
pub fn unwritten(error: std::io::Error) -> Error {
    Error::File { what: "cannot write the undo file", source: error.into() }
}

fn unread(error: ArchiveError) -> Error {
    Error::File { what: "cannot read the undo file", source: error.into() }
}

/// What came of putting entries back.
#[derive(Debug, Default)]
pub struct UndoReport {
    /// Entries that are there again.
    pub entries: u64,
    /// Their keys, or rows.
    pub keys: u64,
    /// Bytes of their bodies and values.
    pub bytes: u64,
    /// Entries that would have expired.
    pub expired: u64,
    /// Entries that were stored again after the change.
    pub newer: u64,
    /// Entries that are there, or of which a part is that is not theirs.
    pub present: u64,
    /// Entries that could not be put back.
    pub failed: u64,
    /// The first error, or the one that ended it.
    pub error: Option<Error>,
    /// `stop` was set before the end.
    pub is_interrupted: bool,
    /// The file has no end: the change that wrote it was ended before it was complete.
    pub is_cut_off: bool,
}

impl UndoReport {
    fn add(&mut self, bytes: u64, outcome: Result<Restored>) {
        match outcome {
            Ok(Restored::Restored { keys }) => {
                self.entries += 1;
                self.keys += keys;
                self.bytes += bytes;
            }
            Ok(Restored::Expired) => self.expired += 1,
            Ok(Restored::Newer) => self.newer += 1,
            Ok(Restored::Present) => self.present += 1,
            Err(Error::File { source, .. }) if is_void(&*source) => {}
            Err(error) => {
                self.failed += 1;
                if self.error.as_ref().is_none_or(|known| !known.is_temporary() && error.is_temporary()) {
                    self.error = Some(error);
                }
            }
        }
    }

    /// Records that were dealt with.
    pub fn done(&self) -> u64 {
        self.entries + self.expired + self.newer + self.present + self.failed
    }

    fn must_end(&self) -> bool {
        self.error.as_ref().is_some_and(Error::is_temporary)
    }
}

fn is_void(error: &(dyn std::error::Error + 'static)) -> bool {
    matches!(error.downcast_ref(), Some(ArchiveError::Void))
}

/// Puts the entries of a file back, with the TTLs that are left, and never over what is there. Stops when `stop` is set,
/// or when the store is unreachable. May be repeated.
pub async fn restore<R: BufRead + Send>(
    store: &Arc<dyn Inspect>,
    reader: &mut ArchiveReader<R>,
    stop: &AtomicBool,
    mut progress: impl FnMut(&UndoReport),
) -> UndoReport {
    let (mut report, since) = (UndoReport::default(), reader.header().created_at);
    let mut running = FuturesUnordered::new();
    loop {
        report.is_interrupted = stop.load(Ordering::Relaxed);
        if report.is_interrupted || report.must_end() {
            break;
        }
        let record = match reader.next_record() {
            Ok(Some(record)) => record,
            Ok(None) => break,
            Err(error) => {
                report.failed += 1;
                report.error = Some(unread(error));
                break;
            }
        };
        let (start, is_whole) = match start_of_body(reader) {
            Ok(start) => start,
            Err(error) => {
                report.add(0, Err(unread(error)));
                continue;
            }
        };
        if is_whole {
            running.push(restore_one(Arc::clone(store), since, record, start));
        } else {
            let before = reader.totals().bytes;
            let outcome = restore_long(store, since, &record, start, reader).await;
            report.add(reader.totals().bytes - before, outcome);
        }
        while running.len() >= CONCURRENCY
            && let Some((bytes, outcome)) = running.next().await
        {
            report.add(bytes, outcome);
        }
        progress(&report);
    }
    while let Some((bytes, outcome)) = running.next().await {
        report.add(bytes, outcome);
        progress(&report);
    }
    report.is_cut_off = reader.ending() == Ending::CutOff;
    report
}

/// The first elements of a body, and whether they are all.
fn start_of_body<R: BufRead>(reader: &mut ArchiveReader<R>) -> Result<(Vec<Bytes>, bool), ArchiveError> {
    let (mut start, mut size) = (Vec::new(), 0);
    while size <= BESIDE {
        match reader.next_chunk()? {
            Some(element) => {
                size += element.len();
                start.push(element);
            }
            None => return Ok((start, true)),
        }
    }
    Ok((start, false))
}

async fn restore_one(store: Arc<dyn Inspect>, since: f64, record: Record, body: Vec<Bytes>) -> (u64, Result<Restored>) {
    let of_body: usize = body.iter().map(Bytes::len).sum();
    let of_value = match &record {
        Record::Result(result) => result.value.as_ref().map_or(0, |value| value.0.len()),
        _ => 0,
    };
    let body: RecordBody<'_> = Box::pin(stream::iter(body.into_iter().map(Ok)));
    ((of_body + of_value) as u64, restore_record(&store, since, &record, body).await)
}

async fn restore_long<R: BufRead + Send>(
    store: &Arc<dyn Inspect>,
    since: f64,
    record: &Record,
    start: Vec<Bytes>,
    reader: &mut ArchiveReader<R>,
) -> Result<Restored> {
    let rest = stream::try_unfold(reader, |reader| async move {
        let element = reader.next_chunk().map_err(unread)?;
        Ok(element.map(|element| (element, reader)))
    });
    restore_record(store, since, record, Box::pin(stream::iter(start.into_iter().map(Ok)).chain(rest))).await
}

async fn restore_record(
    store: &Arc<dyn Inspect>,
    since: f64,
    record: &Record,
    body: RecordBody<'_>,
) -> Result<Restored> {
    if record.expires_at().is_some_and(|at| at <= clock::now()) {
        return Ok(Restored::Expired);
    }
    if let Record::Expiry(expiry) = record {
        return restore_expiry(store, expiry).await;
    }
    if let Record::Http(http) = record
        && is_superseded(store, since, http).await?
    {
        return Ok(Restored::Newer);
    }
    store.restore(record, body).await
}

/// Sets the TTL that would be left, if the entry is the one whose TTL was changed.
async fn restore_expiry(store: &Arc<dyn Inspect>, expiry: &ExpiryRecord) -> Result<Restored> {
    let Some(id) = expiry.entry_id() else { return Err(Error::Unsupported("the record has no valid ID")) };
    let left = expiry.expires_at.map(|at| Duration::try_from_secs_f64(at - clock::now()).unwrap_or_default());
    let change = Change::Expire(left.map_or(ExpiryChange::Persist, ExpiryChange::Set));
    let was = Fingerprint { version: expiry.version, size: expiry.size, expiry: None };
    let applied = store.apply(&store.identity().await?, change, &[Target { id, was }]).await?;
    Ok(match applied {
        Applied { entries: 1.., .. } => Restored::Restored { keys: 1 },
        Applied { gone: 1.., .. } => Restored::Expired,
        _ => Restored::Newer,
    })
}

/// Whether a live response was stored under the same key later, and after the change, which began at `since`. It would be hidden by an older one where a cache takes
/// any of them.
async fn is_superseded(store: &Arc<dyn Inspect>, since: f64, http: &HttpRecord) -> Result<bool> {
    let Some(key) = http.cache_key.as_ref().filter(|_| http.is_indexed) else { return Ok(false) };
    let found = store.lookup(&CacheKey::new(&key.0[..]), None).await?;
    let others = found.into_iter().filter(|found| !matches!(found.id, EntryId::Http(_, id) if id == http.id));
    Ok(others.into_iter().any(|other| match (other.entry.created_at, http.created_at) {
        // Those that were there before the change are put back beside each other.
        (Some(other), Some(this)) => other > this && other > since,
        // hishel 2 records no storage time: the one that expires last was stored last.
        _ => match (other.expires_at, http.expires_at) {
            (Some(other), Some(this)) => other > this,
            (other, this) => other.is_none() && this.is_some(),
        },
    }))
}
