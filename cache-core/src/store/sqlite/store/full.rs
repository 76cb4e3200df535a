//! Tests with a file that cannot grow.

use std::time::Duration;

use bytes::Bytes;

use crate::clock;
use crate::error::{Error, Result};
use crate::model::entry::{Entry, EntryId, Request, Response};
use crate::model::filter::Filter;
use crate::model::key::CacheKey;
use crate::model::service::ServiceRegistry;
use crate::model::stored::collect_body;
use crate::store::inspect::Inspect as _;
use crate::store::sqlite::if_missing::IfMissing;
use crate::store::sqlite::store::Sqlite;
use crate::store::traits::{ResponseStore as _, ResultStore as _};

const DAY: Duration = Duration::from_secs(86_400);

fn entry(key: &str) -> Entry {
    Entry {
        id: uuid::Uuid::new_v4(),
        cache_key: CacheKey::new(key.as_bytes()),
        request: Request { method: "GET".into(), url: "https://api.example.com/".into(), ..Request::default() },
        response: Response { status_code: 200, ..Response::default() },
        created_at: Some(clock::now()),
        deleted_at: None,
    }
}

async fn set(store: &Sqlite, entry: &Entry, pieces: usize) -> Result<EntryId> {
    let mut writer = store.insert(entry.clone(), Some(DAY)).await?;
    for _ in 0..pieces {
        writer.write(Bytes::from(vec![b'x'; 500_000])).await?;
    }
    writer.commit().await
}

#[tokio::test]
async fn a_full_disk_is_an_error_until_something_is_removed() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("http_cache.db");
    let store = Sqlite::open(&file, ServiceRegistry::default(), IfMissing::Create).await.unwrap();
    let (kept, small) = (entry("kept"), entry("small"));
    let kept_id = set(&store, &kept, 4).await.unwrap();
    // Room for about 1 MB more.
    store
        .writer
        .run("limiting", |database| {
            let pages: u32 = database.connection.query_row("PRAGMA page_count", [], |row| row.get(0))?;
            Ok(database.connection.pragma_update(None, "max_page_count", pages + 250)?)
        })
        .await
        .unwrap();

    // Whether it fails half-way or at the end, nothing of it stays.
    for pieces in [3, 40] {
        let error = set(&store, &entry("large"), pieces).await.unwrap_err();
        let Error::Refused { source, .. } = &error else { unreachable!("{error:?}") };
        assert!(source.to_string().contains("full"), "{source}");
    }
    let value = Bytes::from(vec![b'x'; 2_000_000]);
    assert!(store.set("result_cache:p:1", value, DAY).await.is_err());
    // What is there is served, and what is small still fits.
    assert_eq!(collect_body(store.body(&kept_id).await.unwrap().unwrap()).await.unwrap().len(), 2_000_000);
    assert_eq!(store.lookup(&kept.cache_key, Some(2 * DAY)).await.unwrap().len(), 1);
    set(&store, &small, 0).await.unwrap();
    let listed = store.scan(&Filter::default(), None, 100).await.unwrap().entries;
    assert_eq!(listed.len(), 2, "{listed:?}");

    store.remove(&[kept_id]).await.unwrap();
    set(&store, &entry("large"), 3).await.unwrap();
}
