//! Saving entries of a file, and putting them back.

use async_trait::async_trait;

use crate::error::Result;
use crate::model::entry::EntryId;
use crate::model::record::Record;
use crate::store::archive::{Archive, RecordBody, Restored, StoredRecord};
use crate::store::sqlite::store::Sqlite;
use crate::store::sqlite::{read_stored, restore};

#[async_trait]
impl Archive for Sqlite {
    async fn read_stored(&self, id: &EntryId) -> Result<Vec<StoredRecord>> {
        let id = id.clone();
        let found = self.read("reading an entry", move |database, reader| read_stored::read(database, reader, &id));
        Ok(found.await?.map(|found| found.with_body(&self.reader)).into_iter().collect())
    }

    async fn restore(&self, record: &Record, body: RecordBody<'_>) -> Result<Restored> {
        restore::restore(&self.writer, record, body).await
    }
}
