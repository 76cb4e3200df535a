//! What the first level keeps, and until when.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use moka::sync::Cache;
use uuid::Uuid;

use crate::model::entry::EntryId;
use crate::model::key::CacheKey;
use crate::model::stored::{Found, StoredResult};
use crate::store::invalidation::Changes;
use crate::store::redis::layout::Name;

/// How much is kept at most, of responses and of results; bytes.
const MOST: u64 = 32 << 20;

/// Larger bodies and values are not kept; bytes.
const LARGEST: usize = 1 << 20;

/// About what an entry takes besides its body; bytes.
const HEADS: usize = 2_048;

pub(crate) struct Kept {
    found: Cache<CacheKey, Response>,
    results: Cache<Vec<u8>, StoredResult>,
    /// The key that an entry was found under: changes are told by the entry's name.
    keys: Cache<Uuid, CacheKey>,
    /// Grows with every change: what was read before it is not kept after it.
    changes: AtomicU64,
    /// Off: nothing is served, and nothing kept.
    is_on: AtomicBool,
    /// Held while something is kept or forgotten, so that no change falls between the look at [`Self::changes`] and the
    /// keeping.
    keeping: Mutex<()>,
}

#[derive(Clone)]
struct Response {
    found: Arc<[Found]>,
    /// When the store is asked again; Unix seconds.
    until: f64,
}

/// The state of things when a read began.
#[derive(Clone, Copy)]
pub(crate) struct Moment(u64);

impl Kept {
    pub(crate) fn new(time: Duration) -> Self {
        let found =
            Cache::builder().time_to_live(time).max_capacity(MOST).weigher(|_: &CacheKey, response: &Response| {
                let bodies: usize = response.found.iter().filter_map(|found| found.body.as_ref()).map(Bytes::len).sum();
                u32::try_from(bodies + HEADS * response.found.len()).unwrap_or(u32::MAX)
            });
        let results =
            Cache::builder().time_to_live(time).max_capacity(MOST).weigher(|key: &Vec<u8>, stored: &StoredResult| {
                u32::try_from(key.len() + stored.value.len()).unwrap_or(u32::MAX)
            });
        Self {
            found: found.build(),
            results: results.build(),
            keys: Cache::builder().time_to_live(time).max_capacity(MOST / HEADS as u64).build(),
            changes: AtomicU64::new(0),
            is_on: AtomicBool::new(false),
            keeping: Mutex::new(()),
        }
    }

    pub(crate) fn moment(&self) -> Moment {
        Moment(self.changes.load(Ordering::SeqCst))
    }

    pub(crate) fn found(&self, key: &CacheKey, now: f64) -> Option<Arc<[Found]>> {
        if !self.is_on.load(Ordering::SeqCst) {
            return None;
        }
        let response = self.found.get(key)?;
        (now < response.until).then_some(response.found)
    }

    pub(crate) fn result(&self, key: &str, now: f64) -> Option<StoredResult> {
        if !self.is_on.load(Ordering::SeqCst) {
            return None;
        }
        self.results.get(key.as_bytes()).filter(|stored| stored.expires_at.is_none_or(|at| now < at))
    }

    /// Keeps what was read since then, if nothing has changed and it may be had without asking for a body: for half of
    /// the time that is left to it, so that the hits that let it live on reach the store before it expires.
    pub(crate) fn keep_found(&self, since: Moment, key: &CacheKey, found: &[Found], now: f64) {
        let is_short = |found: &Found| found.body.as_ref().is_some_and(|body| body.len() <= LARGEST);
        if !found.first().is_some_and(is_short) {
            return;
        }
        let expires_at = found.iter().filter_map(|found| found.expires_at).fold(f64::INFINITY, f64::min);
        let until = now + (expires_at - now) / 2.0;
        self.keep(since, || {
            for found in found {
                self.keys.insert(found.entry.id, key.clone());
            }
            self.found.insert(key.clone(), Response { found: found.into(), until });
        });
    }

    pub(crate) fn keep_result(&self, since: Moment, key: &str, stored: &StoredResult) {
        if stored.value.len() <= LARGEST {
            self.keep(since, || self.results.insert(key.as_bytes().to_vec(), stored.clone()));
        }
    }

    fn keep(&self, since: Moment, insert: impl FnOnce()) {
        let _alone = self.keeping.lock().unwrap_or_else(PoisonError::into_inner);
        if self.is_on.load(Ordering::SeqCst) && self.changes.load(Ordering::SeqCst) == since.0 {
            insert();
        }
    }

    fn change(&self, drop: impl FnOnce()) {
        let _alone = self.keeping.lock().unwrap_or_else(PoisonError::into_inner);
        self.changes.fetch_add(1, Ordering::SeqCst);
        drop();
    }

    pub(crate) fn forget_key(&self, key: &CacheKey) {
        self.change(|| self.found.invalidate(key));
    }

    pub(crate) fn forget_result(&self, key: &[u8]) {
        self.change(|| self.results.invalidate(key));
    }

    pub(crate) fn forget(&self, ids: &[EntryId]) {
        for id in ids {
            match id {
                EntryId::Http(_, id) => self.forget_entry(*id),
                EntryId::Key(key) => self.of_key(key),
            }
        }
    }

    fn forget_entry(&self, id: Uuid) {
        self.change(|| {
            if let Some(key) = self.keys.get(&id) {
                self.found.invalidate(&key);
            }
        });
    }

    fn forget_everything(&self) {
        self.found.invalidate_all();
        self.results.invalidate_all();
        self.keys.invalidate_all();
    }
}

impl Changes for Kept {
    fn are_told(&self) {
        self.change(|| {
            self.forget_everything();
            self.is_on.store(true, Ordering::SeqCst);
        });
    }

    fn are_not_told(&self) {
        self.change(|| {
            self.is_on.store(false, Ordering::SeqCst);
            self.forget_everything();
        });
    }

    fn only_its_time_counts(&self) {
        self.is_on.store(true, Ordering::SeqCst);
    }

    fn of_key(&self, key: &[u8]) {
        match Name::parse(key) {
            Name::Entry(_, id) | Name::Stream(_, id) | Name::Done(id) => self.forget_entry(id),
            Name::Index(_, key) => self.forget_key(&key),
            Name::Result => self.forget_result(key),
            Name::Unknown | Name::Foreign => {}
        }
    }

    fn of_everything(&self) {
        self.change(|| self.forget_everything());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::entry::{Entry, Layout, Request, Response};

    #[test]
    fn the_store_is_asked_again_before_what_it_holds_expires() {
        let kept = Kept::new(Duration::from_secs(3_600));
        kept.only_its_time_counts();
        let key = CacheKey::new(*b"key");
        let entry = Entry {
            id: Uuid::new_v4(),
            cache_key: key.clone(),
            request: Request::default(),
            response: Response::default(),
            created_at: None,
            deleted_at: None,
        };
        let id = EntryId::Http(Layout::Pipeline, entry.id);
        let found = Found { id, entry: Arc::new(entry), expires_at: Some(1_010.0), body: Some(Bytes::new()) };
        kept.keep_found(kept.moment(), &key, &[found], 1_000.0);
        assert!(kept.found(&key, 1_004.0).is_some());
        assert!(kept.found(&key, 1_006.0).is_none());
    }
}
