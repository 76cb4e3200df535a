//! A circuit breaker: after several consecutive failures, calls are refused until the called system has recovered.
//!
//! Pure: the caller passes the time, and decides what counts as a failure.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How an open breaker closes again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recovery {
    /// After this time one call is let through as a probe: its outcome closes the breaker, or opens it again.
    Cooldown(Duration),
    /// A probe outside the breaker calls [`CircuitBreaker::close`].
    ExternalProbe,
}

/// Closed: calls pass. Open: calls are refused. Half-open: one call passes as a probe.
#[derive(Debug)]
pub struct CircuitBreaker {
    /// This number of consecutive failures opens it.
    threshold: u32,
    /// The time that they must span.
    min_span: Duration,
    recovery: Recovery,
    state: Mutex<State>,
    /// The failures of a closed breaker, or [`NOT_CLOSED`]: read without the lock on every call.
    failures: AtomicU32,
}

const NOT_CLOSED: u32 = u32::MAX;

#[derive(Clone, Copy, Debug, PartialEq)]
enum State {
    /// `since`: the first of the consecutive failures.
    Closed { failures: u32, since: Option<Instant> },
    /// `until`: when a probe may start; `None`: not before [`CircuitBreaker::close`].
    Open { until: Option<Instant> },
    /// `since`: when the probe started.
    HalfOpen { since: Instant },
}

impl State {
    const CLOSED: Self = Self::Closed { failures: 0, since: None };

    fn time_left(self, now: Instant) -> Option<Duration> {
        match self {
            Self::Closed { .. } => None,
            Self::Open { until: None } => Some(Duration::MAX),
            Self::Open { until: Some(until) } => {
                Some(until.saturating_duration_since(now)).filter(|left| !left.is_zero())
            }
            Self::HalfOpen { .. } => Some(Duration::ZERO),
        }
    }
}

impl CircuitBreaker {
    /// A closed breaker that opens after `threshold` consecutive failures.
    pub fn new(threshold: u32, recovery: Recovery) -> Self {
        let state = Mutex::new(State::CLOSED);
        Self { threshold, min_span: Duration::ZERO, recovery, state, failures: AtomicU32::new(0) }
    }

    /// Opens only if the consecutive failures span at least this time: calls at once may fail for one reason.
    #[must_use]
    pub fn spanning(self, min_span: Duration) -> Self {
        Self { min_span, ..self }
    }

    /// Whether it is open or half-open.
    pub fn is_open(&self) -> bool {
        self.failures.load(Ordering::Relaxed) == NOT_CLOSED
    }

    /// How long calls are still refused; `None` if a call may be made now. Zero while a probe runs, and
    /// [`Duration::MAX`] where an external probe decides.
    pub fn time_left(&self, now: Instant) -> Option<Duration> {
        if self.is_open() { self.state().time_left(now) } else { None }
    }

    /// Permission for one call; if calls are refused, the time left as in [`Self::time_left`].
    pub fn try_acquire(&self, now: Instant) -> Result<CallPermit<'_>, Duration> {
        if !self.is_open() {
            return Ok(CallPermit { breaker: self, is_probe: false });
        }
        let mut state = self.state();
        if let Some(left) = state.time_left(now) {
            return Err(left);
        }
        let is_probe = !matches!(*state, State::Closed { .. });
        if is_probe {
            self.set(&mut state, State::HalfOpen { since: now });
        }
        drop(state);
        Ok(CallPermit { breaker: self, is_probe })
    }

    /// A call succeeded. Changes nothing unless the breaker is closed: the call began before it opened.
    pub fn record_success(&self) {
        // Usually only a read: this is on the path of every lookup.
        if self.failures.load(Ordering::Relaxed) != 0 {
            self.transition(false, |_, _| State::CLOSED);
        }
    }

    /// A call failed; returns whether this opened the breaker. Changes nothing unless it is closed.
    pub fn record_failure(&self, now: Instant) -> bool {
        self.fail(false, now)
    }

    /// Opens it, whatever its state.
    pub fn open(&self, now: Instant) {
        let opened = self.opened(now);
        self.set(&mut self.state(), opened);
    }

    /// Closes it, whatever its state.
    pub fn close(&self) {
        self.set(&mut self.state(), State::CLOSED);
    }

    fn fail(&self, is_probe: bool, now: Instant) -> bool {
        self.transition(is_probe, |failures, since| {
            let (failures, since) = (failures.saturating_add(1), since.unwrap_or(now));
            let is_long = is_probe || now.saturating_duration_since(since) >= self.min_span;
            if failures >= self.threshold && is_long {
                self.opened(now)
            } else {
                // Never the number that stands for another state.
                State::Closed { failures: failures.min(NOT_CLOSED - 1), since: Some(since) }
            }
        })
    }

    fn opened(&self, now: Instant) -> State {
        match self.recovery {
            Recovery::Cooldown(time) => State::Open { until: Some(now + time) },
            Recovery::ExternalProbe => State::Open { until: None },
        }
    }

    /// Sets the next state, which `next` derives from the number of failures; returns whether it is an open one.
    fn transition(&self, is_probe: bool, next: impl FnOnce(u32, Option<Instant>) -> State) -> bool {
        let mut state = self.state();
        let next = match *state {
            State::Closed { failures, since } => next(failures, since),
            State::HalfOpen { .. } if is_probe => next(self.threshold, None),
            // It opened after this call began: the outcome of the call is outdated.
            State::Open { .. } | State::HalfOpen { .. } => return false,
        };
        self.set(&mut state, next);
        matches!(next, State::Open { .. })
    }

    fn set(&self, state: &mut State, next: State) {
        *state = next;
        let failures = if let State::Closed { failures, .. } = next { failures } else { NOT_CLOSED };
        self.failures.store(failures, Ordering::Relaxed);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Permission for one call. Dropped without `record_…`, the breaker's state does not change.
#[derive(Debug)]
#[must_use = "a permit that is dropped records nothing"]
pub struct CallPermit<'a> {
    breaker: &'a CircuitBreaker,
    is_probe: bool,
}

