//! The entries of the memory tier, each with its own deadline.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use moka::sync::Cache;
use uuid::Uuid;

use crate::format::msgpack;
use crate::format::redis_key::Name;
use crate::model::entry::EntryId;
use crate::model::key::CacheKey;
use crate::model::stored::{StoredResponse, StoredResult};
use crate::store::invalidation::InvalidationListener;
use crate::store::layered::memory_tier::changes::{ChangeLog, Version};
use crate::store::layered::memory_tier::names::EntryNames;

/// The capacity for responses, and that for results; bytes.
const MAX_BYTES: u64 = 32 << 20;

/// Larger bodies and values are not kept; bytes.
const MAX_VALUE: usize = 1 << 20;

/// The approximate size of what surrounds an entry in memory; bytes.
const OVERHEAD: usize = 512;

/// The longest time for which one renewal of a TTL is enough; a tenth of a shorter TTL. Each renewal is a change that
/// Redis reports to other processes.
const MAX_RENEWAL_PAUSE: Duration = Duration::from_secs(60);

/// The number of keys whose last renewal is known.
const MAX_RENEWALS: u64 = 65_536;

pub(crate) struct TierEntries {
    responses: Cache<CacheKey, Responses>,
    results: Cache<Vec<u8>, StoredResult>,
    names: Arc<EntryNames>,
    /// When this process last renewed the TTL of a key; Unix seconds.
    renewals: Cache<CacheKey, f64>,
    /// A value that was read before a change is not stored after it.
    changes: ChangeLog,
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

impl TierEntries {
    pub(crate) fn new(time: Duration) -> Self {
        let names = Arc::new(EntryNames::default());
        let named = Arc::clone(&names);
        let responses = Cache::builder()
            .time_to_live(time)
            .max_capacity(MAX_BYTES)
            .weigher(|_: &CacheKey, responses: &Responses| {
                let sizes = responses.found.iter().map(size);
                u32::try_from(sizes.fold(0, usize::saturating_add)).unwrap_or(u32::MAX)
            })
            .eviction_listener(move |_, responses: Responses, _| named.release(&responses.found));
        let results = Cache::builder().time_to_live(time).max_capacity(MAX_BYTES).weigher(
            |key: &Vec<u8>, stored: &StoredResult| u32::try_from(key.len() + stored.value.len()).unwrap_or(u32::MAX),
        );
        Self {
            responses: responses.build(),
            results: results.build(),
            names,
            renewals: Cache::builder().time_to_live(MAX_RENEWAL_PAUSE).max_capacity(MAX_RENEWALS).build(),
            changes: ChangeLog::new(),
            is_on: AtomicBool::new(false),
            fill_lock: Mutex::new(()),
        }
    }

    pub(crate) fn version(&self) -> Version {
        self.changes.version()
    }

    /// The TTL to renew a key to, unless this process has just done so. `now` in Unix seconds.
    pub(crate) fn renewal(&self, key: &CacheKey, ttl: Option<Duration>, now: f64) -> Option<Duration> {
        let pause = (ttl? / 10).min(MAX_RENEWAL_PAUSE).as_secs_f64();
        let is_due = self.renewals.get(key).is_none_or(|at| now < at || now >= at + pause);
        if is_due {
            self.renewals.insert(key.clone(), now);
        }
        ttl.filter(|_| is_due)
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
        let is_unchanged = || {
            self.changes.is_unchanged(since, key)
                && found.iter().all(|found| self.changes.is_unchanged(since, found.entry.id))
        };
        self.insert(is_unchanged, || {
            self.names.add(key, found);
            self.responses.insert(key.clone(), Responses { found: found.into(), until });
        });
    }

    pub(crate) fn insert_result(&self, since: Version, key: &str, stored: &StoredResult) {
        if stored.value.len() <= MAX_VALUE {
            let is_unchanged = || self.changes.is_unchanged(since, key.as_bytes());
            self.insert(is_unchanged, || self.results.insert(key.as_bytes().to_vec(), stored.clone()));
        }
    }

    fn insert(&self, is_unchanged: impl FnOnce() -> bool, insert: impl FnOnce()) {
        let _guard = self.fill_lock.lock().unwrap_or_else(PoisonError::into_inner);
        if self.is_on.load(Ordering::SeqCst) && is_unchanged() {
            insert();
        }
    }

    fn invalidate(&self, drop: impl FnOnce()) {
        let _guard = self.fill_lock.lock().unwrap_or_else(PoisonError::into_inner);
        drop();
    }

    pub(crate) fn remove_key(&self, key: &CacheKey) {
        self.invalidate(|| {
            self.changes.record(key);
            self.responses.invalidate(key);
        });
    }

    pub(crate) fn remove_result(&self, key: &[u8]) {
        self.invalidate(|| {
            self.changes.record(key);
            self.results.invalidate(key);
        });
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
            self.changes.record(id);
            if let Some(key) = self.names.get(id) {
                self.responses.invalidate(&key);
            }
        });
    }

    fn clear(&self) {
        self.changes.record_all();
        self.responses.invalidate_all();
        self.results.invalidate_all();
    }
}

