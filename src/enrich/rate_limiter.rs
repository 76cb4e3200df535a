//! The rate limiter of a service: its published limit, shared by all processes on one store, and `Retry-After`.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, UNIX_EPOCH};

use cache_core::{Memory, RateLimit, RateLimitStore, clock};
use http::header::RETRY_AFTER;
use http::{HeaderMap, StatusCode};
use tokio::time::{Instant, sleep, timeout};

use crate::enrich::metrics::Metrics;

/// A store that takes longer is not waited for: the limit of this process applies alone.
const STORE_TIMEOUT: Duration = Duration::from_secs(1);

/// A longer wait fails at once: it would exceed the time limit of the service.
const MAX_WAIT: Duration = Duration::from_secs(200);

/// The longest time for which a service is blocked: the longest ban that any of them is known for.
const MAX_BLOCK: Duration = Duration::from_secs(86_400);

/// The largest `Retry-After` that is believed; a larger one is a mistake of the service.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(30 * 86_400);

/// With fewer requests left in the window of a service, the next request waits for the next window (the pipeline's
/// rule for AniList).
const LOW_REMAINING: u64 = 5;

/// The window of services that send `X-RateLimit-Remaining`.
const WINDOW: Duration = Duration::from_secs(60);

/// The rate limiter of one service.
pub(crate) struct RateLimiter {
    /// Host and port: all clients of one server share its limit.
    name: String,
    limit: RateLimit,
    /// The slots of this process, which apply even if the store does not respond.
    own: Memory,
    /// One request waits for a slot at a time: of several that are canceled, one slot at most stays unused.
    queue: tokio::sync::Mutex<()>,
    blocked_until: Mutex<Option<Instant>>,
}

impl RateLimiter {
    pub(crate) fn new(name: String, limit: RateLimit) -> Self {
        Self {
            name,
            limit,
            own: Memory::default(),
            queue: tokio::sync::Mutex::default(),
            blocked_until: Mutex::default(),
        }
    }

    /// Waits for a slot. Fails with the wait if it is too long.
    pub(crate) async fn acquire(&self, store: &dyn RateLimitStore, metrics: &Metrics) -> Result<(), Duration> {
        let mut waiting = None;
        let _first = match self.queue.try_lock() {
            Ok(first) => first,
            Err(_) => {
                waiting = Some(metrics.start_wait());
                self.queue.lock().await
            }
        };
        // The service may block requests while this one waits.
        let mut wait = self.next_slot(store).await.max(self.blocked_for());
        while !wait.is_zero() {
            if wait > MAX_WAIT {
                return Err(wait);
            }
            waiting.get_or_insert_with(|| metrics.start_wait());
            sleep(wait).await;
            wait = self.blocked_for();
        }
        Ok(())
    }

    /// Takes the next slot; the wait until it.
    async fn next_slot(&self, store: &dyn RateLimitStore) -> Duration {
        if self.limit.is_none() {
            return Duration::ZERO;
        }
        let own = self.own.acquire_slot(&self.name, &self.limit, MAX_WAIT).await.unwrap_or_default();
        let shared = timeout(STORE_TIMEOUT, store.acquire_slot(&self.name, &self.limit, MAX_WAIT)).await;
        let shared = shared.ok().and_then(Result::ok);
        // A longer wait than any that is possible comes from a clock that was set.
        own.max(shared.filter(|wait| *wait <= MAX_BLOCK + MAX_WAIT).unwrap_or_default())
    }

    /// Blocks requests in all processes for as long as a response requires.
    pub(crate) async fn observe(&self, store: &dyn RateLimitStore, status: StatusCode, fields: &HeaderMap) {
        let Some(time) = retry_delay(status, fields, clock::now()) else { return };
        self.block(store, time.min(MAX_BLOCK)).await;
    }

    /// Sends no request for so long, in any process.
    pub(crate) async fn block(&self, store: &dyn RateLimitStore, time: Duration) {
        {
            let mut blocked_until = self.blocked_until.lock().unwrap_or_else(PoisonError::into_inner);
            *blocked_until = (*blocked_until).max(Some(Instant::now() + time));
        }
        if !self.limit.is_none() {
            // If the store fails, other processes get the same response from the service.
            let _ = timeout(STORE_TIMEOUT, store.block(&self.name, time)).await;
        }
    }

