//! [`Recorder`]: what a change is about to destroy is on the disk before it is.

use std::fs::File;
use std::io::Result as IoResult;
use std::sync::Arc;

use async_trait::async_trait;
use futures_util::stream;
use futures_util::stream::StreamExt as _;
use tokio::sync::Mutex;

use crate::admin::apply::Record as RecordBatch;
use crate::admin::archive::{ArchiveWriter, Header, Totals};
use crate::admin::undo::{save, unwritten};
use crate::error::{Error, Result};
use crate::model::change::{Change, Target};
use crate::model::entry::{EntryId, StorageLayout};
use crate::model::record::{ExpiryRecord, Octets, Record};
use crate::model::summary::Summary;
use crate::store::inspect::Inspect;

/// The number of entries that are read at once.
const CONCURRENCY: usize = 32;

/// Writes the entries of each batch to a file before they are changed: whole entries that are deleted, and the expiry of
/// those that get another one.
pub struct Recorder {
    writer: Mutex<ArchiveWriter<File>>,
    change: Change,
    max_bytes: u64,
}

impl Recorder {
    /// Begins a file, which may grow to about `max_bytes`.
    pub fn new(file: File, header: &Header, change: Change, max_bytes: u64) -> IoResult<Self> {
        Ok(Self { writer: Mutex::new(ArchiveWriter::new(file, header)?), change, max_bytes })
    }

    /// Ends the file.
    pub fn finish(self) -> IoResult<Totals> {
        let (file, totals) = self.writer.into_inner().finish()?;
        file.sync_data()?;
        Ok(totals)
    }
}

#[async_trait]
impl RecordBatch for Recorder {
    async fn keep(&self, store: &Arc<dyn Inspect>, targets: &[Target]) -> Result<()> {
        let mut writer = self.writer.lock().await;
        let ids: Vec<_> = targets.iter().map(|target| target.id.clone()).collect();
        match self.change {
            Change::Remove => save(store, &ids, &mut writer).await?,
            Change::Expire(_) => save_expiries(store, &ids, &mut writer).await?,
        }
        if writer.written() > self.max_bytes {
            let source = format!("it has {} bytes, and may have {}", writer.written(), self.max_bytes).into();
            return Err(Error::File { what: "the undo file is too large", source });
        }
        writer.get_ref().sync_data().map_err(unwritten)
    }
}

async fn save_expiries(store: &Arc<dyn Inspect>, ids: &[EntryId], writer: &mut ArchiveWriter<File>) -> Result<()> {
    let reads: Vec<_> = ids.iter().map(|id| summary(Arc::clone(store), id.clone())).collect();
    let mut summaries = stream::iter(reads).buffered(CONCURRENCY);
    while let Some(found) = summaries.next().await {
        if let Some(summary) = found? {
            writer.record(&expiry_of(&summary)).map_err(unwritten)?;
        }
    }
    writer.flush().map_err(unwritten)
}

async fn summary(store: Arc<dyn Inspect>, id: EntryId) -> Result<Option<Summary>> {
    Ok(store.details(&id).await?.map(|details| details.summary))
}

fn expiry_of(summary: &Summary) -> Record {
    let (layout, id): (Option<StorageLayout>, Vec<u8>) = match &summary.id {
        EntryId::Http(layout, id) => (Some(*layout), layout.id_text(*id).into_bytes()),
        EntryId::Key(key) => (None, key.to_vec()),
    };
    Record::Expiry(ExpiryRecord {
        size: layout.is_none().then_some(summary.size),
        layout,
        id: Octets(id),
        expires_at: summary.expires_at,
        version: summary.version,
    })
}
