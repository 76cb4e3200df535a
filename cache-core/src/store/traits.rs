//! TODO

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::TryStreamExt as _;
use uuid::Uuid;

use crate::error::{Backend, Error, Result};
use crate::model::entry::{Entry, EntryId};
use crate::model::inspection::Health;
use crate::model::key::CacheKey;
use crate::model::rate_limit::Limit;
use crate::model::stats::Batch;
use crate::model::stored::{Claim, Found, Removed, StoredBody, StoredResult};
use crate::store::invalidation::Changes;

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

/// A response being stored.
#[async_trait]
pub trait Writer: Send {
    /// Adds a piece of the body.
    async fn push(&mut self, chunk: Bytes) -> Result<()>;

    /// Makes the response visible.
    async fn commit(self: Box<Self>) -> Result<EntryId>;
}
