//! Commands that several operations send.

use std::time::Duration;

use redis::Pipeline;

pub(crate) fn set_expiry(pipe: &mut Pipeline, key: &[u8], ttl: Option<Duration>) {
    match ttl {
        Some(ttl) => pipe.cmd("PEXPIRE").arg(key).arg(millis(ttl)),
        None => pipe.cmd("PERSIST").arg(key),
    };
}

/// A TTL in milliseconds. Redis adds it to the time since 1970 in a signed number: half of its range always fits.
pub(crate) fn millis(ttl: Duration) -> i64 {
    const MAX: i64 = i64::MAX / 2;
    i64::try_from(ttl.as_millis()).map_or(MAX, |millis| millis.min(MAX))
}
