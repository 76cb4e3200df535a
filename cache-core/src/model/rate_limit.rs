//! Rate limits (sliding-window log: exact, unlike a token bucket).
//!
//! No span of a quota's period, wherever it begins, contains more slots than the quota allows. (A token bucket allows
//! almost twice as many in a period: a full bucket, and its refill.) The log keeps as many slots as the largest quota
//! counts.

use std::collections::VecDeque;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use crate::model::duration::parse_duration;

/// A maximum number of requests per period.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quota {
    /// The maximum number of requests; at least 1.
    pub requests: u32,
    /// The period; more than zero.
    pub period: Duration,
}

/// A set of quotas. Written as `3/1s,60/1m`, or `none` if it is empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RateLimit(Vec<Quota>);

/// The most slots that a log keeps.
const MAX_REQUESTS: u32 = 10_000;

/// The longest period of a quota.
const MAX_PERIOD: Duration = Duration::from_secs(86_400);

impl RateLimit {
    /// The expected format, for error messages.
    pub(crate) const EXPECTED: &'static str = "rate limits such as 3/1s,60/1m, or none";

    /// Whether there is no limit.
    pub fn is_none(&self) -> bool {
        self.0.is_empty()
    }

    /// The quotas, as they were written.
    pub fn quotas(&self) -> &[Quota] {
        &self.0
    }

    /// The number of past slots that determine the next one.
    pub(crate) fn memory(&self) -> usize {
        self.0.iter().map(|quota| quota.requests as usize).max().unwrap_or(0)
    }

    /// How long a slot affects later slots.
    #[cfg(any(feature = "redis", feature = "sqlite"))]
    pub(crate) fn max_period(&self) -> Duration {
        self.0.iter().map(|quota| quota.period).max().unwrap_or_default()
    }
}

impl FromStr for RateLimit {
    /// The expected format.
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.trim().eq_ignore_ascii_case("none") {
            return Ok(Self::default());
        }
        let quota = |text: &str| {
            let (requests, period) = text.split_once('/')?;
            let requests = requests.trim().parse().ok().filter(|requests| (1..=MAX_REQUESTS).contains(requests))?;
            let period = parse_duration(period).ok()?;
            (!period.is_zero() && period <= MAX_PERIOD).then_some(Quota { requests, period })
        };
        text.split(',').map(quota).collect::<Option<_>>().map(Self).ok_or(Self::EXPECTED)
    }
}

impl fmt::Display for RateLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_none() {
            return f.write_str("none");
        }
        for (place, Quota { requests, period }) in self.0.iter().enumerate() {
            let comma = if place == 0 { "" } else { "," };
            write!(f, "{comma}{requests}/{}", humantime::format_duration(*period))?;
        }
        Ok(())
    }
}

/// The slots that were taken under one name, and the end of its block; Unix seconds.
#[derive(Debug, Default)]
pub(crate) struct RequestLog {
    /// In ascending order. The last ones may be in the future.
    pub(crate) slots: VecDeque<f64>,
    pub(crate) blocked_until: f64,
}

impl RequestLog {
    /// The time of the next slot.
    pub(crate) fn next(&self, limit: &RateLimit, now: f64) -> f64 {
        let after = |quota: &Quota| {
            let first = self.slots.len().checked_sub(quota.requests as usize)?;
            Some(self.slots[first] + quota.period.as_secs_f64())
        };
        let last = self.slots.back().copied();
        limit.quotas().iter().filter_map(after).chain(last).fold(now.max(self.blocked_until), f64::max)
    }

    /// Takes the slot `at`.
    pub(crate) fn take(&mut self, limit: &RateLimit, at: f64) {
        self.slots.push_back(at);
        let forgotten = self.slots.len().saturating_sub(limit.memory());
        self.slots.drain(..forgotten);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_round_trip_as_text() {
        for text in ["3/1s,60/1m", "1/2s", "1/500ms", "120/1m", "none"] {
            assert_eq!(text.parse::<RateLimit>().unwrap().to_string(), text);
        }
        assert_eq!(" 3 / 1s , 60/ 60s".parse(), "3/1s,60/1m".parse::<RateLimit>());
        for text in
            ["", "3", "3/", "0/1s", "-1/1s", "3/0s", "3/2days", "20000/1s", "3/1s,", "3/1s;60/1m", "None at all"]
        {
            assert_eq!(text.parse::<RateLimit>(), Err(RateLimit::EXPECTED), "{text}");
        }
    }

    #[test]
    fn no_period_has_more_slots_than_its_quota() {
        let limit: RateLimit = "3/1s,10/10s".parse().unwrap();
        let mut turns = RequestLog::default();
        // Requests in bursts and singly: the times of the slots decide.
        let asked = (0..100).map(|number| f64::from(number / 7) * 1.7);
        let given: Vec<f64> = asked
            .map(|now| {
                let at = turns.next(&limit, now);
                turns.take(&limit, at);
                assert!(at >= now);
                at
            })
            .collect();
        for quota in limit.quotas() {
            let spans = given.windows(quota.requests as usize + 1).map(|span| span[span.len() - 1] - span[0]);
            assert!(spans.into_iter().all(|span| span >= quota.period.as_secs_f64() - 1e-9), "{quota:?}: {given:?}");
        }
        assert_eq!(given[..3], [0.0; 3]);
        assert!(given[99] > 90.0, "ten in ten seconds, and no more");
        assert!(turns.slots.len() <= 10);
    }

    #[test]
    fn a_blocked_log_waits_and_then_keeps_the_limit() {
        let limit: RateLimit = "1/2s".parse().unwrap();
        let mut turns = RequestLog { blocked_until: 30.0, ..RequestLog::default() };
        for expected in [30.0, 32.0, 34.0] {
            let at = turns.next(&limit, 5.0);
            turns.take(&limit, at);
            assert!((at - expected).abs() < 1e-9);
        }
    }
}
