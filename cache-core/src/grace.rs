//! The store as the caches see it: it never fails and never takes long.
//!
//! A store that is down, slow, full or damaged makes a miss. The caches ask through [`Graceful`] and nowhere else.

use std::sync::Arc;
use std::time::Duration;

use crate::error::Result;
use crate::store::Store;

/// A store whose every call ends within a bound.
pub(crate) struct Graceful {
    store: Arc<dyn Store>,
    /// The longest that one call may take.
    patience: Duration,
}

impl Graceful {
    pub(crate) fn new(store: Arc<dyn Store>, patience: Duration) -> Self {
        Self { store, patience }
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
        match tokio::time::timeout(self.patience, question(Arc::clone(&self.store))).await {
            Ok(Ok(answer)) => Some(answer),
            Ok(Err(error)) => {
                tracing::warn!(operation, %error, "the cache does without its store");
                None
            }
            Err(_) => {
                tracing::warn!(operation, patience = ?self.patience, "the cache does without its store: it is slow");
                None
            }
        }
    }
}
