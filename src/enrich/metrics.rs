//! Metrics of one service in one pass, for the progress and for the report.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use cache_core::redact::{Redacted, Secrets};
use cache_core::{Observed, error_chain};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use tokio::time::Instant;

use crate::enrich::error::FetchFailure;

/// Counters that are updated during the pass and may be read at any time.
#[derive(Debug, Default)]
pub struct Metrics {
    requests: AtomicU64,
    hits: AtomicU64,
    absent: AtomicU64,
    upstream: AtomicU64,
    bytes: AtomicU64,
    waits: Mutex<Waits>,
    expected: AtomicU64,
    digests: Mutex<Vec<ResponseDigest>>,
    missing: Mutex<Vec<Redacted<'static>>>,
    gaps: Mutex<Vec<Gap>>,
}

/// Waits for a rate limit. Overlapping waits count once.
#[derive(Debug, Default)]
struct Waits {
    /// Requests that wait now, and since when there is one.
    count: u64,
    since: Option<Instant>,
    /// Time of the waits that are over.
    before: Duration,
}

/// The values of [`Metrics`] at one time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PassMetrics {
    /// Requests to the cache: HTTP requests, or calls of cached functions.
    pub requests: u64,
    /// Of these, served from the cache.
    pub hits: u64,
    /// Of these, not found: nothing that could be stored.
    pub absent: u64,
    /// Requests that went to the service.
    pub upstream: u64,
    /// Bytes of bodies and results.
    pub bytes: u64,
    /// Time spent waiting for rate limits.
    pub waited: Duration,
    /// Whether a request waits for a rate limit now.
    pub is_waiting: bool,
    /// Requests that will be made in all, as far as is known.
    pub expected: u64,
}

/// The digest of a body or result that was read from the cache, or stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResponseDigest {
    /// A cache key (`GET:69ff…`), or the Redis key of a result.
    pub key: String,
    /// Of the body, or of the stored result.
    pub sha256: [u8; 32],
}

impl ResponseDigest {
    pub fn new(key: String, body: &[u8]) -> Self {
        Self { key, sha256: Sha256::digest(body).into() }
    }
}

/// A part of the data that could not be fetched.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gap {
    /// For instance `episode 6`.
    pub part: String,
    /// Why.
    pub problem: String,
}

impl Metrics {
    /// The current values.
    pub fn snapshot(&self) -> PassMetrics {
        let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let requests = of(&self.requests);
        let waits = self.waits.lock().unwrap_or_else(PoisonError::into_inner);
        PassMetrics {
            requests,
            hits: of(&self.hits),
            absent: of(&self.absent),
            upstream: of(&self.upstream),
            bytes: of(&self.bytes),
            waited: waits.before + waits.since.map_or(Duration::ZERO, |since| since.elapsed()),
            is_waiting: waits.count > 0,
            expected: of(&self.expected).max(requests),
        }
    }

    /// Digests of the responses, in their order.
    pub fn digests(&self) -> Vec<ResponseDigest> {
        self.digests.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// URLs that are not cached, of an offline pass.
    pub fn missing(&self) -> Vec<Redacted<'static>> {
        self.missing.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The parts that could not be fetched.
    pub fn gaps(&self) -> Vec<Gap> {
        self.gaps.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Announces so many more requests.
    pub fn expect(&self, more: u64) {
        self.expected.fetch_add(more, Ordering::Relaxed);
    }

    /// Counts a response of the cache.
    pub fn record_response(&self, is_hit: bool, bytes: u64, digest: Option<ResponseDigest>) {
        self.requests.fetch_add(1, Ordering::Relaxed);
        self.hits.fetch_add(is_hit.into(), Ordering::Relaxed);
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        self.digests.lock().unwrap_or_else(PoisonError::into_inner).extend(digest);
    }

    /// Counts a response that was not found and cannot be stored.
    pub fn record_absent(&self) {
        self.absent.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a request without a response.
    pub fn record_failure(&self, problem: &FetchFailure) {
        self.requests.fetch_add(1, Ordering::Relaxed);
        self.record_missing(problem);
    }

    /// Records the URL, if it is one that is not cached.
    pub fn record_missing(&self, problem: &FetchFailure) {
        if let FetchFailure::NotCached(url) = problem {
            self.missing.lock().unwrap_or_else(PoisonError::into_inner).push(url.clone());
        }
    }

    /// Records a part that could not be fetched.
    pub fn record_gap(&self, part: impl Into<String>, problem: &FetchFailure) {
        let gap = Gap { part: part.into(), problem: Secrets::Masked.text(&error_chain(problem)).into() };
        self.gaps.lock().unwrap_or_else(PoisonError::into_inner).push(gap);
    }

    /// Counts a call of a cached function.
    pub fn record_call(&self, call: Observed<'_>) {
        let bytes = call.value.map_or(0, <[u8]>::len) as u64;
        let digest = call.key.zip(call.value).map(|(key, value)| ResponseDigest::new(key.to_owned(), value));
        if call.value.is_none() {
            self.record_absent();
        }
        self.record_response(call.is_hit, bytes, digest);
    }

    /// Counts a request to the service.
    pub fn record_upstream(&self) {
        self.upstream.fetch_add(1, Ordering::Relaxed);
    }

    /// Measures a wait for a rate limit until the guard is dropped.
    pub fn start_wait(&self) -> WaitGuard<'_> {
        let mut waits = self.waits.lock().unwrap_or_else(PoisonError::into_inner);
        waits.count += 1;
        waits.since.get_or_insert_with(Instant::now);
        WaitGuard(self)
    }
}

/// Guard of a wait for a rate limit.
pub struct WaitGuard<'a>(&'a Metrics);

impl Drop for WaitGuard<'_> {
    fn drop(&mut self) {
        let mut waits = self.0.waits.lock().unwrap_or_else(PoisonError::into_inner);
        waits.count -= 1;
        if waits.count == 0
            && let Some(since) = waits.since.take()
        {
            waits.before += since.elapsed();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::advance;

    #[tokio::test(start_paused = true)]
    async fn overlapping_waits_count_once() {
        let (metrics, second) = (Metrics::default(), Duration::from_secs(1));
        let first = metrics.start_wait();
        advance(second).await;
        let other = metrics.start_wait();
        advance(second).await;
        drop(first);
        advance(second).await;
        assert_eq!((metrics.snapshot().waited, metrics.snapshot().is_waiting), (3 * second, true));
        drop(other);
        advance(second).await;
        drop(metrics.start_wait());
        assert_eq!((metrics.snapshot().waited, metrics.snapshot().is_waiting), (3 * second, false));
    }
}
