//! An in-memory store of bounded size.

pub(crate) mod generations;
pub(crate) mod items;
pub(crate) mod stats;

use std::collections::HashMap;
use std::ops::Bound;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use futures_util::stream;
use uuid::Uuid;

use crate::clock;
use crate::error::{BackendId, BackendKind, Error, Result};
use crate::model::entry::{Entry, EntryId, StorageLayout};
use crate::model::filter::Filter;
use crate::model::generation::Generation;
use crate::model::inspection::{EntryDetails, Health, ServerInfo};
use crate::model::key::{CacheKey, ResultKey};
use crate::model::rate_limit::{RateLimit, RequestLog};
use crate::model::service::ServiceRegistry;
use crate::model::stats::StatsDelta;
use crate::model::stored::{LeaseState, RemoveStats, StoredBody, StoredResponse, StoredResult};
use crate::model::summary::Summary;
use crate::model::window::StatsSnapshot;
use crate::store::archive::Archive;
use crate::store::inspect::Inspect;
use crate::store::memory::items::{Items, MemoryEntry};
use crate::store::memory::stats::StoredStats;
use crate::store::page::{Cursor, Page};
use crate::store::summarize;
use crate::store::traits::{
    Backend, GenerationStore, LeaseStore, RateLimitStore, ResponseStore, ResponseWriter, ResultStore, StatsStore, Store,
};

/// The default size of the store; bytes.
const CAPACITY: u64 = 64 << 20;

/// In-memory store: the least recently used entries are dropped beyond its capacity. Clones share their content.
#[derive(Clone)]
pub struct Memory {
    services: ServiceRegistry,
    /// The largest total size; bytes.
    capacity: u64,
    items: Arc<Mutex<Items>>,
    counters: Arc<Mutex<StoredStats>>,
    request_logs: Arc<Mutex<HashMap<String, RequestLog>>>,
}

/// Bodies are streamed in chunks of this size; bytes.
const CHUNK: usize = 131_072;

impl Memory {
    /// An empty store for 64 MiB.
    pub fn new(services: ServiceRegistry) -> Self {
        Self::with_capacity(services, CAPACITY)
    }

    /// An empty store for this number of bytes.
    pub fn with_capacity(services: ServiceRegistry, capacity: u64) -> Self {
        let (items, counters, request_logs) = (Arc::default(), Arc::default(), Arc::default());
        Self { services, capacity, items, counters, request_logs }
    }

    fn items(&self) -> MutexGuard<'_, Items> {
        // A panic elsewhere leaves the maps as they were between two calls.
        self.items.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn request_logs(&self) -> MutexGuard<'_, HashMap<String, RequestLog>> {
        self.request_logs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn live(&self, id: &EntryId) -> Option<MemoryEntry> {
        self.items().live(id, clock::now()).cloned()
    }

    fn summary(&self, id: &EntryId, item: &MemoryEntry) -> Summary {
        let summary = match &item.entry {
            Some(entry) => {
                summarize::from_entry(&self.services, StorageLayout::Pipeline, entry, &item.body, item.expires_at)
            }
            None => {
                let key = id.redis_key();
                let mut summary = summarize::from_result(&self.services, &key, item.body.len() as u64, item.expires_at);
                summary.created_at = Some(item.created_at);
                summary
            }
        };
        Summary { version: Some(item.version), ..summary }
    }
}

impl Default for Memory {
    fn default() -> Self {
        Self::new(ServiceRegistry::default())
    }
}

/// Whether a key belongs to an entry: values under other keys are private data of programs.
fn is_entry(id: &EntryId) -> bool {
    match id {
        EntryId::Http(..) => true,
        EntryId::Key(key) => ResultKey::parse(key).is_some(),
    }
}

fn next_version() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

fn deadline(ttl: Option<Duration>) -> Option<f64> {
    ttl.map(|ttl| clock::now() + ttl.as_secs_f64())
}

#[async_trait]
impl Backend for Memory {
    fn id(&self) -> BackendId {
        BackendId { kind: BackendKind::Memory, location: "this process".into() }
    }

    async fn health(&self) -> Health {
        Health { backend: self.id(), is_fallback: false, problem: None, server: None }
    }
}

#[async_trait]
impl GenerationStore for Memory {
    async fn generation(&self, key: &[u8]) -> Result<Generation> {
        Ok(self.items().generations.of(key))
    }

    async fn raise_generation(&self, key: Option<&[u8]>) -> Result<()> {
        self.items().generations.raise(key);
        Ok(())
    }
}

