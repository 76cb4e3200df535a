//! Commands that several operations send.

use std::time::Duration;

use redis::Pipeline;

pub(crate) fn set_expiry(pipe: &mut Pipeline, key: &[u8], ttl: Option<Duration>) {
    match ttl {
        Some(ttl) => pipe.cmd("PEXPIRE").arg(key).arg(millis(ttl)),
        None => pipe.cmd("PERSIST").arg(key),
    };
}

/// The longest TTL in milliseconds: Redis adds it to the time since 1970 in a signed number, and half of its range
/// always fits.
pub(crate) const MAX_MILLIS: i64 = i64::MAX / 2;

/// A TTL in milliseconds.
pub(crate) fn millis(ttl: Duration) -> i64 {
    i64::try_from(ttl.as_millis()).map_or(MAX_MILLIS, |millis| millis.min(MAX_MILLIS))
}