/// The approximate size of a response in memory: its decoded head takes about twice as much as the encoded one.
fn size(found: &StoredResponse) -> usize {
    OVERHEAD + 2 * msgpack::encode_pair(&found.entry).len() + found.body.as_ref().map_or(0, Bytes::len)
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
            Name::Entry(_, id) => self.remove_entry(id),
            // A body belongs to one entry for ever: whatever replaces or removes it changes the entry, too.
            Name::Stream(..) | Name::Done(_) | Name::Unknown | Name::Foreign => {}
            Name::Index(_, key) => self.remove_key(&key),
            Name::Result => self.remove_result(key),
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

    fn entries() -> TierEntries {
        let entries = TierEntries::new(Duration::from_secs(3_600));
        entries.on_unsupported();
        entries
    }

    fn key(number: usize) -> CacheKey {
        CacheKey::new(number.to_string().as_bytes())
    }

    /// A response whose URL has this length.
    fn found(key: &CacheKey, url: usize) -> StoredResponse {
        let entry = Entry {
            id: Uuid::new_v4(),
            cache_key: key.clone(),
            request: Request { url: "u".repeat(url), ..Request::default() },
            response: Response::default(),
            created_at: None,
            deleted_at: None,
        };
        let id = EntryId::Http(StorageLayout::Pipeline, entry.id);
        StoredResponse { id, entry: Arc::new(entry), expires_at: Some(1_010.0), body: Some(Bytes::new()) }
    }

    fn keep(entries: &TierEntries, key: &CacheKey, url: usize) -> Uuid {
        let found = found(key, url);
        let id = found.entry.id;
        entries.keep_responses(entries.version(), key, &[found], 1_000.0);
        id
    }

    fn is_kept(entries: &TierEntries, key: &CacheKey) -> bool {
        entries.responses(key, 1_000.0).is_some()
    }

    #[test]
    fn responses_are_kept_for_half_of_their_ttl() {
        let (entries, key) = (entries(), key(0));
        keep(&entries, &key, 1);
        assert!(entries.responses(&key, 1_004.0).is_some());
        assert!(entries.responses(&key, 1_006.0).is_none());
    }

    #[test]
    fn changes_of_other_keys_keep_few_reads_out() {
        let entries = entries();
        let mut kept = 0;
        for number in 0..1_000 {
            let (key, since) = (key(number), entries.version());
            // Five other changes between the start of the read and its end.
            for other in 0..5 {
                entries.on_invalidate(
                    format!("hishel_cache:entry:{}", Uuid::from_u128(number as u128 * 5 + other)).as_bytes(),
                );
            }
            entries.keep_responses(since, &key, &[found(&key, 1)], 1_000.0);
            kept += usize::from(is_kept(&entries, &key));
        }
        assert!(kept > 950, "{kept}");
    }

    #[test]
    fn a_change_during_a_read_keeps_it_out() {
        let (entries, key) = (entries(), key(0));
        let read = found(&key, 1);
        for change in [EntryId::Http(StorageLayout::Pipeline, read.entry.id), EntryId::key(&b"result_cache:p:1"[..])] {
            let since = entries.version();
            entries.remove(std::slice::from_ref(&change));
            entries.keep_responses(since, &key, std::slice::from_ref(&read), 1_000.0);
            assert_eq!(is_kept(&entries, &key), matches!(change, EntryId::Key(_)), "{change:?}");
        }
        entries.remove_key(&key);
        let since = entries.version();
        entries.remove_key(&key);
        entries.keep_responses(since, &key, &[read], 1_000.0);
        assert!(!is_kept(&entries, &key));
    }

    #[test]
    fn names_live_as_long_as_their_responses() {
        let entries = entries();
        let ids: Vec<_> = (0..30_000).map(|number| (number, keep(&entries, &key(number), 1))).collect();
        entries.responses.run_pending_tasks();
        let kept: Vec<_> = ids.iter().filter(|(number, _)| is_kept(&entries, &key(*number))).collect();
        assert!(kept.len() > 10_000, "{}", kept.len());
        assert_eq!(entries.names.len(), kept.len());
        for (number, id) in kept {
            entries.remove(&[EntryId::Http(StorageLayout::Pipeline, *id)]);
            assert!(!is_kept(&entries, &key(*number)));
        }
        entries.responses.run_pending_tasks();
        assert_eq!(entries.names.len(), 0);
        // The name of a response that replaces another one stays.
        let read = found(&key(0), 1);
        for _ in 0..2 {
            entries.keep_responses(entries.version(), &key(0), std::slice::from_ref(&read), 1_000.0);
            entries.responses.run_pending_tasks();
        }
        assert_eq!(entries.names.len(), 1);
    }

    #[test]
    fn large_heads_count_as_what_they_are() {
        let entries = entries();
        for number in 0..200 {
            keep(&entries, &key(number), 1 << 20);
        }
        entries.responses.run_pending_tasks();
        let kept = (0..200).filter(|number| is_kept(&entries, &key(*number))).count();
        assert!((1..=16).contains(&kept), "{kept}");
    }

    #[test]
    fn a_ttl_is_renewed_once_in_a_while() {
        let (entries, key) = (entries(), key(0));
        let (day, short) = (Some(Duration::from_secs(86_400)), Some(Duration::from_secs(100)));
        assert_eq!(entries.renewal(&key, day, 1_000.0), day);
        assert_eq!(entries.renewal(&key, day, 1_059.0), None);
        assert_eq!(entries.renewal(&key, day, 1_060.0), day);
        assert_eq!(entries.renewal(&key, short, 1_065.0), None);
        assert_eq!(entries.renewal(&key, short, 1_070.0), short);
        assert_eq!(entries.renewal(&key, None, 2_000.0), None);
    }
}
