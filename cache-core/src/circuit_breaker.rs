//! What is known about the store: after a few failures in a row it is left alone until it is well again.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use crate::error::{Error, chain};
use crate::store::probe::recovered;
use crate::store::traits::Store;

/// One failure may be bad luck; so many in a row are not.
const MOST_FAILURES: u32 = 3;

/// Closed while the store works; open while nobody is to wait for it.
#[derive(Default)]
pub(crate) struct Breaker {
    is_open: AtomicBool,
    /// Failures since the store answered last.
    failures: AtomicU32,
}

impl Breaker {
    pub(crate) fn is_open(&self) -> bool {
        self.is_open.load(Ordering::Relaxed)
    }

    /// The store answered.
    pub(crate) fn works(&self) {
        // Mostly nothing but a read: this is on every look-up's path.
        if self.failures.load(Ordering::Relaxed) > 0 {
            self.failures.store(0, Ordering::Relaxed);
        }
    }

    /// A call failed; `true`: this opened the breaker, and the caller sees to it that it is closed again.
    pub(crate) fn fails(&self, error: &Error) -> bool {
        if !is_of_the_store(error) {
            self.works();
            return false;
        }
        let is_enough = self.failures.fetch_add(1, Ordering::Relaxed) + 1 >= MOST_FAILURES;
        let opens = is_enough && !self.is_open.swap(true, Ordering::Relaxed);
        if opens {
            tracing::warn!(error = chain(error), "the store is left alone until it is well again");
        }
        opens
    }

    /// Closes the breaker when the store is well again.
    pub(crate) async fn close(self: Arc<Self>, store: Arc<dyn Store>, patience: Duration) {
        recovered(&*store, Some(patience)).await;
        self.failures.store(0, Ordering::Relaxed);
        self.is_open.store(false, Ordering::Relaxed);
        tracing::info!(backend = %store.id(), "the store is well again");
    }
}

/// Whether the next call will fail, too, whatever it asks for. A refusal is quick, and may be for one entry or for
/// writing only; to be refused when connecting is for good.
fn is_of_the_store(error: &Error) -> bool {
    error.is_temporary() || matches!(error, Error::Refused { operation: Error::CONNECTING, .. })
}
