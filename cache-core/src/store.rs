//! The promise that every storage keeps: what a cache needs ([`Store`]), and what an administrator needs on top
//! ([`Inspect`]).

pub mod fallback;
pub mod first_level;
pub mod memory;
pub mod open;
pub mod readonly;
pub(crate) mod recovery;
pub mod redis;
pub mod scan;
pub mod sqlite;
#[cfg(test)]
pub(crate) mod stub;

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use futures_util::{Stream, TryStreamExt as _};
use uuid::Uuid;

pub use self::first_level::Changes;
use self::redis::Events;
use crate::counters::{Batch, Counted};
use crate::entry::{Entry, EntryId};
use crate::error::{Backend, Error, Result};
use crate::event::Source;
use crate::filter::Filter;
use crate::key::CacheKey;
use crate::limit::Limit;
use crate::summary::Summary;

/// The pieces of a stored body. An error ends it: the rest is gone, and what came before is not the whole body.
pub type StoredBody = Pin<Box<dyn Stream<Item = Result<Bytes>> + Send>>;

/// A look-up renews nothing that would gain, or lose, less than this; seconds. What is asked for all the time is not
/// written all the time.
const WORTH_RENEWING: f64 = 1.0;

/// Whether what expires then (`None`: never) is to expire at `until` instead; Unix seconds.
fn is_worth_renewing(expires_at: Option<f64>, until: f64) -> bool {
    expires_at.is_none_or(|at| (until - at).abs() >= WORTH_RENEWING)
}

/// Every piece of a stored body as one.
pub async fn whole(body: StoredBody) -> Result<Bytes> {
    let mut pieces: Vec<Bytes> = body.try_collect().await?;
    match pieces.len() {
        1 => Ok(pieces.remove(0)),
        _ => Ok(pieces
            .iter()
            .fold(BytesMut::new(), |mut all, piece| {
                all.extend_from_slice(piece);
                all
            })
            .freeze()),
    }
}

/// What a cache needs. A miss is `None` or empty, never an error.
#[async_trait]
pub trait Store: Send + Sync + 'static {
    /// Which storage answers now.
    fn backend(&self) -> Backend;

    /// How the storage is. Cannot fail: failing is the answer.
    async fn health(&self) -> Health;

    /// The live and whole responses under a key, newest first.
    ///
    /// With `refresh`, the first of them lives that long again from now, unless it was stored with a TTL of its own
    /// (`hishel_ttl`); a storage that cannot write then only reads.
    async fn lookup(&self, key: &CacheKey, refresh: Option<Duration>) -> Result<Vec<Found>>;

    /// Starts writing a response. It is visible at [`Writer::commit`]; dropped before that, no reader ever sees it.
    async fn begin(&self, entry: Entry, ttl: Option<Duration>) -> Result<Box<dyn Writer>>;

    /// The body of a live and whole response, read as it is asked for: memory does not grow with the body.
    async fn body(&self, id: &EntryId) -> Result<Option<StoredBody>>;

    /// Replaces what is stored of a response but its body and remaining TTL; `false`: it was gone.
    async fn replace(&self, id: &EntryId, entry: &Entry) -> Result<bool>;

    /// Lets entries live this much longer from now (`None`: for ever); how many were still there.
    async fn touch(&self, ids: &[EntryId], ttl: Option<Duration>) -> Result<u64>;

    /// Removes entries for good: out of the index, then the entry, then its body. What is gone already is no error.
    async fn remove(&self, ids: &[EntryId]) -> Result<Removed>;

    /// The stored result under a whole `result_cache:` key. Under any other key it is no entry: what a program keeps
    /// for itself, beside the cache and unlisted.
    async fn result(&self, key: &str) -> Result<Option<StoredResult>>;

    /// Stores a result under a whole `result_cache:` key, or what is no entry under another ([`Store::result`]).
    async fn put_result(&self, key: &str, value: Bytes, ttl: Duration) -> Result<()>;

    /// Claims `name` for `holder` among all processes that share the storage, for this long; a holder that claims
    /// again claims for longer. Storages of one process always grant it.
    async fn claim(&self, name: &str, holder: Uuid, time: Duration) -> Result<Claim>;

    /// Gives a claim back, if `holder` still has it. With `alone`, whoever claims the name within that time is told
    /// not to wait for others.
    async fn release(&self, name: &str, holder: Uuid, alone: Option<Duration>) -> Result<()>;

    /// Gives out the next turn under a name among all processes that share the storage: how long until it comes. Where
    /// that is longer than `longest`, nobody gets it.
    async fn reserve(&self, _name: &str, _limit: &Limit, _longest: Duration) -> Result<Duration> {
        Err(Error::Unsupported("this backend does not support rate limits"))
    }

    /// No turn under a name that is given out from now on comes within this time.
    async fn hold_back(&self, _name: &str, _time: Duration) -> Result<()> {
        Err(Error::Unsupported("this backend does not support rate limits"))
    }

    /// Tells `changes` from now on of what others change; `false`: this storage cannot.
    fn tell(&self, _changes: Arc<dyn Changes>) -> bool {
        false
    }

    /// Adds to the counters that all processes share; a batch that was added before is not added again.
    async fn count(&self, batch: &Batch) -> Result<()>;
}

