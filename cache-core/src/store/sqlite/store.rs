//! [`Sqlite`]: hishel's layouts C and E, and a table for results.
//!
//! hishel may have the same file open at the same time. One thread reads and another one writes, each with its own
//! connection: a lookup does not wait for a write. Hits are read on the caller's thread while they are quick.

#[cfg(test)]
pub(crate) mod full;
#[cfg(test)]
pub(crate) mod locked;

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use bytes::Bytes;
use uuid::Uuid;

use crate::clock;
use crate::error::{BackendId, BackendKind, Error, Result, error_chain};
use crate::model::change::{Applied, Change, StoreIdentity, Target};
use crate::model::entry::{Entry, EntryId};
use crate::model::filter::Filter;
use crate::model::generation::Generation;
use crate::model::inspection::{EntryDetails, Health, ServerInfo};
use crate::model::key::CacheKey;
use crate::model::rate_limit::RateLimit;
use crate::model::service::ServiceRegistry;
use crate::model::stats::StatsDelta;
use crate::model::stored::{LeaseState, RemoveStats, StoredBody, StoredResponse, StoredResult};
use crate::model::window::StatsSnapshot;
use crate::store::inspect::{Inspect, ensure_store, raise_for_flush};
use crate::store::page::{Cursor, Page};
use crate::store::renewal::should_renew;
use crate::store::sqlite::bodies::BodyReader;
use crate::store::sqlite::database::Database;
use crate::store::sqlite::failure::Failure;
use crate::store::sqlite::if_missing::IfMissing;
use crate::store::sqlite::rows::Reader;
use crate::store::sqlite::scan::Position;
use crate::store::sqlite::worker::Worker;
use crate::store::sqlite::writer::SqliteWriter;
use crate::store::sqlite::{apply, bodies, details, leases, rate_limit, rows, scan, schema, space, stats, write};
use crate::store::traits::{
    Backend, LeaseStore, RateLimitStore, ResponseStore, ResponseWriter, ResultStore, StatsStore, Store,
};

/// A lookup returns bodies up to this total size, the newest first; bytes.
const RENEW_ALONGSIDE: u64 = 131_072;

/// A hit that is no slower is read on the caller's own thread: waking another thread takes five times as long.
pub(crate) const QUICK_READ: Duration = Duration::from_micros(200);

/// SQLite store. Clones share the connections.
#[derive(Clone)]
pub struct Sqlite {
    pub(crate) reader: Arc<Worker>,
    pub(crate) writer: Arc<Worker>,
    backend: BackendId,
    renewals: Renewals,
    /// Whether the last lookup took at most [`QUICK_READ`].
    is_quick: Arc<AtomicBool>,
}

/// Entries of the next write of new TTLs, by TTL. One write renews them all: while another program holds the lock, one
/// write for each hit would accumulate.
type Renewals = Arc<Mutex<HashMap<Duration, HashSet<EntryId>>>>;

impl Sqlite {
    /// Opens a file of layout C or E; a new file gets layout C. A write-protected file is opened for reading.
    ///
    /// # Errors
    /// If the file cannot be opened, or contains something other than a cache.
    pub async fn open(file: &Path, services: ServiceRegistry, missing: IfMissing) -> Result<Self> {
        let backend = BackendId { kind: BackendKind::Sqlite, location: file.display().to_string().into() };
        // The working directory may change. A path that cannot be made absolute is not a file name either.
        let (file, services) = (std::path::absolute(file).unwrap_or_default(), Arc::new(services));
        let open = move || Database::open(&file, missing, &services);
        // The writer first: it may have to create the file.
        let writer = Arc::new(Worker::start(backend.clone(), open.clone(), None).await?);
        let reader = Arc::new(Worker::start(backend.clone(), open, Some(Arc::clone(&writer))).await?);
        Ok(Self { reader, writer, backend, renewals: Renewals::default(), is_quick: Arc::default() })
    }

