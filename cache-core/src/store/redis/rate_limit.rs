//! Turns at a service: `animecache:limit:{name}`, a list of the last ones in microseconds of the server's clock, and
//! `animecache:limit:{name}:held`, until when there are none. The braces are Redis' own: they keep both together in a
//! cluster. They expire when they have no say any more.

use std::sync::LazyLock;
use std::time::Duration;

use crate::error::{Error, Result};
use crate::model::rate_limit::Limit;
use crate::store::redis::connection::Connection;
use crate::store::redis::reply;
use crate::store::redis::script::Script;

/// As `limit::Turns` does it. `KEYS`: the turns, the hold; `ARGV`: the longest wait, how many turns are remembered, for
/// how long, and then the number and the period of each quota. Returns the wait. Times are microseconds; only what is
/// written by `%.0f` keeps all its digits.
static RESERVE: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
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

/// `KEYS`: the hold; `ARGV`: for how many microseconds.
static HOLD_BACK: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        "local time = redis.call('TIME')
         local ends = time[1] * 1000000 + time[2] + ARGV[1]
         if ends > tonumber(redis.call('GET', KEYS[1]) or 0) then
           redis.call('SET', KEYS[1], string.format('%.0f', ends), 'PX', string.format('%.0f', ARGV[1] / 1000 + 1))
         end
         return 1",
    )
});

/// Turns must be given out one by one, and by the server's clock: no other way has both.
const NEEDS_SCRIPTS: Error = Error::Unsupported("rate limits need scripts, which this server does not allow");

fn key(name: &str) -> String {
    format!("animecache:limit:{{{name}}}")
}

fn held(name: &str) -> String {
    key(name) + ":held"
}

pub(crate) async fn reserve(connection: &Connection, name: &str, limit: &Limit, longest: Duration) -> Result<Duration> {
    let quotas = limit.quotas().iter().flat_map(|quota| [u128::from(quota.requests), quota.period.as_micros()]);
    let remembered = [longest.as_micros(), limit.memory().max(1) as u128, limit.longest_period().as_micros()];
    let arguments: Vec<String> = remembered.into_iter().chain(quotas).map(|number| number.to_string()).collect();
    let arguments: Vec<&[u8]> = arguments.iter().map(String::as_bytes).collect();
    let (key, held) = (key(name), held(name));
    // Repeated where the connection breaks, it may take a turn that nobody uses.
    let wait =
        connection.run("reserving a rate limit slot", &RESERVE, &[key.as_bytes(), held.as_bytes()], &arguments).await?;
    let wait = wait.as_ref().and_then(reply::int).ok_or(NEEDS_SCRIPTS)?;
    Ok(Duration::from_micros(wait.max(0).cast_unsigned()))
}

pub(crate) async fn hold_back(connection: &Connection, name: &str, time: Duration) -> Result<()> {
    let micros = time.as_micros().to_string();
    let held = held(name);
    let done =
        connection.run("pausing requests to a service", &HOLD_BACK, &[held.as_bytes()], &[micros.as_bytes()]).await?;
    done.map(drop).ok_or(NEEDS_SCRIPTS)
}
