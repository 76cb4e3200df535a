//! Generations, as a part of the store.

use async_trait::async_trait;

use crate::error::Result;
use crate::model::generation::Generation;
use crate::store::sqlite::database::Database;
use crate::store::sqlite::generations;
use crate::store::sqlite::store::Sqlite;
use crate::store::traits::GenerationStore;

#[async_trait]
impl GenerationStore for Sqlite {
    async fn generation(&self, key: &[u8]) -> Result<Generation> {
        let key = key.to_vec();
        self.read_quickly("reading a generation", move |database, _| generations::read(&database.connection, &key))
            .await
    }

    async fn raise_generation(&self, key: Option<&[u8]>) -> Result<()> {
        let key = key.map(<[u8]>::to_vec);
        let raise = move |database: &mut Database| {
            let (change, _) = database.change()?;
            generations::raise(&change, key.as_deref())?;
            Ok(change.commit()?)
        };
        self.writer.run("raising a generation", raise).await
    }
}