    /// The first damage that `PRAGMA quick_check` finds in the file; `None`: it finds none.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub async fn quick_check(&self) -> Result<Option<String>> {
        let found: String = self
            .read("checking the file", |database, _| {
                Ok(database.connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?)
            })
            .await?;
        Ok((found != "ok").then_some(found))
    }

    /// Runs `read` with a reader of the present state.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        operation: &'static str,
        read: impl FnOnce(&Database, &Reader<'_>) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T> {
        self.reader.run(operation, move |database| snapshot(database, read)).await
    }

    /// [`Self::read`] for lookups. A slow disk blocks the caller's thread once at most: then the reader's thread is
    /// used until lookups are quick again.
    pub(crate) async fn read_quickly<T: Send + 'static>(
        &self,
        operation: &'static str,
        read: impl Fn(&Database, &Reader<'_>) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T> {
        let is_quick = Arc::clone(&self.is_quick);
        let timed = move |database: &mut Database| {
            let begun = Instant::now();
            let outcome = snapshot(database, &read);
            is_quick.store(begun.elapsed() <= QUICK_READ, Ordering::Relaxed);
            outcome
        };
        // A task that reads one hit after the other must let other tasks run.
        tokio::task::consume_budget().await;
        if self.is_quick.load(Ordering::Relaxed)
            && let Some(outcome) = self.reader.run_here(operation, &timed)
        {
            return outcome;
        }
        self.reader.run(operation, timed).await
    }

    /// Renews the TTL of a response in the background.
    fn renew(&self, first: &mut StoredResponse, ttl: Duration) {
        let until = clock::now() + ttl.as_secs_f64();
        // An expiry that is not recorded, or never comes, is the choice of another program: a hit must not bring it nearer.
        if first.entry.request.extra.ttl().is_some()
            || first.expires_at.is_none()
            || !should_renew(first.expires_at, until)
        {
            return;
        }
        first.expires_at = Some(until);
        let mut waiting = self.renewals.lock().unwrap_or_else(PoisonError::into_inner);
        let is_first = waiting.is_empty();
        waiting.entry(ttl).or_default().insert(first.id.clone());
        drop(waiting);
        if is_first {
            let renewals = Arc::clone(&self.renewals);
            self.writer.run_later("renewing TTLs", move |database| {
                // Taken whether or not the write succeeds: the next hit starts a new set.
                let waiting = std::mem::take(&mut *renewals.lock().unwrap_or_else(PoisonError::into_inner));
                let database = database?;
                for (ttl, ids) in waiting {
                    write::expire(database, &ids.into_iter().collect::<Vec<_>>(), Some(ttl))?;
                }
                Ok(())
            });
        }
    }
}

#[async_trait]
impl Backend for Sqlite {
    fn id(&self) -> BackendId {
        self.backend.clone()
    }

    async fn health(&self) -> Health {
        let asked = self.read("responding to the cache", |database, _| schema::has_own(&database.connection)).await;
        let problem = asked.err().map(|error| error_chain(&error));
        Health { backend: self.id(), is_fallback: false, problem, server: None }
    }
}

#[async_trait]
impl ResponseStore for Sqlite {
    async fn lookup(&self, key: &CacheKey, renew: Option<Duration>) -> Result<Vec<StoredResponse>> {
        let key = key.clone();
        let mut found =
            self.read_quickly("looking up a response", move |database, reader| lookup(database, reader, &key)).await?;
        if let (Some(ttl), Some(first)) = (renew, found.first_mut()) {
            self.renew(first, ttl);
        }
        Ok(found)
    }

    async fn insert(&self, entry: Entry, ttl: Option<Duration>) -> Result<Box<dyn ResponseWriter>> {
        Ok(Box::new(SqliteWriter::new(Arc::clone(&self.writer), entry, ttl)))
    }