#[async_trait]
impl ResponseStore for Memory {
    async fn lookup(&self, key: &CacheKey, renew: Option<Duration>) -> Result<Vec<StoredResponse>> {
        let now = clock::now();
        let mut items = self.items();
        let Items { all, under, .. } = &mut *items;
        let ids = under.get(key).into_iter().flatten();
        let live = ids.filter_map(|id| Some((id, all.get(id).filter(|item| item.is_live(now))?)));
        let mut found: Vec<StoredResponse> = live
            .filter_map(|(id, item)| {
                let entry = item.entry.as_ref().filter(|entry| !entry.is_deleted())?;
                let (entry, body) = (Arc::clone(entry), Some(item.body.clone()));
                Some(StoredResponse { id: id.clone(), entry, expires_at: item.expires_at, body })
            })
            .collect();
        found.sort_by(|a, b| a.entry.newest_first(&b.entry));
        if let Some(first) = found.first_mut()
            && renew.is_some()
            && first.entry.request.extra.ttl().is_none()
            && let Some(item) = all.get_mut(&first.id)
        {
            item.expires_at = deadline(renew);
            first.expires_at = item.expires_at;
        }
        if let Some(first) = found.first() {
            items.touch(&first.id);
        }
        Ok(found)
    }

    async fn insert(&self, entry: Entry, ttl: Option<Duration>) -> Result<Box<dyn ResponseWriter>> {
        Ok(Box::new(MemoryWriter {
            store: self.clone(),
            entry,
            ttl,
            generation: Generation::UNKNOWN,
            body: BytesMut::new(),
        }))
    }

    async fn body(&self, id: &EntryId) -> Result<Option<StoredBody>> {
        let item = self.live(id).filter(|item| item.entry.as_ref().is_some_and(|entry| !entry.is_deleted()));
        Ok(item.map(|MemoryEntry { body, .. }| {
            let starts = (0..body.len()).step_by(CHUNK);
            let chunk = move |from: usize| Ok(body.slice(from..body.len().min(from + CHUNK)));
            Box::pin(stream::iter(starts.map(chunk))) as StoredBody
        }))
    }

    async fn update_head(&self, id: &EntryId, entry: &Entry) -> Result<bool> {
        let mut items = self.items();
        let Some(mut item) = items.live(id, clock::now()).cloned() else { return Ok(false) };
        item.entry = Some(Arc::new(entry.clone()));
        item.version = next_version();
        items.insert(id.clone(), item, self.capacity);
        Ok(true)
    }

    async fn expire(&self, ids: &[EntryId], ttl: Option<Duration>) -> Result<u64> {
        let now = clock::now();
        let mut items = self.items();
        let mut touched = 0;
        for id in ids {
            if let Some(item) = items.live(id, now) {
                item.expires_at = deadline(ttl);
                touched += 1;
            }
        }
        Ok(touched)
    }

    async fn remove(&self, ids: &[EntryId]) -> Result<RemoveStats> {
        let mut items = self.items();
        let removed = ids.iter().filter(|id| items.remove(id).is_some()).count() as u64;
        Ok(RemoveStats { entries: removed, keys: removed })
    }
}

#[async_trait]
impl ResultStore for Memory {
    async fn get(&self, key: &str) -> Result<Option<StoredResult>> {
        Ok(self
            .live(&EntryId::key(key.as_bytes()))
            .map(|MemoryEntry { body, expires_at, .. }| StoredResult { value: body, expires_at })
            .and_then(StoredResult::within_limit))
    }

    async fn set(&self, key: &str, value: Bytes, ttl: Duration) -> Result<()> {
        self.set_if(key, value, ttl, Generation::UNKNOWN).await.map(drop)
    }

    async fn set_if(&self, key: &str, value: Bytes, ttl: Duration, generation: Generation) -> Result<bool> {
        let expires_at = deadline(Some(ttl));
        let (created_at, version) = (clock::now(), next_version());
        let item = MemoryEntry { entry: None, body: value, created_at, expires_at, used: 0, version };
        let mut items = self.items();
        let is_unchanged = !generation.is_known() || items.generations.of(key.as_bytes()) == generation;
        if is_unchanged {
            items.insert(EntryId::key(key.as_bytes()), item, self.capacity);
        }
        Ok(is_unchanged)
    }
}

#[async_trait]
impl LeaseStore for Memory {
    async fn acquire(&self, _name: &str, _owner: Uuid, _ttl: Duration) -> Result<LeaseState> {
        Ok(LeaseState::Acquired)
    }

    async fn release(&self, _name: &str, _owner: Uuid, _uncacheable_for: Option<Duration>) -> Result<()> {
        Ok(())
    }
}

