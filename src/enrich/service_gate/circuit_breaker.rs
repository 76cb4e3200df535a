//! The circuit breaker of a service: after several failures in a row, or a ban, no request is sent for a while.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// As in the pipeline.
const FAILURE_THRESHOLD: u32 = 5;

/// The time that the breaker stays open, as in the pipeline.
pub(crate) const COOLDOWN: Duration = Duration::from_secs(300);

/// The circuit breaker of one service.
#[derive(Default)]
pub(crate) struct CircuitBreaker(Mutex<State>);

#[derive(Clone, Copy, Debug, PartialEq)]
enum State {
    /// Requests go through; so many have failed in a row.
    Closed { failures: u32 },
    /// No request goes through until then; the next one is the probe.
    Open { until: Instant },
    /// The probe is in flight; no other request goes through.
    HalfOpen,
}

impl Default for State {
    fn default() -> Self {
        Self::Closed { failures: 0 }
    }
}

impl State {
    fn cooldown_left(self) -> Option<Duration> {
        match self {
            Self::Closed { .. } => None,
            Self::Open { until } => {
                Some(until.saturating_duration_since(Instant::now())).filter(|left| !left.is_zero())
            }
            Self::HalfOpen => Some(Duration::ZERO),
        }
    }
}

/// Permission for one request. Dropped without `record_…`, the breaker's state does not change.
pub(crate) struct CallPermit<'a> {
    breaker: &'a CircuitBreaker,
    is_probe: bool,
}

impl CircuitBreaker {
    /// The remaining time of an open breaker; `None`: it is closed, or the next request is the probe.
    pub(crate) fn cooldown_left(&self) -> Option<Duration> {
        self.state().cooldown_left()
    }

    /// Permission for a request now; else how long the breaker stays open.
    pub(crate) fn try_acquire(&self) -> Result<CallPermit<'_>, Duration> {
        let mut state = self.state();
        if let Some(left) = state.cooldown_left() {
            return Err(left);
        }
        let is_probe = !matches!(*state, State::Closed { .. });
        if is_probe {
            *state = State::HalfOpen;
        }
        drop(state);
        Ok(CallPermit { breaker: self, is_probe })
    }

    /// Opens the breaker at once: the service banned this client.
    pub(crate) fn open(&self) {
        *self.state() = State::Open { until: Instant::now() + COOLDOWN };
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl CallPermit<'_> {
    pub(crate) fn record_success(self) {
        self.transition(|_| State::default());
    }

    pub(crate) fn record_failure(self) {
        self.transition(|failures| {
            if failures + 1 < FAILURE_THRESHOLD {
                State::Closed { failures: failures + 1 }
            } else {
                State::Open { until: Instant::now() + COOLDOWN }
            }
        });
    }

    /// Moves to the state that `next` makes of the number of failures so far.
    fn transition(mut self, next: impl FnOnce(u32) -> State) {
        let was_probe = std::mem::take(&mut self.is_probe);
        let mut state = self.breaker.state();
        *state = match *state {
            State::Closed { failures } => next(failures),
            State::HalfOpen if was_probe => next(FAILURE_THRESHOLD),
            // The breaker opened after this request was sent: its outcome is out of date.
            state => state,
        };
    }
}

impl Drop for CallPermit<'_> {
    /// A canceled probe: the next request is the probe.
    fn drop(&mut self) {
        if self.is_probe {
            let mut state = self.breaker.state();
            if *state == State::HalfOpen {
                *state = State::Open { until: Instant::now() };
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fail(breaker: &CircuitBreaker, times: u32) {
        for _ in 0..times {
            breaker.try_acquire().expect("the breaker is closed").record_failure();
        }
    }

    #[tokio::test(start_paused = true)]
    async fn breaker_after_five_failures_in_a_row_opens_for_cooldown() {
        let breaker = CircuitBreaker::default();
        fail(&breaker, 4);
        breaker.try_acquire().expect("four are not enough").record_success();
        fail(&breaker, 5);
        assert_eq!(breaker.try_acquire().err(), Some(COOLDOWN));
        tokio::time::advance(COOLDOWN / 2).await;
        assert_eq!(breaker.cooldown_left(), Some(COOLDOWN / 2));
    }

    #[tokio::test(start_paused = true)]
    async fn breaker_after_cooldown_allows_one_probe() {
        let breaker = CircuitBreaker::default();
        breaker.open();
        tokio::time::advance(COOLDOWN).await;
        let probe = breaker.try_acquire().expect("the cooldown is over");
        assert_eq!(breaker.try_acquire().err(), Some(Duration::ZERO), "one probe at a time");
        probe.record_failure();
        assert_eq!(breaker.cooldown_left(), Some(COOLDOWN));

        tokio::time::advance(COOLDOWN).await;
        drop(breaker.try_acquire());
        let probe = breaker.try_acquire().expect("the probe before was canceled");
        probe.record_success();
        fail(&breaker, 4);
        assert_eq!(breaker.cooldown_left(), None);
    }

    #[tokio::test(start_paused = true)]
    async fn outcome_after_breaker_opened_is_ignored() {
        let breaker = CircuitBreaker::default();
        let late = [breaker.try_acquire(), breaker.try_acquire()].map(|permit| permit.expect("the breaker is closed"));
        breaker.open();
        let [works, fails] = late;
        works.record_success();
        fails.record_failure();
        assert_eq!(breaker.cooldown_left(), Some(COOLDOWN));
    }
}