    async fn body(&self, id: &EntryId) -> Result<Option<StoredBody>> {
        let EntryId::Http(layout, id) = *id else { return Ok(None) };
        let begin = move |database: &Database, reader: &Reader<'_>| {
            if layout == database.layout { BodyReader::begin(database, reader, id) } else { Ok(None) }
        };
        let reading = self.read("reading a body", begin).await?;
        Ok(reading.map(|reading| Box::pin(reading.pieces(Arc::clone(&self.reader))) as StoredBody))
    }

    async fn update_head(&self, id: &EntryId, entry: &Entry) -> Result<bool> {
        let EntryId::Http(layout, id) = *id else { return Ok(false) };
        let entry = entry.clone();
        self.writer
            .run("replacing an entry", move |database| {
                Ok(layout == database.layout && write::update_head(database, id, entry)?)
            })
            .await
    }

    async fn expire(&self, ids: &[EntryId], ttl: Option<Duration>) -> Result<u64> {
        let ids = ids.to_vec();
        self.writer.run("changing a TTL", move |database| write::expire(database, &ids, ttl)).await
    }

    async fn remove(&self, ids: &[EntryId]) -> Result<RemoveStats> {
        let ids = ids.to_vec();
        self.writer.run("deleting entries", move |database| write::remove(database, &ids)).await
    }
}

#[async_trait]
impl ResultStore for Sqlite {
    async fn get(&self, key: &str) -> Result<Option<StoredResult>> {
        let key = key.to_owned();
        self.read_quickly("reading a result", move |database, reader| {
            bodies::result(database, key.as_bytes(), Some(reader.now), Some(StoredResult::MAX_BYTES))
        })
        .await
    }

    async fn set(&self, key: &str, value: Bytes, ttl: Duration) -> Result<()> {
        self.set_if(key, value, ttl, Generation::UNKNOWN).await.map(drop)
    }

    async fn set_if(&self, key: &str, value: Bytes, ttl: Duration, generation: Generation) -> Result<bool> {
        let key = key.to_owned();
        let set = move |database: &mut Database| write::set(database, &key, &value, ttl, generation);
        self.writer.run("storing a result", set).await
    }
}

#[async_trait]
impl LeaseStore for Sqlite {
    async fn acquire(&self, name: &str, owner: Uuid, ttl: Duration) -> Result<LeaseState> {
        let name = name.to_owned();
        self.writer.run("claiming", move |database| leases::acquire(database, &name, owner, ttl)).await
    }

    async fn release(&self, name: &str, owner: Uuid, uncacheable_for: Option<Duration>) -> Result<()> {
        let name = name.to_owned();
        self.writer.run("releasing", move |database| leases::release(database, &name, owner, uncacheable_for)).await
    }
}

#[async_trait]
impl RateLimitStore for Sqlite {
    async fn acquire_slot(&self, name: &str, limit: &RateLimit, max_wait: Duration) -> Result<Duration> {
        let (name, limit) = (name.to_owned(), limit.clone());
        self.writer
            .run("reserving a rate limit slot", move |database| {
                rate_limit::acquire_slot(database, &name, &limit, max_wait)
            })
            .await
    }

    async fn block(&self, name: &str, time: Duration) -> Result<()> {
        let name = name.to_owned();
        self.writer.run("pausing requests to a service", move |database| rate_limit::block(database, &name, time)).await
    }
}

#[async_trait]
impl StatsStore for Sqlite {
    async fn add_stats(&self, delta: &StatsDelta) -> Result<()> {
        let delta = delta.clone();
        self.writer.run("counting", move |database| stats::add(database, &delta)).await
    }

    async fn stats(&self, since: f64) -> Result<StatsSnapshot> {
        self.read("reading counters", move |_, reader| stats::read(reader.connection, since)).await
    }
}

impl Store for Sqlite {}