#[async_trait]
impl RateLimitStore for Memory {
    async fn acquire_slot(&self, name: &str, limit: &RateLimit, max_wait: Duration) -> Result<Duration> {
        let now = clock::now();
        let mut logs = self.request_logs();
        let log = logs.entry(name.to_owned()).or_default();
        let at = log.next(limit, now);
        let wait = Duration::try_from_secs_f64(at - now).unwrap_or(Duration::MAX);
        if wait <= max_wait {
            log.take(limit, at);
        }
        Ok(wait)
    }

    async fn block(&self, name: &str, time: Duration) -> Result<()> {
        let until = clock::now() + time.as_secs_f64();
        let mut logs = self.request_logs();
        let log = logs.entry(name.to_owned()).or_default();
        log.blocked_until = log.blocked_until.max(until);
        Ok(())
    }
}

#[async_trait]
impl StatsStore for Memory {
    async fn add_stats(&self, delta: &StatsDelta) -> Result<()> {
        self.counters.lock().unwrap_or_else(PoisonError::into_inner).add(delta);
        Ok(())
    }

    async fn stats(&self, since: f64) -> Result<StatsSnapshot> {
        Ok(self.counters.lock().unwrap_or_else(PoisonError::into_inner).since(since))
    }
}

impl Store for Memory {}

impl Archive for Memory {}

/// Position in a scan.
struct Position {
    last: EntryId,
    scanned: u64,
}

struct MemoryWriter {
    store: Memory,
    entry: Entry,
    ttl: Option<Duration>,
    generation: Generation,
    body: BytesMut,
}

#[async_trait]
impl ResponseWriter for MemoryWriter {
    async fn write(&mut self, chunk: Bytes) -> Result<()> {
        self.body.extend_from_slice(&chunk);
        Ok(())
    }

    fn expect_generation(&mut self, generation: Generation) {
        self.generation = generation;
    }

    async fn commit(self: Box<Self>) -> Result<EntryId> {
        let Self { store, entry, ttl, generation, body } = *self;
        let mut items = store.items();
        if generation.is_known() && items.generations.of(entry.cache_key.as_bytes()) != generation {
            return Err(Error::Removed { backend: store.id(), what: format!("the key of {}", entry.id) });
        }
        let id = EntryId::Http(StorageLayout::Pipeline, entry.id);
        let item = MemoryEntry {
            created_at: entry.created_at.unwrap_or_else(clock::now),
            expires_at: deadline(ttl),
            body: body.freeze(),
            entry: Some(Arc::new(entry)),
            used: 0,
            version: next_version(),
        };
        items.insert(id.clone(), item, store.capacity);
        Ok(id)
    }
}

#[async_trait]
impl Inspect for Memory {
    async fn scan(&self, filter: &Filter, from: Option<Cursor>, count: usize) -> Result<Page> {
        let items = self.items();
        let (after, before) = match from.map(Cursor::into_position::<Position>).transpose()? {
            None => (Bound::Unbounded, 0),
            Some(Position { last, scanned }) => (Bound::Excluded(last), scanned),
        };
        let now = clock::now();
        let mut rest = items.all.range((after, Bound::Unbounded));
        let page: Vec<_> = rest.by_ref().take(count.max(1)).collect();
        let scanned = before + page.len() as u64;
        let last = page.last().filter(|_| rest.next().is_some());
        Ok(Page {
            keys: page.len() as u64,
            denied: 0,
            next: last.map(|(id, _)| Cursor::new(Position { last: (*id).clone(), scanned })),
            entries: page
                .into_iter()
                .filter(|(id, item)| item.is_live(now) && is_entry(id))
                .map(|(id, item)| self.summary(id, item))
                .filter(|summary| filter.matches(summary, now))
                .collect(),
            scanned,
            total: items.all.len() as u64,
            left_out: 0,
        })
    }

    async fn details(&self, id: &EntryId) -> Result<Option<EntryDetails>> {
        Ok(self.live(id).map(|item| EntryDetails {
            summary: self.summary(id, &item),
            entry: item.entry.map(Arc::unwrap_or_clone),
            chunks: 1,
            keys: Vec::new(),
        }))
    }

    async fn raw_body(&self, id: &EntryId, _limit: usize) -> Result<Option<Bytes>> {
        Ok(self.live(id).map(|item| item.body))
    }

    async fn info(&self) -> Result<ServerInfo> {
        let items = self.items();
        Ok(ServerInfo {
            version: Some(env!("CARGO_PKG_VERSION").into()),
            memory_bytes: Some(items.all.values().map(|item| item.body.len() as u64).sum()),
            keys: Some(items.all.len() as u64),
            ..ServerInfo::default()
        })
    }
}
