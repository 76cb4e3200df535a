//! Fault tolerance: store failures and timeouts become cache misses. The caches call the store through [`GuardedStore`]
//! only.

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::{TryStreamExt as _, stream};

use crate::circuit_breaker::{CircuitBreaker, Recovery};
use crate::error::{Error, Result, error_chain};
use crate::model::entry::{Entry, EntryId};
use crate::model::generation::Generation;
use crate::model::stored::StoredBody;
use crate::runtime::tasks::TaskGroup;
use crate::store::probe::wait_until_healthy;
use crate::store::traits::{ResponseWriter, Store};

/// The number of consecutive failures after which the store is not called: a single one may be a coincidence.
const STORE_FAILURES: u32 = 3;

/// A store with a timeout and a circuit breaker for every call. Clones share both.
#[derive(Clone)]
pub(crate) struct GuardedStore {
    store: Arc<dyn Store>,
    /// The timeout of one call.
    timeout: Duration,
    breaker: Arc<CircuitBreaker>,
    tasks: TaskGroup,
    on_failure: Option<Arc<OnFailure>>,
}

/// Receives the name of a failed operation, its duration and its error.
type OnFailure = dyn Fn(&'static str, Duration, &Error) + Send + Sync;

impl GuardedStore {
    pub(crate) fn new(store: Arc<dyn Store>, timeout: Duration, tasks: TaskGroup) -> Self {
        let breaker = Arc::new(CircuitBreaker::new(STORE_FAILURES, Recovery::ExternalProbe));
        Self { store, timeout, breaker, tasks, on_failure: None }
    }

    /// The same store with a hook that is called for every failure and timeout.
    pub(crate) fn with_failure_hook(
        &self,
        on_failure: impl Fn(&'static str, Duration, &Error) + Send + Sync + 'static,
    ) -> Self {
        Self { on_failure: Some(Arc::new(on_failure)), ..self.clone() }
    }

    /// The timeout of one call.
    pub(crate) fn timeout(&self) -> Duration {
        self.timeout
    }

    /// Calls the store. Returns `None` on failure, on timeout, and while the breaker is open.
    pub(crate) async fn call<T, F>(
        &self,
        operation: &'static str,
        question: impl FnOnce(Arc<dyn Store>) -> F,
    ) -> Option<T>
    where
        F: Future<Output = Result<T>>,
    {
        if self.breaker.is_open() {
            return None;
        }
        self.bounded(operation, question(Arc::clone(&self.store))).await.ok()
    }

    /// A stored body, with the timeout for each of its chunks. `None` if there is none, or as in [`Self::call`].
    pub(crate) async fn body(&self, id: &EntryId) -> Option<StoredBody> {
        let body = self.call("body", |store| async move { store.body(id).await }).await??;
        let pieces = stream::try_unfold((self.clone(), body), |(store, mut body)| async move {
            let piece = store.bounded("body", body.try_next()).await?;
            Ok(piece.map(|piece| (piece, (store, body))))
        });
        Some(Box::pin(pieces))
    }

    /// Starts writing a response, with the timeout for each step. `None` as in [`Self::call`].
    pub(crate) async fn insert(&self, entry: Entry, ttl: Option<Duration>) -> Option<GuardedWriter> {
        let writer = self.call("begin", |store| async move { store.insert(entry, ttl).await }).await?;
        Some(GuardedWriter { store: self.clone(), writer })
    }

    /// Awaits the store's reply within the timeout, and records the outcome in the breaker.
    async fn bounded<T>(&self, operation: &'static str, answer: impl Future<Output = Result<T>>) -> Result<T> {
        let started = Instant::now();
        let answer = tokio::time::timeout(self.timeout, answer)
            .await
            .unwrap_or_else(|_| Err(Error::Timeout { backend: self.store.id(), operation, limit: self.timeout }));
        let Err(error) = &answer else {
            self.breaker.record_success();
            return answer;
        };
        match &self.on_failure {
            Some(hook) => hook(operation, started.elapsed(), error),
            None => tracing::warn!(operation, error = error_chain(error), "error"),
        }
        if !is_store_failure(error) {
            self.breaker.record_success();
        } else if self.breaker.record_failure(Instant::now()) {
            tracing::warn!(error = error_chain(error), "backend disabled after repeated failures");
            let (breaker, store) = (Arc::clone(&self.breaker), Arc::clone(&self.store));
            self.tasks.spawn_daemon(close_when_recovered(breaker, store, self.timeout));
        }
        answer
    }
}

async fn close_when_recovered(breaker: Arc<CircuitBreaker>, store: Arc<dyn Store>, timeout: Duration) {
    wait_until_healthy(&*store, Some(timeout)).await;
    breaker.close();
    tracing::info!(backend = %store.id(), "backend available again");
}

/// Whether the next call will fail, too, whatever its arguments. A refusal is quick, and may concern one entry or
/// writing only; a refusal of the connection is permanent.
fn is_store_failure(error: &Error) -> bool {
    error.is_temporary() || matches!(error, Error::Refused { operation: Error::CONNECTING, .. })
}

/// A response being stored. It is discarded if this is dropped before [`Self::commit`].
pub(crate) struct GuardedWriter {
    store: GuardedStore,
    writer: Box<dyn ResponseWriter>,
}

impl GuardedWriter {
    /// Appends a chunk of the body. After an error the writer is unusable.
    pub(crate) async fn write(&mut self, piece: Bytes) -> Result<()> {
        self.store.bounded("push", self.writer.write(piece)).await
    }

    /// Sets the generation that the key must still have.
    pub(crate) fn expect_generation(&mut self, generation: Generation) {
        self.writer.expect_generation(generation);
    }

    /// Makes the response visible. After an error it is unknown whether it is.
    pub(crate) async fn commit(self) -> Result<EntryId> {
        self.store.bounded("commit", self.writer.commit()).await
    }
}
