//! [`OwnSlots`]: the rate limit slots of this process, whichever store granted them.
//!
//! Each store counts only the slots that it granted itself: a switch to the other one would restart the count.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::model::rate_limit::{RateLimit, RequestLog};

/// The number of names that are counted; for others the store in use decides alone.
const MAX_NAMES: usize = 1_024;

#[derive(Default)]
pub(crate) struct OwnSlots(Mutex<HashMap<String, RequestLog>>);

impl OwnSlots {
    /// The wait until a slot that the store in use grants after `wait`, and that the slots of this process allow. It is
    /// taken unless the wait exceeds `max_wait`. `now` in Unix seconds.
    pub(crate) fn take(&self, name: &str, limit: &RateLimit, wait: Duration, max_wait: Duration, now: f64) -> Duration {
        let mut logs = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if logs.len() >= MAX_NAMES && !logs.contains_key(name) {
            return wait;
        }
        let log = logs.entry(name.to_owned()).or_default();
        let at = log.next(limit, now).max(now + wait.as_secs_f64());
        let wait = Duration::try_from_secs_f64(at - now).unwrap_or(Duration::MAX);
        if wait <= max_wait {
            log.take(limit, at);
        }
        wait
    }

    /// Allows no slot before `until`, in Unix seconds.
    pub(crate) fn block(&self, name: &str, until: f64) {
        let mut logs = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(log) = logs.get_mut(name) {
            log.blocked_until = log.blocked_until.max(until);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_of_another_store_count_on() {
        let (slots, limit) = (OwnSlots::default(), "2/1m".parse().unwrap());
        let minute = Duration::from_secs(60);
        let take = |granted: Duration, now: f64| slots.take("host", &limit, granted, minute, now);
        assert_eq!(take(Duration::ZERO, 1_000.0), Duration::ZERO);
        assert_eq!(take(Duration::ZERO, 1_010.0), Duration::ZERO);
        // The store that is in use now knows of none of them.
        assert_eq!(take(Duration::ZERO, 1_020.0), Duration::from_secs(40));
        assert_eq!(take(Duration::from_secs(55), 1_020.0), Duration::from_secs(55));
        slots.block("host", 1_200.0);
        assert_eq!(take(Duration::ZERO, 1_150.0), Duration::from_secs(50));
    }

    #[test]
    fn the_number_of_names_is_bounded() {
        let (slots, limit) = (OwnSlots::default(), "1/1m".parse().unwrap());
        for name in 0..2 * MAX_NAMES {
            slots.take(&name.to_string(), &limit, Duration::ZERO, Duration::MAX, 0.0);
        }
        assert_eq!(slots.0.lock().unwrap().len(), MAX_NAMES);
    }
}
