//! One Redis server: the layouts A, B and D side by side, and results.
//!
//! Which layout an entry has is told from what is there: the form of its id, the type of its index, the content of its
//! `stream_done` key. New entries are written in the layout that the settings name.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use redis::cmd;
use uuid::Uuid;

use crate::config::Config;
use crate::error::{Backend, Error, Result, chain};
use crate::model::entry::{Entry, EntryId, Layout};
use crate::model::event::Source;
use crate::model::filter::Filter;
use crate::model::inspection::{Health, Info, Inspected};
use crate::model::key::CacheKey;
use crate::model::rate_limit::Limit;
use crate::model::service::ServiceRegistry;
use crate::model::stats::Batch;
use crate::model::stored::{Claim, Found, Removed, StoredBody, StoredResult};
use crate::model::window::Counted;
use crate::store::inspect::{Inspect, planned_on};
use crate::store::invalidation::Changes;
use crate::store::page::{Cursor, Page, Position};
use crate::store::redis::connection::Connection;
use crate::store::redis::events::feed;
use crate::store::redis::events::feed::Events;
use crate::store::redis::location_cache::Places;
use crate::store::redis::{
    bodies, info, inspect, leases, lookup, rate_limit, remove, results, scan, stats, touch, write,
};
use crate::store::traits::{Store, Writer};

/// A cache in Redis.
pub struct Redis {
    /// For everything short. Shared by all callers, since Redis answers in order.
    commands: Connection,
    /// For scans: a page of thousands of keys would hold up whatever is asked behind it.
    scans: Connection,
    places: Places,
    services: ServiceRegistry,
    write_layout: Layout,
}

impl Redis {
    /// A store for the server that the settings name; connects at the first call. Fails where the URL is unusable.
    pub fn new(config: &Config) -> Result<Self> {
        Ok(Self {
            commands: Connection::new(config)?,
            scans: Connection::new(config)?,
            places: Places::new(),
            services: config.services.clone(),
            write_layout: config.write_layout,
        })
    }

    /// Asks the server for an answer.
    pub async fn ping(&self) -> Result<()> {
        self.commands.query("PING", &cmd("PING")).await.map(drop)
    }
}

#[async_trait]
impl Store for Redis {
    fn backend(&self) -> Backend {
        self.commands.backend().clone()
    }

    async fn health(&self) -> Health {
        let problem = self.ping().await.err().map(|error| chain(&error));
        Health { backend: self.backend(), is_fallback: false, problem }
    }

    async fn lookup(&self, key: &CacheKey, refresh: Option<Duration>) -> Result<Vec<Found>> {
        lookup::lookup(&self.commands, &self.places, key, refresh).await
    }

    async fn begin(&self, entry: Entry, ttl: Option<Duration>) -> Result<Box<dyn Writer>> {
        Ok(Box::new(write::RedisWriter::new(self.commands.clone(), self.write_layout, entry, ttl)))
    }

    async fn body(&self, id: &EntryId) -> Result<Option<StoredBody>> {
        bodies::body(&self.commands, &self.services, id).await
    }

    async fn replace(&self, id: &EntryId, entry: &Entry) -> Result<bool> {
        write::replace(&self.commands, &self.services, id, entry).await
    }

    async fn touch(&self, ids: &[EntryId], ttl: Option<Duration>) -> Result<u64> {
        touch::touch(&self.commands, ids, ttl).await
    }

    async fn remove(&self, ids: &[EntryId]) -> Result<Removed> {
        remove::remove(&self.commands, ids).await
    }

    async fn result(&self, key: &str) -> Result<Option<StoredResult>> {
        results::get(&self.commands, key).await
    }

    async fn put_result(&self, key: &str, value: Bytes, ttl: Duration) -> Result<()> {
        results::put(&self.commands, key, &value, ttl).await
    }

    async fn claim(&self, name: &str, holder: Uuid, time: Duration) -> Result<Claim> {
        leases::claim(&self.commands, name, holder, time).await
    }

    async fn release(&self, name: &str, holder: Uuid, alone: Option<Duration>) -> Result<()> {
        leases::release(&self.commands, name, holder, alone).await
    }

    async fn reserve(&self, name: &str, limit: &Limit, longest: Duration) -> Result<Duration> {
        rate_limit::reserve(&self.commands, name, limit, longest).await
    }

    async fn hold_back(&self, name: &str, time: Duration) -> Result<()> {
        rate_limit::hold_back(&self.commands, name, time).await
    }

    fn tell(&self, changes: Arc<dyn Changes>) -> bool {
        self.commands.tell(changes)
    }

    async fn count(&self, batch: &Batch) -> Result<()> {
        stats::add(&self.commands, batch).await
    }
}

#[async_trait]
impl Inspect for Redis {
    async fn scan(&self, filter: &Filter, from: Option<Cursor>, want: usize) -> Result<Page> {
        let progress = match from.map(|cursor| cursor.0) {
            None => None,
            Some(Position::Redis(progress)) => Some(progress),
            Some(_) => return Err(Error::CursorExpired),
        };
        scan::page(&self.scans, &self.services, filter, progress, want).await
    }

    async fn touch_on(&self, backend: &Backend, ids: &[EntryId], ttl: Option<Duration>) -> Result<u64> {
        planned_on(backend, self.backend())?;
        let touched = self.touch(ids, ttl).await?;
        if ttl.is_some() {
            touch::end_indexes(&self.commands, ids).await?;
        }
        Ok(touched)
    }

    async fn inspect(&self, id: &EntryId) -> Result<Option<Inspected>> {
        inspect::inspect(&self.commands, &self.services, id).await
    }

    async fn raw_body(&self, id: &EntryId, limit: usize) -> Result<Option<Bytes>> {
        bodies::raw_body(&self.commands, id, limit).await
    }

    async fn info(&self) -> Result<Info> {
        info::info(&self.commands).await
    }

    async fn counters(&self, since: f64) -> Result<Counted> {
        stats::read(&self.commands, since).await
    }

    async fn watch(&self, source: Source) -> Result<Option<Events>> {
        feed::watch(&self.scans, &self.services, source).await.map(Some)
    }
}
