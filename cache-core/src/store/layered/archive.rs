//! Saving entries of the store in use, and putting them back.

use async_trait::async_trait;

use crate::error::Result;
use crate::model::entry::EntryId;
use crate::model::record::Record;
use crate::store::archive::{Archive, RecordBody, Restored, StoredRecord};
use crate::store::layered::fallback::Fallback;

#[async_trait]
impl Archive for Fallback {
    async fn read_stored(&self, id: &EntryId) -> Result<Vec<StoredRecord>> {
        self.call_current(|store| store.read_stored(id)).await
    }

    async fn restore(&self, record: &Record, body: RecordBody<'_>) -> Result<Restored> {
        self.call_current(|store| store.restore(record, body)).await
    }
}
