//! An in-memory store, for tests and for a disabled cache.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use futures_util::stream;
use uuid::Uuid;

use crate::clock;
use crate::error::{BackendId, BackendKind, Result};
use crate::model::entry::{Entry, EntryId, StorageLayout};
use crate::model::filter::Filter;
use crate::model::inspection::{EntryDetails, Health, ServerInfo};
use crate::model::key::{CacheKey, ResultKey};
use crate::model::rate_limit::{RateLimit, RequestLog};
use crate::model::service::ServiceRegistry;
use crate::model::stats::{Counters, HourlyCounters, RETENTION, Scope, StatsDelta, hour_of};
use crate::model::stored::{LeaseState, RemoveStats, StoredBody, StoredResponse, StoredResult};
use crate::model::summary::Summary;
use crate::model::window::StatsSnapshot;
use crate::store::inspect::Inspect;
use crate::store::page::{Cursor, Page};
use crate::store::summarize;
use crate::store::traits::{
    Backend, LeaseStore, RateLimitStore, ResponseStore, ResponseWriter, ResultStore, StatsStore, Store,
};

/// In-memory store. Clones share their content.
#[derive(Clone, Default)]
pub struct Memory {
    services: ServiceRegistry,
    items: Arc<Mutex<Items>>,
    counters: Arc<Mutex<StoredStats>>,
    request_logs: Arc<Mutex<HashMap<String, RequestLog>>>,
}

#[derive(Default)]
struct StoredStats {
    hours: BTreeMap<(i64, Scope), Counters>,
    ever: BTreeMap<Scope, Counters>,
    /// The sequence number of each process's last delta.
    last: HashMap<Uuid, u64>,
}

/// What is stored, and the index of the HTTP entries.
#[derive(Default)]
struct Items {
    all: BTreeMap<EntryId, MemoryEntry>,
    under: HashMap<CacheKey, BTreeSet<EntryId>>,
}

impl Items {
    fn insert(&mut self, id: EntryId, item: MemoryEntry) {
        self.remove(&id);
        if let Some(entry) = &item.entry {
            self.under.entry(entry.cache_key.clone()).or_default().insert(id.clone());
        }
        self.all.insert(id, item);
    }

    fn remove(&mut self, id: &EntryId) -> Option<MemoryEntry> {
        let item = self.all.remove(id)?;
        if let Some(entry) = &item.entry
            && let Some(ids) = self.under.get_mut(&entry.cache_key)
        {
            ids.remove(id);
            if ids.is_empty() {
                self.under.remove(&entry.cache_key);
            }
        }
        Some(item)
    }

    fn live(&mut self, id: &EntryId, now: f64) -> Option<&mut MemoryEntry> {
        self.all.get_mut(id).filter(|item| item.is_live(now))
    }
}

/// Bodies are streamed in chunks of this size; bytes.
const CHUNK: usize = 131_072;

#[derive(Clone)]
struct MemoryEntry {
    /// `None`: a result.
    entry: Option<Arc<Entry>>,
    body: Bytes,
    created_at: f64,
    expires_at: Option<f64>,
}

impl MemoryEntry {
    fn is_live(&self, now: f64) -> bool {
        self.expires_at.is_none_or(|at| at > now)
    }
}

impl Memory {
    /// An empty store.
    pub fn new(services: ServiceRegistry) -> Self {
        Self { services, ..Self::default() }
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
        match &item.entry {
            Some(entry) => {
                summarize::from_entry(&self.services, StorageLayout::Pipeline, entry, &item.body, item.expires_at)
            }
            None => {
                let key = id.redis_key();
                let mut summary = summarize::from_result(&self.services, &key, item.body.len() as u64, item.expires_at);
                summary.created_at = Some(item.created_at);
                summary
            }
        }
    }
}

/// Whether a key belongs to an entry: values under other keys are private data of programs.
fn is_entry(id: &EntryId) -> bool {
    match id {
        EntryId::Http(..) => true,
        EntryId::Key(key) => ResultKey::parse(key).is_some(),
    }
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
impl ResponseStore for Memory {
    async fn lookup(&self, key: &CacheKey, renew: Option<Duration>) -> Result<Vec<StoredResponse>> {
        let now = clock::now();
        let mut items = self.items();
        let Items { all, under } = &mut *items;
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
        Ok(found)
    }

    async fn insert(&self, entry: Entry, ttl: Option<Duration>) -> Result<Box<dyn ResponseWriter>> {
        Ok(Box::new(MemoryWriter { store: self.clone(), entry, ttl, body: BytesMut::new() }))
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
        items.insert(id.clone(), item);
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
            .map(|MemoryEntry { body, expires_at, .. }| StoredResult { value: body, expires_at }))
    }

    async fn set(&self, key: &str, value: Bytes, ttl: Duration) -> Result<()> {
        let item = MemoryEntry { entry: None, body: value, created_at: clock::now(), expires_at: deadline(Some(ttl)) };
        self.items().insert(EntryId::key(key.as_bytes()), item);
        Ok(())
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
        let StoredStats { hours, ever, last } = &mut *self.counters.lock().unwrap_or_else(PoisonError::into_inner);
        if last.get(&delta.process).is_some_and(|number| *number >= delta.number) {
            return Ok(());
        }
        last.insert(delta.process, delta.number);
        for HourlyCounters { hour, scope, counts } in &delta.buckets {
            *hours.entry((*hour, scope.clone())).or_default() += *counts;
            *ever.entry(scope.clone()).or_default() += *counts;
        }
        let oldest = hour_of(clock::now() - RETENTION);
        hours.retain(|(hour, _), _| *hour >= oldest);
        Ok(())
    }

    async fn stats(&self, since: f64) -> Result<StatsSnapshot> {
        let counters = self.counters.lock().unwrap_or_else(PoisonError::into_inner);
        let bucket = |((hour, scope), counts): (&(i64, Scope), &Counters)| HourlyCounters {
            hour: *hour,
            scope: scope.clone(),
            counts: *counts,
        };
        let hours = counters.hours.iter().filter(|((hour, _), _)| *hour >= hour_of(since));
        Ok(StatsSnapshot { hours: hours.map(bucket).collect(), ever: counters.ever.clone(), unavailable: None })
    }
}

impl Store for Memory {}

/// Position in a scan.
struct Position {
    last: EntryId,
    scanned: u64,
}

struct MemoryWriter {
    store: Memory,
    entry: Entry,
    ttl: Option<Duration>,
    body: BytesMut,
}

#[async_trait]
impl ResponseWriter for MemoryWriter {
    async fn write(&mut self, chunk: Bytes) -> Result<()> {
        self.body.extend_from_slice(&chunk);
        Ok(())
    }

    async fn commit(self: Box<Self>) -> Result<EntryId> {
        let id = EntryId::Http(StorageLayout::Pipeline, self.entry.id);
        let item = MemoryEntry {
            created_at: self.entry.created_at.unwrap_or_else(clock::now),
            expires_at: deadline(self.ttl),
            body: self.body.freeze(),
            entry: Some(Arc::new(self.entry)),
        };
        self.store.items().insert(id.clone(), item);
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