#[async_trait]
impl Inspect for Sqlite {
    async fn scan(&self, filter: &Filter, from: Option<Cursor>, count: usize) -> Result<Page> {
        let file = &self.backend.location;
        let from = from.map(Cursor::into_position::<Position>).transpose()?;
        if from.as_ref().is_some_and(|position| position.file != *file) {
            return Err(Error::CursorExpired);
        }
        let (wanted, file) = (scan::ScanTables::new(filter), Arc::clone(file));
        let mut page = self
            .read("listing", move |database, reader| {
                let from = match from {
                    Some(position) => position,
                    None => Position::start(file, &database.connection)?,
                };
                scan::page(reader, from, wanted, count)
            })
            .await?;
        let now = clock::now();
        page.entries.retain(|entry| filter.matches(entry, now));
        Ok(page)
    }

    async fn identity(&self) -> Result<StoreIdentity> {
        let instance = self.read("identifying the file", |database, _| Ok(database.instance())).await?;
        Ok(StoreIdentity { backend: self.id(), instance })
    }

    async fn apply(&self, store: &StoreIdentity, change: Change, targets: &[Target]) -> Result<Applied> {
        ensure_store(store, &self.id().into())?;
        if change == Change::Remove {
            raise_for_flush(self).await;
        }
        let (planned, targets) = (store.instance.clone(), targets.to_vec());
        let operation = if change == Change::Remove { "deleting entries" } else { "changing TTLs" };
        let applied = self.writer.run(operation, move |database| {
            // The file may have been replaced since.
            let is_same = planned.is_none() || database.instance() == planned;
            if !is_same {
                return Ok(None);
            }
            let applied = apply::apply(database, change, &targets)?;
            if change == Change::Remove {
                space::give_back(&database.connection)?;
            }
            Ok(Some(applied))
        });
        applied.await?.ok_or_else(|| Error::BackendChanged { now: self.id() })
    }

    async fn details(&self, id: &EntryId) -> Result<Option<EntryDetails>> {
        let id = id.clone();
        self.read("reading an entry", move |database, reader| details::details(database, reader, &id)).await
    }

    async fn raw_body(&self, id: &EntryId, limit: usize) -> Result<Option<Bytes>> {
        let id = id.clone();
        self.read("reading a body", move |database, _| bodies::raw(database, &id, limit)).await
    }

    async fn info(&self) -> Result<ServerInfo> {
        self.read("counting", |database, _| {
            let space = space::FileSpace::read(&database.connection)?;
            Ok(ServerInfo {
                version: Some(rusqlite::version().into()),
                memory_bytes: Some(space.size),
                free_bytes: Some(space.free),
                keys: Some(scan::total(&database.connection)?),
                ..ServerInfo::default()
            })
        })
        .await
    }
}

/// Reads a consistent snapshot, even while another program is writing to the file.
fn snapshot<T>(
    database: &Database,
    read: impl FnOnce(&Database, &Reader<'_>) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let _snapshot = database.connection.unchecked_transaction()?;
    let outcome = read(database, &database.reader());
    database.check_snapshot()?;
    outcome
}

/// The live entries under a key, newest first, with bodies up to a total size.
fn lookup(database: &Database, reader: &Reader<'_>, key: &CacheKey) -> Result<Vec<StoredResponse>, Failure> {
    let mut live = reader.live("e.cache_key = ?1", key.as_bytes())?;
    // Layout E does not record the storage time; the order of rows gives it.
    live.sort_by(|a, b| a.entry.newest_first(&b.entry).then(b.rowid.cmp(&a.rowid)));
    let mut room = RENEW_ALONGSIDE;
    let with_body = |rows::Live { entry, expires_at, size, .. }| {
        let body = match room.checked_sub(size) {
            Some(left) => {
                room = left;
                Some(bodies::stored(database, entry.id, usize::MAX)?.unwrap_or_default())
            }
            None => None,
        };
        Ok(StoredResponse { id: EntryId::Http(database.layout, entry.id), entry: Arc::new(entry), expires_at, body })
    };
    live.into_iter().map(with_body).collect()
}
