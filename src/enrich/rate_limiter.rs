//! When a service may be asked: as often as its operators let it, counted over all processes that share a store, and
//! not before the time that it named itself.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use cache_core::{Limit, Memory, RateLimitStore, clock};
use http::header::RETRY_AFTER;
use http::{HeaderMap, StatusCode};
use tokio::time::{Instant, sleep, timeout};

use crate::enrich::metrics::Meter;

/// The longest that the store may take to give out a turn: then the process's own limit has to do.
const PATIENCE: Duration = Duration::from_secs(1);

/// Who would have to wait for longer is told so instead: he has not that much time himself.
const LONGEST_WAIT: Duration = Duration::from_secs(200);

/// A service is not held back for longer, whatever it says: the longest for which any of them is known to send one away.
const LONGEST_HOLD: Duration = Duration::from_secs(86_400);

/// Nobody means more than a month.
const LONGEST_WORD: Duration = Duration::from_secs(30 * 86_400);

/// With fewer requests left in a service's window, it is let be until the next one (the pipeline's rule for AniList).
const FEW: u64 = 5;

/// The window of services that say how many requests are left in it.
const WINDOW: Duration = Duration::from_secs(60);

/// The pace at one service.
pub(crate) struct Pace {
    /// Its host and port: whoever asks the same one shares the limit.
    name: String,
    limit: Limit,
    /// Turns of this process, kept to even where the store does not answer.
    own: Memory,
    /// One waits for a turn at a time: of those who give up waiting, one leaves a turn unused.
    line: tokio::sync::Mutex<()>,
    held_until: Mutex<Option<Instant>>,
}

impl Pace {
    pub(crate) fn new(name: String, limit: Limit) -> Self {
        Self { name, limit, own: Memory::default(), line: tokio::sync::Mutex::default(), held_until: Mutex::default() }
    }

    /// Waits for one's turn. Fails with the wait where that is too long.
    pub(crate) async fn turn(&self, store: &dyn RateLimitStore, meter: &Meter) -> Result<(), Duration> {
        let mut waiting = None;
        let _first = match self.line.try_lock() {
            Ok(first) => first,
            Err(_) => {
                waiting = Some(meter.waiting());
                self.line.lock().await
            }
        };
        // The service may name a time while this one waits for its turn.
        let mut wait = self.wait_for_turn(store).await.max(self.held());
        while !wait.is_zero() {
            if wait > LONGEST_WAIT {
                return Err(wait);
            }
            waiting.get_or_insert_with(|| meter.waiting());
            sleep(wait).await;
            wait = self.held();
        }
        Ok(())
    }

    /// How long until the turn that is taken hereby.
    async fn wait_for_turn(&self, store: &dyn RateLimitStore) -> Duration {
        if self.limit.is_none() {
            return Duration::ZERO;
        }
        let own = self.own.acquire_slot(&self.name, &self.limit, LONGEST_WAIT).await.unwrap_or_default();
        let shared = timeout(PATIENCE, store.acquire_slot(&self.name, &self.limit, LONGEST_WAIT)).await;
        let shared = shared.ok().and_then(Result::ok);
        // A wait that nobody can have asked for is the doing of a clock that was set.
        own.max(shared.filter(|wait| *wait <= LONGEST_HOLD + LONGEST_WAIT).unwrap_or_default())
    }

    /// Takes note of what an answer says of when to ask again, for everybody.
    pub(crate) async fn heed(&self, store: &dyn RateLimitStore, status: StatusCode, fields: &HeaderMap) {
        let Some(time) = wanted_pause(status, fields, clock::now()) else { return };
        self.hold(store, time.min(LONGEST_HOLD)).await;
    }

    /// Nobody asks from now on for so long, in whatever process.
    pub(crate) async fn hold(&self, store: &dyn RateLimitStore, time: Duration) {
        {
            let mut held_until = self.held_until.lock().unwrap_or_else(PoisonError::into_inner);
            *held_until = (*held_until).max(Some(Instant::now() + time));
        }
        if !self.limit.is_none() {
            // A store that does not answer tells the others nothing; they will hear it from the service.
            let _ = timeout(PATIENCE, store.block(&self.name, time)).await;
        }
    }