/// A live and whole response that a look-up found.
#[derive(Clone, Debug)]
pub struct Found {
    /// What names it.
    pub id: EntryId,
    /// Its heads. Shared, since a first level in memory hands it out many times.
    pub entry: Arc<Entry>,
    /// When it expires, in Unix seconds; `None`: never.
    pub expires_at: Option<f64>,
    /// Its whole body, where that came along (it is short); else ask [`Store::body`].
    pub body: Option<Bytes>,
}

/// A live result that was found.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredResult {
    /// Its JSON.
    pub value: Bytes,
    /// When it expires, in Unix seconds; `None`: never, as far as the storage says.
    pub expires_at: Option<f64>,
}

/// What became of a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claim {
    /// It is the holder's.
    Granted,
    /// Another holder has it.
    Held,
    /// Nobody has it, and the last holder said that waiting for others is of no use.
    Alone,
}

/// A response being stored.
#[async_trait]
pub trait Writer: Send {
    /// Adds a piece of the body.
    async fn push(&mut self, chunk: Bytes) -> Result<()>;

    /// Makes the response visible.
    async fn commit(self: Box<Self>) -> Result<EntryId>;
}

/// What [`Store::remove`] did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Removed {
    /// Entries that were there and are gone now.
    pub entries: u64,
    /// Redis keys that are gone now (rows in SQLite): entries, bodies and emptied indexes.
    pub keys: u64,
}

impl std::ops::AddAssign for Removed {
    fn add_assign(&mut self, other: Self) {
        self.entries += other.entries;
        self.keys += other.keys;
    }
}

/// What an administrator needs on top. The caches cannot call these: they hold an `Arc<dyn Store>`.
#[async_trait]
pub trait Inspect: Store {
    /// One page of what matches (all but `filter.body`), from `from` on (`None`: the start).
    ///
    /// `want` is a hint: how many keys to look at. A page may be empty; only `next: None` ends the list. No entry
    /// comes twice, and one that is there from the first page to the last is never left out.
    async fn scan(&self, filter: &Filter, from: Option<Cursor>, want: usize) -> Result<Page>;

    /// [`Store::touch`] as it was planned on a storage: where another one answers now, nothing is done. What was there
    /// for ever only to name the entries, as an index in Redis is, now goes with the last of them.
    async fn touch_on(&self, backend: &Backend, ids: &[EntryId], ttl: Option<Duration>) -> Result<u64> {
        planned_on(backend, self.backend())?;
        self.touch(ids, ttl).await
    }

