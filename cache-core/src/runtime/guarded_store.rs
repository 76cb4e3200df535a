//! The store as the caches see it: it never fails and never takes long.
//!
//! A store that is down, slow, full or damaged makes a miss. The caches ask through [`Graceful`] and nowhere else.

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::{TryStreamExt as _, stream};

use crate::circuit_breaker::Breaker;
use crate::error::{Error, Result, chain};
use crate::model::entry::{Entry, EntryId};
use crate::model::stored::StoredBody;
use crate::runtime::tasks::Tasks;
use crate::store::traits::{ResponseWriter, Store};

/// A store whose every call ends within a bound. Clones share the store and what is known about it.
#[derive(Clone)]
pub(crate) struct Graceful {
    store: Arc<dyn Store>,
    /// The longest that one call may take.
    patience: Duration,
    breaker: Arc<Breaker>,
    tasks: Tasks,
    on_failure: Option<Arc<OnFailure>>,
}

/// Takes note of an operation that failed, after what time and why.
type OnFailure = dyn Fn(&'static str, Duration, &Error) + Send + Sync;

impl Graceful {
    pub(crate) fn new(store: Arc<dyn Store>, patience: Duration, tasks: Tasks) -> Self {
        Self { store, patience, breaker: Arc::default(), tasks, on_failure: None }
    }

    /// The same store, which tells this one of every call that fails or takes too long. (Counts as an error.)
    pub(crate) fn telling(&self, on_failure: impl Fn(&'static str, Duration, &Error) + Send + Sync + 'static) -> Self {
        Self { on_failure: Some(Arc::new(on_failure)), ..self.clone() }
    }

    /// The longest that one call may take.
    pub(crate) fn patience(&self) -> Duration {
        self.patience
    }

    /// Asks the store; `None` where it fails, takes too long, or is known to do so.
    pub(crate) async fn ask<T, F>(
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

    /// A stored body, each piece of which comes within the bound; `None` where there is none, or as for
    /// [`Self::ask`]. An error ends it, as it ends every [`StoredBody`].
    pub(crate) async fn body(&self, id: &EntryId) -> Option<StoredBody> {
        let body = self.ask("body", |store| async move { store.body(id).await }).await??;
        let pieces = stream::try_unfold((self.clone(), body), |(store, mut body)| async move {
            let piece = store.bounded("body", body.try_next()).await?;
            Ok(piece.map(|piece| (piece, (store, body))))
        });
        Some(Box::pin(pieces))
    }

    /// Starts writing a response, each step within the bound; `None`: as for [`Self::ask`].
    pub(crate) async fn begin(&self, entry: Entry, ttl: Option<Duration>) -> Option<GracefulWriter> {
        let writer = self.ask("begin", |store| async move { store.insert(entry, ttl).await }).await?;
        Some(GracefulWriter { store: self.clone(), writer })
    }

    /// Waits for the store's answer, but not too long, and learns from it how the store is.
    async fn bounded<T>(&self, operation: &'static str, answer: impl Future<Output = Result<T>>) -> Result<T> {
        let started = Instant::now();
        let answer = tokio::time::timeout(self.patience, answer)
            .await
            .unwrap_or_else(|_| Err(Error::Timeout { backend: self.store.id(), operation, limit: self.patience }));
        if let Err(error) = &answer {
            match &self.on_failure {
                Some(tell) => tell(operation, started.elapsed(), error),
                None => tracing::warn!(operation, error = chain(error), "error"),
            }
            if self.breaker.fails(error) {
                self.tasks.spawn_endless(Arc::clone(&self.breaker).close(Arc::clone(&self.store), self.patience));
            }
        } else {
            self.breaker.works();
        }
        answer
    }
}

/// A response being stored. Dropped before [`Self::commit`], no reader ever sees it.
pub(crate) struct GracefulWriter {
    store: Graceful,
    writer: Box<dyn ResponseWriter>,
}

impl GracefulWriter {
    /// Adds a piece of the body. After an error it is of no use to go on.
    pub(crate) async fn push(&mut self, piece: Bytes) -> Result<()> {
        self.store.bounded("push", self.writer.write(piece)).await
    }

    /// Makes the response visible. After an error nobody can tell whether it is.
    pub(crate) async fn commit(self) -> Result<EntryId> {
        self.store.bounded("commit", self.writer.commit()).await
    }
}
