//! [`Redis`]: one server with the layouts A, B and D side by side, and results.
//!
//! The layout of an entry follows from the stored data: the form of its ID, the type of its index, the value of its
//! `stream_done` key. New entries are written in the configured layout.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use redis::cmd;
use uuid::Uuid;

use crate::config::Config;
use crate::error::{BackendId, Result, error_chain};
use crate::model::change::{Applied, Change, StoreIdentity, Target};
use crate::model::entry::{Entry, EntryId, StorageLayout};
use crate::model::event::EventSource;
use crate::model::filter::Filter;
use crate::model::generation::Generation;
use crate::model::inspection::{EntryDetails, Health, ServerInfo};
use crate::model::key::CacheKey;
use crate::model::rate_limit::RateLimit;
use crate::model::record::Record;
use crate::model::service::ServiceRegistry;
use crate::model::stats::StatsDelta;
use crate::model::stored::{LeaseState, RemoveStats, StoredBody, StoredResponse, StoredResult};
use crate::model::window::StatsSnapshot;
use crate::store::archive::{Archive, RecordBody, Restored, StoredRecord};
use crate::store::events::EventFeed;
use crate::store::inspect::{Inspect, ensure_store, raise_for_flush};
use crate::store::invalidation::InvalidationListener;
use crate::store::page::{Cursor, Page};
use crate::store::redis::connection::Connection;
use crate::store::redis::driver_error::is_refusal_of_server;
use crate::store::redis::events::feed::RedisEventFeed;
use crate::store::redis::location_cache::LocationCache;
use crate::store::redis::session::Purpose;
use crate::store::redis::{
    apply, bodies, generations, identity, info, inspect, leases, lookup, rate_limit, read_stored, remove, restore,
    results, scan, stats, touch, write,
};
use crate::store::traits::{
    Backend, GenerationStore, LeaseStore, RateLimitStore, ResponseStore, ResponseWriter, ResultStore, StatsStore, Store,
};

/// Redis store.
pub struct Redis {
    /// For all short operations. Shared by all callers, since Redis replies in order.
    commands: Connection,
    /// For scans: a page of thousands of keys would delay the commands after it.
    scans: Connection,
    locations: LocationCache,
    services: ServiceRegistry,
    write_layout: StorageLayout,
}

impl Redis {
    /// Creates a store for the configured server, which connects on first use. Fails if the URL is invalid.
    pub fn new(config: &Config) -> Result<Self> {
        Ok(Self {
            commands: Connection::new(config, Purpose::Cache)?,
            scans: Connection::new(config, Purpose::Admin)?,
            locations: LocationCache::new(),
            services: config.services.clone(),
            write_layout: config.write_layout,
        })
    }

    /// Sends a `PING`. An error is an answer, too: a user may lack the right to `PING`, and after a failed snapshot the
    /// server refuses it but serves reads.
    pub async fn ping(&self) -> Result<()> {
        match self.commands.execute("PING", &cmd("PING")).await? {
            Err(error) if !is_refusal_of_server(&error) => Err(self.commands.explain("PING", error)),
            _ => Ok(()),
        }
    }
}

#[async_trait]
impl Backend for Redis {
    fn id(&self) -> BackendId {
        self.commands.backend().clone()
    }

    async fn health(&self) -> Health {
        let problem = self.ping().await.err().map(|error| error_chain(&error));
        let server = self.commands.capabilities().map(Box::new);
        Health { backend: self.id(), is_fallback: false, problem, server }
    }
}

#[async_trait]
impl GenerationStore for Redis {
    async fn generation(&self, key: &[u8]) -> Result<Generation> {
        generations::read(&self.commands, key).await
    }

    async fn raise_generation(&self, key: Option<&[u8]>) -> Result<()> {
        generations::raise(&self.commands, key).await
    }
}

#[async_trait]
impl ResponseStore for Redis {
    async fn lookup(&self, key: &CacheKey, renew: Option<Duration>) -> Result<Vec<StoredResponse>> {
        lookup::lookup(&self.commands, &self.locations, key, renew).await
    }

    async fn insert(&self, entry: Entry, ttl: Option<Duration>) -> Result<Box<dyn ResponseWriter>> {
        Ok(Box::new(write::RedisWriter::new(self.commands.clone(), self.write_layout, entry, ttl)))
    }

    async fn body(&self, id: &EntryId) -> Result<Option<StoredBody>> {
        bodies::body(&self.commands, id).await
    }

