//! TODO

use std::time::Duration;

use redis::Pipeline;

pub(crate) fn expire(pipe: &mut Pipeline, key: &[u8], ttl: Option<Duration>) {
    match ttl {
        Some(ttl) => pipe.cmd("PEXPIRE").arg(key).arg(millis(ttl)),
        None => pipe.cmd("PERSIST").arg(key),
    };
}

/// Redis counts from 1970 in signed milliseconds: half of their range can be asked for at any time.
pub(crate) fn millis(ttl: Duration) -> i64 {
    const LONGEST: i64 = i64::MAX / 2;
    i64::try_from(ttl.as_millis()).map_or(LONGEST, |millis| millis.min(LONGEST))
}
