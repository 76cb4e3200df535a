//! Which services are left alone: those that failed several times in a row, and those that sent us away.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// The pipeline's threshold.
const MOST_FAILURES: u32 = 5;

/// How long a service is left alone, as in the pipeline.
pub(crate) const REST: Duration = Duration::from_secs(300);

/// What is known of one service.
#[derive(Default)]
pub(crate) struct Breaker(Mutex<State>);

#[derive(Clone, Copy, Debug, PartialEq)]
enum State {
    /// Asked by everybody; it failed so many times in a row.
    Closed { failures: u32 },
    /// Asked by nobody until then, and then by one.
    Open { until: Instant },
    /// Asked by one, who is to find out how it is.
    Probed,
}

impl Default for State {
    fn default() -> Self {
        Self::Closed { failures: 0 }
    }
}

impl State {
    fn left(self) -> Option<Duration> {
        match self {
            Self::Closed { .. } => None,
            Self::Open { until } => {
                Some(until.saturating_duration_since(Instant::now())).filter(|left| !left.is_zero())
            }
            Self::Probed => Some(Duration::ZERO),
        }
    }
}

/// Leave to ask once. Dropped without a word, nothing was learnt.
pub(crate) struct Leave<'a> {
    breaker: &'a Breaker,
    is_probe: bool,
}

impl Breaker {
    /// How long the service is left alone from now on, if it is.
    pub(crate) fn left(&self) -> Option<Duration> {
        self.state().left()
    }

    /// Leave to ask the service now; else for how long it is left alone.
    pub(crate) fn leave(&self) -> Result<Leave<'_>, Duration> {
        let mut state = self.state();
        if let Some(left) = state.left() {
            return Err(left);
        }
        let is_probe = !matches!(*state, State::Closed { .. });
        if is_probe {
            *state = State::Probed;
        }
        drop(state);
        Ok(Leave { breaker: self, is_probe })
    }

    /// The service wants to be left alone.
    pub(crate) fn open(&self) {
        *self.state() = State::Open { until: Instant::now() + REST };
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Leave<'_> {
    /// The service answered.
    pub(crate) fn worked(self) {
        self.learnt(|_| State::default());
    }

    /// The service failed.
    pub(crate) fn failed(self) {
        self.learnt(|failures| {
            if failures + 1 < MOST_FAILURES {
                State::Closed { failures: failures + 1 }
            } else {
                State::Open { until: Instant::now() + REST }
            }
        });
    }

    /// What follows, by how often the service had failed.
    fn learnt(mut self, next: impl FnOnce(u32) -> State) {
        let was_probe = std::mem::take(&mut self.is_probe);
        let mut state = self.breaker.state();
        *state = match *state {
            State::Closed { failures } => next(failures),
            State::Probed if was_probe => next(MOST_FAILURES),
            // Opened since this was asked: what it learnt is out of date.
            state => state,
        };
    }
}

impl Drop for Leave<'_> {
    /// A probe that was given up: the next one may try.
    fn drop(&mut self) {
        if self.is_probe {
            let mut state = self.breaker.state();
            if *state == State::Probed {
                *state = State::Open { until: Instant::now() };
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fail(breaker: &Breaker, times: u32) {
        for _ in 0..times {
            breaker.leave().expect("it is closed").failed();
        }
    }

    #[tokio::test(start_paused = true)]
    async fn five_failures_in_a_row_open_it_for_five_minutes() {
        let breaker = Breaker::default();
        fail(&breaker, 4);
        breaker.leave().expect("four are not enough").worked();
        fail(&breaker, 5);
        assert_eq!(breaker.leave().err(), Some(REST));
        tokio::time::advance(REST / 2).await;
        assert_eq!(breaker.left(), Some(REST / 2));
    }

    #[tokio::test(start_paused = true)]
    async fn one_finds_out_whether_the_service_is_back() {
        let breaker = Breaker::default();
        breaker.open();
        tokio::time::advance(REST).await;
        let probe = breaker.leave().expect("its time is over");
        assert_eq!(breaker.leave().err(), Some(Duration::ZERO), "one is enough");
        probe.failed();
        assert_eq!(breaker.left(), Some(REST));

        tokio::time::advance(REST).await;
        drop(breaker.leave());
        let probe = breaker.leave().expect("the one before gave up");
        probe.worked();
        fail(&breaker, 4);
        assert_eq!(breaker.left(), None);
    }

    #[tokio::test(start_paused = true)]
    async fn late_answers_change_nothing() {
        let breaker = Breaker::default();
        let late = [breaker.leave(), breaker.leave()].map(|leave| leave.expect("it is closed"));
        breaker.open();
        let [works, fails] = late;
        works.worked();
        fails.failed();
        assert_eq!(breaker.left(), Some(REST));
    }
}