    /// [`Store::remove`] as it was planned on a storage: where another one answers now, nothing is done.
    async fn remove_on(&self, backend: &Backend, ids: &[EntryId]) -> Result<Removed> {
        planned_on(backend, self.backend())?;
        self.remove(ids).await
    }

    /// Everything about one entry but its body, whatever its state.
    async fn inspect(&self, id: &EntryId) -> Result<Option<Inspected>>;

    /// The first `limit` bytes or more of a stored body or value, as far as it is there, whatever the entry's state.
    async fn raw_body(&self, id: &EntryId, limit: usize) -> Result<Option<Bytes>>;

    /// Facts about the server or the file.
    async fn info(&self) -> Result<Info>;

    /// What was counted, by the hour from the one that `since` (Unix seconds) falls into.
    async fn counters(&self, since: f64) -> Result<Counted>;

    /// Begins to tell what others do with the cache; `None`: nobody but they themselves could tell, as with a file.
    async fn watch(&self, _source: Source) -> Result<Option<Events>> {
        Ok(None)
    }

    /// Every change of which storage answers; `None`: it is always the same.
    fn changes(&self) -> Option<tokio::sync::watch::Receiver<Health>> {
        None
    }
}

fn planned_on(planned: &Backend, now: Backend) -> Result<()> {
    if now == *planned { Ok(()) } else { Err(Error::BackendChanged { now }) }
}

/// One page of a scan.
#[derive(Debug, Default)]
pub struct Page {
    /// What matched.
    pub entries: Vec<Summary>,
    /// Where the next page begins; `None`: this was the last one.
    pub next: Option<Cursor>,
    /// About how many keys of the whole database (rows in SQLite) were looked at since the first page.
    pub scanned: u64,
    /// About how many there are in all.
    pub total: u64,
    /// How many of those looked at for this page are under our prefixes.
    pub keys: u64,
}

/// Where a scan goes on; of the store that gave it, for one use.
#[derive(Debug)]
pub struct Cursor(pub(crate) Position);

#[derive(Debug)]
pub(crate) enum Position {
    Redis(Box<redis::scan::Progress>),
    Sqlite(sqlite::Position),
    Memory(EntryId, u64),
}

/// Everything about one entry but its body.
#[derive(Clone, Debug, PartialEq)]
pub struct Inspected {
    /// The short form.
    pub summary: Summary,
    /// The stored request and response; `None` for results and for what cannot be read.
    pub entry: Option<Entry>,
    /// How many pieces the body is stored in.
    pub chunks: u64,
    /// The Redis keys that make up the entry; empty in SQLite.
    pub keys: Vec<KeyFact>,
}

/// A Redis key as the server sees it.
#[derive(Clone, Debug, PartialEq)]
pub struct KeyFact {
    /// The key.
    pub key: Vec<u8>,
    /// Its Redis type: `hash`, `list`, …
    pub kind: String,
    /// Seconds until it expires; `None`: never.
    pub ttl: Option<f64>,
    /// Bytes of memory that it takes, by `MEMORY USAGE`; `None` where the server does not tell.
    pub bytes: Option<u64>,
}

/// Facts about the server or the file.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Info {
    /// The server's or library's version.
    pub version: String,
    /// Memory in use by the whole server, or the size of the file; bytes.
    pub memory_bytes: u64,
    /// The server's `maxmemory`, and what it does at the limit; `None`: no limit.
    pub limit: Option<(u64, String)>,
    /// Keys in the whole database, ours or not; rows in SQLite. `None`: that may not be asked for.
    pub keys: Option<u64>,
    /// The server's own `keyspace_hits` and `keyspace_misses` since its start, of everything it serves.
    pub keyspace: Option<(u64, u64)>,
}

/// How the storage is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Health {
    /// Which storage answers now.
    pub backend: Backend,
    /// It stands in for another one that cannot be reached.
    pub is_fallback: bool,
    /// Why the storage asked for does not answer; `None`: it does.
    pub problem: Option<String>,
}
