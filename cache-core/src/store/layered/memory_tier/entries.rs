//! The entries of the memory tier, each with its own deadline.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use moka::sync::Cache;
use uuid::Uuid;

use crate::format::redis_key::Name;
use crate::model::entry::EntryId;
use crate::model::key::CacheKey;
use crate::model::stored::{StoredResponse, StoredResult};
use crate::store::invalidation::InvalidationListener;

/// The capacity for responses, and that for results; bytes.
const MAX_BYTES: u64 = 32 << 20;

/// Larger bodies and values are not kept; bytes.
const MAX_VALUE: usize = 1 << 20;

/// The approximate size of an entry without its body; bytes.
const HEAD: usize = 2_048;

pub(crate) struct TierEntries {
    responses: Cache<CacheKey, Responses>,
    results: Cache<Vec<u8>, StoredResult>,
    /// The cache key of each entry: invalidations name the entry.
    keys: Cache<Uuid, CacheKey>,
    /// Incremented by every change: a value that was read before a change is not stored after it.
    changes: AtomicU64,
    /// If not set, nothing is served and nothing stored.
    is_on: AtomicBool,
    /// Held during insertions and invalidations, so that no change falls between the check of [`Self::changes`] and the
    /// insertion.
    fill_lock: Mutex<()>,
}

#[derive(Clone)]
struct Responses {
    found: Arc<[StoredResponse]>,
    /// When the store is to be read again; Unix seconds.
    until: f64,
}

/// The number of changes when a read began.
#[derive(Clone, Copy)]
pub(crate) struct Version(u64);

impl TierEntries {
    pub(crate) fn new(time: Duration) -> Self {
        let responses = Cache::builder().time_to_live(time).max_capacity(MAX_BYTES).weigher(
            |_: &CacheKey, responses: &Responses| {
                let bodies: usize =
                    responses.found.iter().filter_map(|found| found.body.as_ref()).map(Bytes::len).sum();
                u32::try_from(bodies + HEAD * responses.found.len()).unwrap_or(u32::MAX)
            },
        );
        let results = Cache::builder().time_to_live(time).max_capacity(MAX_BYTES).weigher(
            |key: &Vec<u8>, stored: &StoredResult| u32::try_from(key.len() + stored.value.len()).unwrap_or(u32::MAX),
        );
        Self {
            responses: responses.build(),
            results: results.build(),
            keys: Cache::builder().time_to_live(time).max_capacity(MAX_BYTES / HEAD as u64).build(),
            changes: AtomicU64::new(0),
            is_on: AtomicBool::new(false),
            fill_lock: Mutex::new(()),
        }
    }

    pub(crate) fn version(&self) -> Version {
        Version(self.changes.load(Ordering::SeqCst))
    }

    pub(crate) fn responses(&self, key: &CacheKey, now: f64) -> Option<Arc<[StoredResponse]>> {
        if !self.is_on.load(Ordering::SeqCst) {
            return None;
        }
        let responses = self.responses.get(key)?;
        (now < responses.until).then_some(responses.found)
    }

    pub(crate) fn result(&self, key: &str, now: f64) -> Option<StoredResult> {
        if !self.is_on.load(Ordering::SeqCst) {
            return None;
        }
        self.results.get(key.as_bytes()).filter(|stored| stored.expires_at.is_none_or(|at| now < at))
    }

    /// Stores responses that were read since then, if nothing has changed and the lookup returned the body of the
    /// first: for half of their remaining TTL, so that hits reach the store, which renews it, before it expires.
    pub(crate) fn keep_responses(&self, since: Version, key: &CacheKey, found: &[StoredResponse], now: f64) {
        let is_short = |found: &StoredResponse| found.body.as_ref().is_some_and(|body| body.len() <= MAX_VALUE);
        if !found.first().is_some_and(is_short) {
            return;
        }
        let expires_at = found.iter().filter_map(|found| found.expires_at).fold(f64::INFINITY, f64::min);
        let until = now + (expires_at - now) / 2.0;
        self.insert(since, || {
            for found in found {
                self.keys.insert(found.entry.id, key.clone());
            }
            self.responses.insert(key.clone(), Responses { found: found.into(), until });
        });
    }

    pub(crate) fn insert_result(&self, since: Version, key: &str, stored: &StoredResult) {
        if stored.value.len() <= MAX_VALUE {
            self.insert(since, || self.results.insert(key.as_bytes().to_vec(), stored.clone()));
        }
    }

    fn insert(&self, since: Version, insert: impl FnOnce()) {
        let _guard = self.fill_lock.lock().unwrap_or_else(PoisonError::into_inner);
        if self.is_on.load(Ordering::SeqCst) && self.changes.load(Ordering::SeqCst) == since.0 {
            insert();
        }
    }

    fn invalidate(&self, drop: impl FnOnce()) {
        let _guard = self.fill_lock.lock().unwrap_or_else(PoisonError::into_inner);
        self.changes.fetch_add(1, Ordering::SeqCst);
        drop();
    }

    pub(crate) fn remove_key(&self, key: &CacheKey) {
        self.invalidate(|| self.responses.invalidate(key));
    }

    pub(crate) fn remove_result(&self, key: &[u8]) {
        self.invalidate(|| self.results.invalidate(key));
    }

    pub(crate) fn remove(&self, ids: &[EntryId]) {
        for id in ids {
            match id {
                EntryId::Http(_, id) => self.remove_entry(*id),
                EntryId::Key(key) => self.on_invalidate(key),
            }
        }
    }

    fn remove_entry(&self, id: Uuid) {
        self.invalidate(|| {
            if let Some(key) = self.keys.get(&id) {
                self.responses.invalidate(&key);
            }
        });
    }

    fn clear(&self) {
        self.responses.invalidate_all();
        self.results.invalidate_all();
        self.keys.invalidate_all();
    }
}

impl InvalidationListener for TierEntries {
    fn on_connected(&self) {
        self.invalidate(|| {
            self.clear();
            self.is_on.store(true, Ordering::SeqCst);
        });
    }

    fn on_disconnected(&self) {
        self.invalidate(|| {
            self.is_on.store(false, Ordering::SeqCst);
            self.clear();
        });
    }

    fn on_unsupported(&self) {
        self.is_on.store(true, Ordering::SeqCst);
    }

    fn on_invalidate(&self, key: &[u8]) {
        match Name::parse(key) {
            Name::Entry(_, id) | Name::Stream(_, id) | Name::Done(id) => self.remove_entry(id),
            Name::Index(_, key) => self.remove_key(&key),
            Name::Result => self.remove_result(key),
            Name::Unknown | Name::Foreign => {}
        }
    }

    fn on_invalidate_all(&self) {
        self.invalidate(|| self.clear());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::entry::{Entry, Request, Response, StorageLayout};

    #[test]
    fn responses_are_kept_for_half_of_their_ttl() {
        let entries = TierEntries::new(Duration::from_secs(3_600));
        entries.on_unsupported();
        let key = CacheKey::new(*b"key");
        let entry = Entry {
            id: Uuid::new_v4(),
            cache_key: key.clone(),
            request: Request::default(),
            response: Response::default(),
            created_at: None,
            deleted_at: None,
        };
        let id = EntryId::Http(StorageLayout::Pipeline, entry.id);
        let found = StoredResponse { id, entry: Arc::new(entry), expires_at: Some(1_010.0), body: Some(Bytes::new()) };
        entries.keep_responses(entries.version(), &key, &[found], 1_000.0);
        assert!(entries.responses(&key, 1_004.0).is_some());
        assert!(entries.responses(&key, 1_006.0).is_none());
    }
}