impl CallPermit<'_> {
    /// The call succeeded: the breaker is closed, unless it opened after the call began.
    pub fn record_success(mut self) {
        let is_probe = std::mem::take(&mut self.is_probe);
        if is_probe {
            self.breaker.transition(true, |_, _| State::CLOSED);
        } else {
            self.breaker.record_success();
        }
    }

    /// The call failed; returns whether this opened the breaker.
    pub fn record_failure(mut self, now: Instant) -> bool {
        let is_probe = std::mem::take(&mut self.is_probe);
        self.breaker.fail(is_probe, now)
    }
}

impl Drop for CallPermit<'_> {
    /// A cancelled probe: the next call may probe at once.
    fn drop(&mut self) {
        if self.is_probe {
            let mut state = self.breaker.state();
            if let State::HalfOpen { since } = *state {
                self.breaker.set(&mut state, State::Open { until: Some(since) });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COOLDOWN: Duration = Duration::from_secs(300);

    fn with_cooldown() -> CircuitBreaker {
        CircuitBreaker::new(5, Recovery::Cooldown(COOLDOWN))
    }

    fn fail(breaker: &CircuitBreaker, now: Instant, times: u32) {
        for _ in 0..times {
            breaker.try_acquire(now).expect("it is closed").record_failure(now);
        }
    }

    #[test]
    fn threshold_of_failures_opens_for_the_cooldown() {
        let (breaker, now) = (with_cooldown(), Instant::now());
        fail(&breaker, now, 4);
        breaker.try_acquire(now).expect("four are below the threshold").record_success();
        fail(&breaker, now, 5);
        assert_eq!(breaker.try_acquire(now).err(), Some(COOLDOWN));
        assert_eq!(breaker.time_left(now + COOLDOWN / 2), Some(COOLDOWN / 2));
        assert!(breaker.is_open());
    }

    #[test]
    fn one_probe_after_the_cooldown_decides() {
        let (breaker, mut now) = (with_cooldown(), Instant::now());
        breaker.open(now);
        now += COOLDOWN;
        let probe = breaker.try_acquire(now).expect("the cooldown is over");
        assert_eq!(breaker.try_acquire(now).err(), Some(Duration::ZERO), "one probe at a time");
        assert!(probe.record_failure(now));
        assert_eq!(breaker.time_left(now), Some(COOLDOWN));

        now += COOLDOWN;
        drop(breaker.try_acquire(now));
        breaker.try_acquire(now).expect("the probe before was cancelled").record_success();
        fail(&breaker, now, 4);
        assert_eq!(breaker.time_left(now), None);
    }

    #[test]
    fn late_outcomes_change_nothing() {
        let (breaker, now) = (with_cooldown(), Instant::now());
        let late = [breaker.try_acquire(now), breaker.try_acquire(now)].map(|permit| permit.expect("it is closed"));
        breaker.open(now);
        let [success, failure] = late;
        success.record_success();
        assert!(!failure.record_failure(now));
        breaker.record_success();
        assert_eq!(breaker.time_left(now), Some(COOLDOWN));
    }

    #[test]
    fn failures_at_once_do_not_open_it_if_they_must_span_a_time() {
        let span = Duration::from_secs(2);
        let (breaker, now) = (CircuitBreaker::new(3, Recovery::ExternalProbe).spanning(span), Instant::now());
        for _ in 0..50 {
            assert!(!breaker.record_failure(now));
        }
        assert!(!breaker.record_failure(now + span / 2));
        breaker.record_success();
        assert!(!breaker.record_failure(now + span), "a success ends the row");
        assert!(!breaker.record_failure(now + span * 2), "two are below the threshold");
        assert!(breaker.record_failure(now + span * 2));
    }

    #[test]
    fn external_probe_alone_closes() {
        let (breaker, now) = (CircuitBreaker::new(2, Recovery::ExternalProbe), Instant::now());
        assert!(!breaker.record_failure(now));
        breaker.record_success();
        assert!(!breaker.record_failure(now));
        assert!(breaker.record_failure(now), "the second in a row opens it");
        assert!(!breaker.record_failure(now), "it was open already");
        breaker.record_success();
        assert_eq!(breaker.try_acquire(now + COOLDOWN).err(), Some(Duration::MAX));
        breaker.close();
        assert!(!breaker.is_open());
        assert!(!breaker.record_failure(now), "counting starts from zero");
    }
}