    async fn update_head(&self, id: &EntryId, entry: &Entry) -> Result<bool> {
        write::update_head(&self.commands, &self.services, id, entry).await
    }

    async fn expire(&self, ids: &[EntryId], ttl: Option<Duration>) -> Result<u64> {
        touch::pexpire(&self.commands, ids, ttl).await
    }

    async fn remove(&self, ids: &[EntryId]) -> Result<RemoveStats> {
        apply::remove(&self.commands, ids).await
    }
}

#[async_trait]
impl ResultStore for Redis {
    async fn get(&self, key: &str) -> Result<Option<StoredResult>> {
        results::get(&self.commands, key).await
    }

    async fn set(&self, key: &str, value: Bytes, ttl: Duration) -> Result<()> {
        results::set(&self.commands, key, &value, ttl).await
    }

    async fn set_if(&self, key: &str, value: Bytes, ttl: Duration, generation: Generation) -> Result<bool> {
        results::set_if(&self.commands, key, &value, ttl, generation).await
    }
}

#[async_trait]
impl LeaseStore for Redis {
    async fn acquire(&self, name: &str, owner: Uuid, ttl: Duration) -> Result<LeaseState> {
        leases::acquire(&self.commands, name, owner, ttl).await
    }

    async fn release(&self, name: &str, owner: Uuid, uncacheable_for: Option<Duration>) -> Result<()> {
        leases::release(&self.commands, name, owner, uncacheable_for).await
    }
}

#[async_trait]
impl RateLimitStore for Redis {
    async fn acquire_slot(&self, name: &str, limit: &RateLimit, max_wait: Duration) -> Result<Duration> {
        rate_limit::acquire_slot(&self.commands, name, limit, max_wait).await
    }

    async fn block(&self, name: &str, time: Duration) -> Result<()> {
        rate_limit::block(&self.commands, name, time).await
    }
}

#[async_trait]
impl StatsStore for Redis {
    async fn add_stats(&self, delta: &StatsDelta) -> Result<()> {
        stats::add(&self.commands, delta).await
    }

    async fn stats(&self, since: f64) -> Result<StatsSnapshot> {
        stats::read(&self.commands, since).await
    }
}

impl Store for Redis {
    fn subscribe(&self, listener: Arc<dyn InvalidationListener>) -> bool {
        self.commands.subscribe(listener)
    }
}

#[async_trait]
impl Archive for Redis {
    async fn read_stored(&self, id: &EntryId) -> Result<Vec<StoredRecord>> {
        read_stored::read(&self.scans, id).await
    }

    async fn restore(&self, record: &Record, body: RecordBody<'_>) -> Result<Restored> {
        restore::restore(&self.commands, record, body).await
    }
}

#[async_trait]
impl Inspect for Redis {
    async fn scan(&self, filter: &Filter, from: Option<Cursor>, count: usize) -> Result<Page> {
        let progress = from.map(Cursor::into_position).transpose()?;
        scan::page(&self.scans, &self.services, filter, progress, count).await
    }

    async fn identity(&self) -> Result<StoreIdentity> {
        Ok(StoreIdentity { backend: self.id(), instance: identity::instance(&self.commands).await? })
    }

    async fn apply(&self, store: &StoreIdentity, change: Change, targets: &[Target]) -> Result<Applied> {
        ensure_store(store, &self.identity().await?)?;
        if change == Change::Remove {
            raise_for_flush(self).await;
        }
        apply::apply(&self.commands, change, targets).await
    }

    async fn remove_bodies(&self, store: &StoreIdentity, ids: &[EntryId]) -> Result<u64> {
        ensure_store(store, &self.identity().await?)?;
        remove::remove_bodies(&self.commands, ids).await
    }

    async fn details(&self, id: &EntryId) -> Result<Option<EntryDetails>> {
        inspect::details(&self.scans, &self.services, id).await
    }

    async fn raw_body(&self, id: &EntryId, limit: usize) -> Result<Option<Bytes>> {
        bodies::raw_body(&self.scans, id, limit).await
    }

    async fn info(&self) -> Result<ServerInfo> {
        info::info(&self.commands).await
    }

    async fn watch(&self, source: EventSource) -> Result<Option<Box<dyn EventFeed>>> {
        let feed = RedisEventFeed::open(&self.scans, &self.services, source).await?;
        Ok(Some(Box::new(feed)))
    }
}
