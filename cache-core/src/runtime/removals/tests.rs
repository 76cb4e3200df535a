use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;

use super::*;
use crate::error::Result;
use crate::format::http_key::hishel1_key;
use crate::model::entry::{Entry, Request, Response, StorageLayout};
use crate::store::stub::{Stub, id};

/// A store that may be down.
#[derive(Default)]
struct Store {
    is_down: AtomicBool,
    removed: AtomicUsize,
}

#[async_trait]
impl Stub for Store {
    async fn problem(&self) -> Option<String> {
        self.is_down.load(Ordering::SeqCst).then(|| "down".to_owned())
    }

    async fn invalidate(&self) -> Result<()> {
        if self.is_down.load(Ordering::SeqCst) {
            return Err(Error::Unavailable { backend: id(), source: "down".into() });
        }
        self.removed.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }
}

fn found(key: &CacheKey) -> Vec<StoredResponse> {
    let entry = Entry {
        id: uuid::Uuid::new_v4(),
        cache_key: key.clone(),
        request: Request::default(),
        response: Response::default(),
        created_at: None,
        deleted_at: None,
    };
    let id = EntryId::Http(StorageLayout::Pipeline, entry.id);
    vec![StoredResponse { id, entry: Arc::new(entry), expires_at: None, body: None }]
}

#[tokio::test(start_paused = true)]
async fn key_counts_as_not_stored_until_it_is_invalidated() {
    let (store, tasks) = (Arc::new(Store::default()), TaskGroup::new());
    let guarded = Arc::new(GuardedStore::new(Arc::clone(&store) as _, Duration::from_secs(1), tasks.clone()));
    let removals = Removals::new(Arc::clone(&guarded), tasks.clone());
    let (key, other) = (hishel1_key(b"a"), hishel1_key(b"b"));
    let is_stored = |key: &CacheKey| {
        let mut found = found(key);
        removals.retain(key, &mut found);
        !found.is_empty()
    };
    store.is_down.store(true, Ordering::SeqCst);
    removals.invalidate(GuardedStore::clone(&guarded), key.clone()).await;
    assert_eq!((is_stored(&key), is_stored(&other)), (false, true));

    store.is_down.store(false, Ordering::SeqCst);
    while !is_stored(&key) {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(store.removed.load(Ordering::SeqCst), 1);
    tasks.end();
}

#[tokio::test]
async fn outstanding_removals_are_bounded() {
    let (store, tasks) = (Arc::new(Store::default()), TaskGroup::new());
    let guarded = Arc::new(GuardedStore::new(Arc::clone(&store) as _, Duration::from_secs(1), tasks.clone()));
    let removals = Removals::new(guarded, tasks.clone());
    for number in 0..MAX_KEYS + 10 {
        removals.0.add(&hishel1_key(number.to_string().as_bytes()), &Outstanding::default());
    }
    assert_eq!(removals.0.state().outstanding.len(), MAX_KEYS);
    tasks.end();
}
