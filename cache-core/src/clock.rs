//! The system clock.

use std::time::{SystemTime, UNIX_EPOCH};

/// Unix seconds, as in hishel.
#[expect(clippy::disallowed_methods, reason = "the one place that reads the wall clock")]
pub fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64())
}
