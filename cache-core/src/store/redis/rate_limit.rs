//! Rate limits: a list of the last slots, in microseconds of the server's clock, and the time until which slots are
//! blocked. Both keys expire when they no longer limit anything.

use std::sync::LazyLock;
use std::time::Duration;

use crate::error::{Error, Result};
use crate::model::rate_limit::RateLimit;
use crate::store::redis::connection::Connection;
use crate::store::redis::script::Script;
use crate::store::redis::{layout, reply};

/// The algorithm of [`RequestLog`](crate::model::rate_limit::RequestLog), which this script implements again: change
/// both together. `KEYS`: the slots, the block; `ARGV`: the longest wait, the number of slots to keep, for how long,
/// and then the number and the period of each quota. Returns the wait. Times are microseconds; only numbers written
/// with `%.0f` keep all their digits.
static ACQUIRE_SLOT: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        "the script for rate limits",
        "local time = redis.call('TIME')
         local now = time[1] * 1000000 + time[2]
         local at = math.max(now, redis.call('GET', KEYS[2]) or 0, redis.call('LINDEX', KEYS[1], -1) or 0)
         for i = 4, #ARGV, 2 do
           local first = redis.call('LINDEX', KEYS[1], -ARGV[i])
           if first then at = math.max(at, first + ARGV[i + 1]) end
         end
         local wait = at - now
         if wait > tonumber(ARGV[1]) then return wait end
         redis.call('RPUSH', KEYS[1], string.format('%.0f', at))
         redis.call('LTRIM', KEYS[1], -ARGV[2], -1)
         redis.call('PEXPIRE', KEYS[1], string.format('%.0f', (wait + ARGV[3]) / 1000 + 1))
         return wait",
    )
});

/// `KEYS`: the block; `ARGV`: its time in microseconds.
static BLOCK: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        "the script that blocks rate limits",
        "local time = redis.call('TIME')
         local ends = time[1] * 1000000 + time[2] + ARGV[1]
         if ends > tonumber(redis.call('GET', KEYS[1]) or 0) then
           redis.call('SET', KEYS[1], string.format('%.0f', ends), 'PX', string.format('%.0f', ARGV[1] / 1000 + 1))
         end
         return 1",
    )
});

/// Only a script is atomic and has the server's clock.
const NEEDS_SCRIPTS: Error = Error::Unsupported("rate limits need scripts, which this server does not allow");

pub(crate) async fn acquire_slot(
    connection: &Connection,
    name: &str,
    limit: &RateLimit,
    max_wait: Duration,
) -> Result<Duration> {
    let quotas = limit.quotas().iter().flat_map(|quota| [u128::from(quota.requests), quota.period.as_micros()]);
    let kept = [max_wait.as_micros(), limit.memory().max(1) as u128, limit.max_period().as_micros()];
    let arguments: Vec<String> = kept.into_iter().chain(quotas).map(|number| number.to_string()).collect();
    let arguments: Vec<&[u8]> = arguments.iter().map(String::as_bytes).collect();
    let (slots, block) = (layout::slots(name), layout::block(name));
    // If it is repeated after a broken connection, it may take a slot that stays unused.
    let keys = [slots.as_bytes(), block.as_bytes()];
    let wait = ACQUIRE_SLOT.run(connection, "reserving a rate limit slot", &keys, &arguments).await?;
    let wait = wait.as_ref().and_then(reply::int).ok_or(NEEDS_SCRIPTS)?;
    Ok(Duration::from_micros(wait.max(0).cast_unsigned()))
}

pub(crate) async fn block(connection: &Connection, name: &str, time: Duration) -> Result<()> {
    let micros = time.as_micros().to_string();
    let key = layout::block(name);
    let done = BLOCK.run(connection, "pausing requests to a service", &[key.as_bytes()], &[micros.as_bytes()]).await?;
    done.map(drop).ok_or(NEEDS_SCRIPTS)
}
