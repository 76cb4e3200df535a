//! Fault tolerance: store failures and timeouts become cache misses. The caches call the store through [`GuardedStore`]
//! only.

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::{TryStreamExt as _, stream};

use crate::circuit_breaker::{CallPermit, CircuitBreaker, Recovery};
use crate::error::{Error, RefusalScope, Result, error_chain};
use crate::model::entry::{Entry, EntryId};
use crate::model::generation::Generation;
use crate::model::stored::StoredBody;
use crate::runtime::tasks::TaskGroup;
use crate::store::probe::wait_until_healthy;
use crate::store::traits::{ResponseWriter, Store};

/// The number of consecutive failures after which the store is not called: a single one may be a coincidence.
const STORE_FAILURES: u32 = 3;

/// How long a store that fails only when it is written is not written; then one write is a probe.
const WRITE_COOLDOWN: Duration = Duration::from_secs(5);

/// The operations that only read. A store that cannot be written still serves them.
const READS: [&str; 4] = ["lookup", "body", "result", "generation"];

/// A store with a timeout for every call, and circuit breakers for reads and writes. Clones share them.
#[derive(Clone)]
pub(crate) struct GuardedStore {
    store: Arc<dyn Store>,
    /// The timeout of one call.
    timeout: Duration,
    breaker: Arc<CircuitBreaker>,
    write_breaker: Arc<CircuitBreaker>,
    /// The last write was slow or failed.
    is_slow_to_write: Arc<AtomicBool>,
    tasks: TaskGroup,
    on_failure: Option<Arc<OnFailure>>,
}

/// Receives the name of a failed operation, its duration and its error.
type OnFailure = dyn Fn(&'static str, Duration, &Error) + Send + Sync;

impl GuardedStore {
    pub(crate) fn new(store: Arc<dyn Store>, timeout: Duration, tasks: TaskGroup) -> Self {
        let breaker = Arc::new(CircuitBreaker::new(STORE_FAILURES, Recovery::ExternalProbe));
        let write_breaker = Arc::new(CircuitBreaker::new(STORE_FAILURES, Recovery::Cooldown(WRITE_COOLDOWN)));
        Self { store, timeout, breaker, write_breaker, is_slow_to_write: Arc::default(), tasks, on_failure: None }
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

    /// Whether the last write was slow or failed: nothing should wait for the next one.
    pub(crate) fn is_slow_to_write(&self) -> bool {
        self.is_slow_to_write.load(Ordering::Relaxed)
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
        if READS.contains(&operation) {
            return self.bounded(operation, question(Arc::clone(&self.store))).await.ok();
        }
        let permit = self.write_breaker.try_acquire(now()).ok()?;
        let answer = self.within_timeout(operation, question(Arc::clone(&self.store))).await;
        Self::record_write(operation, &answer, permit);
        answer.ok()
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

    /// Awaits the store's reply within the timeout, and reports a failure.
    async fn within_timeout<T>(&self, operation: &'static str, answer: impl Future<Output = Result<T>>) -> Result<T> {
        let started = Instant::now();
        let answer = tokio::time::timeout(self.timeout, answer)
            .await
            .unwrap_or_else(|_| Err(Error::Timeout { backend: self.store.id(), operation, limit: self.timeout }));
        if let Err(error) = &answer {
            match &self.on_failure {
                Some(hook) => hook(operation, started.elapsed(), error),
                None => tracing::warn!(operation, error = error_chain(error), "error"),
            }
        }
        if !READS.contains(&operation) {
            let is_slow = started.elapsed() > self.timeout / 2 || answer.as_ref().is_err_and(is_store_failure);
            self.is_slow_to_write.store(is_slow, Ordering::Relaxed);
        }
        answer
    }

    /// Records the outcome of a write. One refusal may be a coincidence, too: memory may be short for one entry only.
    fn record_write<T>(operation: &'static str, answer: &Result<T>, permit: CallPermit<'_>) {
        let Err(error) = answer else { return permit.record_success() };
        let refuses_all = matches!(error, Error::Refused { scope: RefusalScope::Writes, .. });
        if !refuses_all && !is_store_failure(error) {
            return permit.record_success();
        }
        let has_opened = permit.record_failure(now());
        if has_opened {
            tracing::warn!(operation, error = error_chain(error), "writing to the backend suspended");
        }
    }

    /// A step of a write that has begun, perhaps before the breaker opened.
    async fn step<T>(&self, operation: &'static str, answer: impl Future<Output = Result<T>>) -> Result<T> {
        let answer = self.within_timeout(operation, answer).await;
        if let Ok(permit) = self.write_breaker.try_acquire(now()) {
            Self::record_write(operation, &answer, permit);
        }
        answer
    }

    /// Awaits the store's reply within the timeout, and records the outcome in the breaker of reads.
    async fn bounded<T>(&self, operation: &'static str, answer: impl Future<Output = Result<T>>) -> Result<T> {
        let answer = self.within_timeout(operation, answer).await;
        let Err(error) = &answer else {
            self.breaker.record_success();
            return answer;
        };
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

/// The time of the breakers, which tests set.
fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

async fn close_when_recovered(breaker: Arc<CircuitBreaker>, store: Arc<dyn Store>, timeout: Duration) {
    wait_until_healthy(&*store, Some(timeout)).await;
    breaker.close();
    tracing::info!(backend = %store.id(), "backend available again");
}

/// Whether the next call will fail, too, whatever its arguments. A refusal is quick, and may concern one entry or
/// writing only; a refusal of the connection is permanent.
fn is_store_failure(error: &Error) -> bool {
    error.is_temporary() || matches!(error, Error::Config(_) | Error::Refused { operation: Error::CONNECTING, .. })
}

/// A response being stored. It is discarded if this is dropped before [`Self::commit`].
pub(crate) struct GuardedWriter {
    store: GuardedStore,
    writer: Box<dyn ResponseWriter>,
}

impl GuardedWriter {
    /// Appends a chunk of the body. After an error the writer is unusable.
    pub(crate) async fn write(&mut self, piece: Bytes) -> Result<()> {
        self.store.step("push", self.writer.write(piece)).await
    }

    /// Sets the generation that the key must still have.
    pub(crate) fn expect_generation(&mut self, generation: Generation) {
        self.writer.expect_generation(generation);
    }

    /// Makes the response visible. After an error it is unknown whether it is.
    pub(crate) async fn commit(self) -> Result<EntryId> {
        self.store.step("commit", self.writer.commit()).await
    }
}
