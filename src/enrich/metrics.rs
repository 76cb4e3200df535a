//! What a service was asked, counted while it happens: for the progress, and for the report.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use cache_core::{Observed, chain};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use tokio::time::Instant;

use crate::enrich::error::Problem;

/// The counts of one service in one pass. Whoever shows progress reads them as often as he likes.
#[derive(Debug, Default)]
pub struct Meter {
    requests: AtomicU64,
    hits: AtomicU64,
    absent: AtomicU64,
    upstream: AtomicU64,
    bytes: AtomicU64,
    waits: Mutex<Waits>,
    expected: AtomicU64,
    touched: Mutex<Vec<Touched>>,
    missing: Mutex<Vec<String>>,
    gaps: Mutex<Vec<Gap>>,
}

/// Waits for permission. Many requests may wait at the same time, which takes no longer than one of them.
#[derive(Debug, Default)]
struct Waits {
    /// How many wait now, and since when there is one.
    count: u64,
    since: Option<Instant>,
    /// How long there was one before that.
    before: Duration,
}

/// What a meter shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Asked of the cache: HTTP requests, or calls of functions whose results are cached.
    pub requests: u64,
    /// Of these, answered from the cache.
    pub hits: u64,
    /// Of these, answered with nothing that could be stored: not found.
    pub absent: u64,
    /// Requests that went to the service.
    pub upstream: u64,
    /// Bytes of the answers.
    pub bytes: u64,
    /// For how long somebody waited for permission.
    pub waited: Duration,
    /// Whether somebody waits for permission now.
    pub is_waiting: bool,
    /// How many requests there will be in all, as far as is known by now.
    pub expected: u64,
}

/// An entry of the cache that answered, or was stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Touched {
    /// A cache key (`GET:69ff…`), or the Redis key of a result.
    pub key: String,
    /// Of the body, or of the result as it is stored.
    pub sha256: [u8; 32],
}

impl Touched {
    pub fn new(key: String, body: &[u8]) -> Self {
        Self { key, sha256: Sha256::digest(body).into() }
    }
}

/// A part of what a service has of an anime that could not be had.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gap {
    /// What it is: `episode 6`.
    pub part: String,
    /// Why.
    pub problem: String,
}

impl Meter {
    /// What it shows now.
    pub fn tally(&self) -> Tally {
        let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let requests = of(&self.requests);
        let waits = self.waits.lock().unwrap_or_else(PoisonError::into_inner);
        Tally {
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

    /// What was asked for, in the order of the answers.
    pub fn touched(&self) -> Vec<Touched> {
        self.touched.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The URLs that nobody may be asked for, and that are not cached.
    pub fn missing(&self) -> Vec<String> {
        self.missing.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The parts that could not be had, though nobody says that there are none.
    pub fn gaps(&self) -> Vec<Gap> {
        self.gaps.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// So many more requests are to come.
    pub fn expect(&self, more: u64) {
        self.expected.fetch_add(more, Ordering::Relaxed);
    }

    /// A request of the cache was answered.
    pub fn answered(&self, is_hit: bool, bytes: u64, touched: Option<Touched>) {
        self.requests.fetch_add(1, Ordering::Relaxed);
        self.hits.fetch_add(is_hit.into(), Ordering::Relaxed);
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        self.touched.lock().unwrap_or_else(PoisonError::into_inner).extend(touched);
    }

    /// What was asked for last is not there, and so it cannot be stored.
    pub fn found_nothing(&self) {
        self.absent.fetch_add(1, Ordering::Relaxed);
    }

    /// A request of the cache found no answer at all.
    pub fn failed(&self, problem: &Problem) {
        self.requests.fetch_add(1, Ordering::Relaxed);
        self.lacks(problem);
    }

    /// Takes note of a URL that is not cached, if that is the problem.
    pub fn lacks(&self, problem: &Problem) {
        if let Problem::NotCached(url) = problem {
            self.missing.lock().unwrap_or_else(PoisonError::into_inner).push(url.clone());
        }
    }

    /// Takes note of a part that could not be had.
    pub fn leaves_out(&self, part: impl Into<String>, problem: &Problem) {
        let gap = Gap { part: part.into(), problem: chain(problem) };
        self.gaps.lock().unwrap_or_else(PoisonError::into_inner).push(gap);
    }

    /// A function whose results are cached was called.
    pub fn called(&self, call: Observed<'_>) {
        let bytes = call.value.map_or(0, <[u8]>::len) as u64;
        let touched = call.key.zip(call.value).map(|(key, value)| Touched::new(key.to_owned(), value));
        if call.value.is_none() {
            self.found_nothing();
        }
        self.answered(call.is_hit, bytes, touched);
    }

    /// A request went to the service.
    pub fn went_upstream(&self) {
        self.upstream.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts what is waited for permission until what this returns is dropped.
    pub fn waiting(&self) -> Waiting<'_> {
        let mut waits = self.waits.lock().unwrap_or_else(PoisonError::into_inner);
        waits.count += 1;
        waits.since.get_or_insert_with(Instant::now);
        Waiting(self)
    }
}

/// Somebody waits for permission.
pub struct Waiting<'a>(&'a Meter);

impl Drop for Waiting<'_> {
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
    async fn waits_at_the_same_time_are_not_added_up() {
        let (meter, second) = (Meter::default(), Duration::from_secs(1));
        let first = meter.waiting();
        advance(second).await;
        let other = meter.waiting();
        advance(second).await;
        drop(first);
        advance(second).await;
        assert_eq!((meter.tally().waited, meter.tally().is_waiting), (3 * second, true));
        drop(other);
        advance(second).await;
        drop(meter.waiting());
        assert_eq!((meter.tally().waited, meter.tally().is_waiting), (3 * second, false));
    }
}