    fn blocked_for(&self) -> Duration {
        let blocked_until = *self.blocked_until.lock().unwrap_or_else(PoisonError::into_inner);
        blocked_until.map_or(Duration::ZERO, |until| until.saturating_duration_since(Instant::now()))
    }
}

/// The wait before the next request; `now` in Unix seconds.
fn retry_delay(status: StatusCode, fields: &HeaderMap, now: f64) -> Option<Duration> {
    let text = |name: &str| fields.get(name)?.to_str().ok().map(str::trim);
    let is_busy = matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE);
    let asked_for = if is_busy { retry_after(fields, now) } else { None };
    let is_running_out =
        text("x-ratelimit-remaining").and_then(|left| left.parse().ok()).is_some_and(|left: u64| left < LOW_REMAINING);
    asked_for.max(is_running_out.then_some(WINDOW))
}

/// `Retry-After`: seconds, or a date (RFC 9110, 10.2.3); `now` in Unix seconds.
pub(crate) fn retry_after(fields: &HeaderMap, now: f64) -> Option<Duration> {
    let value = fields.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = value.parse() {
        return Some(Duration::from_secs(seconds).min(MAX_RETRY_AFTER));
    }
    let date = httpdate::parse_http_date(value).ok()?;
    let now = UNIX_EPOCH + Duration::try_from_secs_f64(now).ok()?;
    date.duration_since(now).ok().map(|time| time.min(MAX_RETRY_AFTER))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pause(status: u16, fields: &[(&'static str, &str)]) -> Option<Duration> {
        let fields = fields.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect();
        retry_delay(StatusCode::from_u16(status).unwrap(), &fields, 1_795_350_000.0)
    }

    #[test]
    fn retry_after_of_busy_service_is_read() {
        let seconds = |seconds| Some(Duration::from_secs(seconds));
        assert_eq!(pause(429, &[("retry-after", "7")]), seconds(7));
        assert_eq!(
            pause(503, &[("retry-after", "Sun, 22 Nov 2026 12:21:00 GMT")]),
            seconds(1_795_350_060 - 1_795_350_000)
        );
        assert_eq!(pause(503, &[("retry-after", "Sun, 22 Nov 2020 12:21:00 GMT")]), None);
        assert_eq!(pause(429, &[("retry-after", "18446744073709551615")]), Some(MAX_RETRY_AFTER));
        assert_eq!(pause(429, &[("retry-after", "soon")]), None);
        assert_eq!(pause(429, &[]), None);
        assert_eq!(pause(200, &[("retry-after", "7")]), None);
    }

    #[test]
    fn low_remaining_requests_wait_for_next_window() {
        assert_eq!(pause(200, &[("x-ratelimit-remaining", "5")]), None);
        assert_eq!(pause(200, &[("x-ratelimit-remaining", "4")]), Some(WINDOW));
        assert_eq!(pause(429, &[("x-ratelimit-remaining", "0"), ("retry-after", "90")]), Some(Duration::from_secs(90)));
    }

    #[tokio::test]
    async fn acquire_with_too_long_block_fails_with_wait() {
        let (limiter, metrics) =
            (RateLimiter::new("api.example".to_owned(), "1/1s".parse().unwrap()), Metrics::default());
        let store = Memory::default();
        limiter.acquire(&store, &metrics).await.unwrap();
        let fields = [("retry-after".parse().unwrap(), "900".parse().unwrap())].into_iter().collect();
        limiter.observe(&store, StatusCode::SERVICE_UNAVAILABLE, &fields).await;
        let left = limiter.acquire(&store, &metrics).await.unwrap_err();
        assert!((890.0..=900.0).contains(&left.as_secs_f64()), "{left:?}");
        assert!(!metrics.snapshot().is_waiting);

        // Another process reads it from the store.
        let other = RateLimiter::new("api.example".to_owned(), "1/1s".parse().unwrap());
        assert!(other.acquire(&store, &metrics).await.is_err());
        // Other services are not blocked.
        RateLimiter::new("api.other".to_owned(), "1/1s".parse().unwrap()).acquire(&store, &metrics).await.unwrap();
    }
}