    fn held(&self) -> Duration {
        let held_until = *self.held_until.lock().unwrap_or_else(PoisonError::into_inner);
        held_until.map_or(Duration::ZERO, |until| until.saturating_duration_since(Instant::now()))
    }
}

/// How long a service wants to be let be; `now` in Unix seconds.
fn wanted_pause(status: StatusCode, fields: &HeaderMap, now: f64) -> Option<Duration> {
    let text = |name: &str| fields.get(name)?.to_str().ok().map(str::trim);
    let is_busy = matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE);
    let asked_for = if is_busy { retry_after(fields, now) } else { None };
    let is_running_out =
        text("x-ratelimit-remaining").and_then(|left| left.parse().ok()).is_some_and(|left: u64| left < FEW);
    asked_for.max(is_running_out.then_some(WINDOW))
}

/// `Retry-After`: seconds, or a date (RFC 9110, 10.2.3); `now` in Unix seconds.
pub(crate) fn retry_after(fields: &HeaderMap, now: f64) -> Option<Duration> {
    let value = fields.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = value.parse() {
        return Some(Duration::from_secs(seconds).min(LONGEST_WORD));
    }
    let date = httpdate::parse_http_date(value).ok()?.duration_since(std::time::UNIX_EPOCH).ok()?;
    Duration::try_from_secs_f64(date.as_secs_f64() - now).ok().map(|time| time.min(LONGEST_WORD))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pause(status: u16, fields: &[(&'static str, &str)]) -> Option<Duration> {
        let fields = fields.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect();
        wanted_pause(StatusCode::from_u16(status).unwrap(), &fields, 1_795_350_000.0)
    }

    #[test]
    fn a_busy_service_says_when_to_ask_again() {
        let seconds = |seconds| Some(Duration::from_secs(seconds));
        assert_eq!(pause(429, &[("retry-after", "7")]), seconds(7));
        assert_eq!(
            pause(503, &[("retry-after", "Sun, 22 Nov 2026 12:21:00 GMT")]),
            seconds(1_795_350_060 - 1_795_350_000)
        );
        assert_eq!(pause(503, &[("retry-after", "Sun, 22 Nov 2020 12:21:00 GMT")]), None);
        assert_eq!(pause(429, &[("retry-after", "18446744073709551615")]), Some(LONGEST_WORD));
        assert_eq!(pause(429, &[("retry-after", "soon")]), None);
        assert_eq!(pause(429, &[]), None);
        assert_eq!(pause(200, &[("retry-after", "7")]), None);
    }

    #[test]
    fn a_service_with_few_requests_left_is_let_be_for_its_window() {
        assert_eq!(pause(200, &[("x-ratelimit-remaining", "5")]), None);
        assert_eq!(pause(200, &[("x-ratelimit-remaining", "4")]), Some(WINDOW));
        assert_eq!(pause(429, &[("x-ratelimit-remaining", "0"), ("retry-after", "90")]), Some(Duration::from_secs(90)));
    }

    #[tokio::test]
    async fn a_pause_that_is_too_long_is_told() {
        let (pace, meter) = (Pace::new("api.example".to_owned(), "1/1s".parse().unwrap()), Meter::default());
        let store = Memory::default();
        pace.turn(&store, &meter).await.unwrap();
        let fields = [("retry-after".parse().unwrap(), "900".parse().unwrap())].into_iter().collect();
        pace.heed(&store, StatusCode::SERVICE_UNAVAILABLE, &fields).await;
        let left = pace.turn(&store, &meter).await.unwrap_err();
        assert!((890.0..=900.0).contains(&left.as_secs_f64()), "{left:?}");
        assert!(!meter.tally().is_waiting);

        // Another process hears it from the store.
        let other = Pace::new("api.example".to_owned(), "1/1s".parse().unwrap());
        assert!(other.turn(&store, &meter).await.is_err());
        // Elsewhere nobody is held back.
        Pace::new("api.other".to_owned(), "1/1s".parse().unwrap()).turn(&store, &meter).await.unwrap();
    }
}
