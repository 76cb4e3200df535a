//! Results: strings under their whole keys.

use std::sync::LazyLock;
use std::time::Duration;

use redis::{Pipeline, RedisResult, cmd};

use crate::clock;
use crate::error::Result;
use crate::model::generation::Generation;
use crate::model::stored::StoredResult;
use crate::store::redis::connection::Connection;
use crate::store::redis::script::Script;
use crate::store::redis::{generations, reply};

/// `KEYS`: the result, the generations; `ARGV`: the value, its TTL in seconds, the expected generations.
static SET_IF: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        "the script that stores results",
        format!(
            "if not ({}) then return 0 end
         redis.call('SETEX', KEYS[1], ARGV[2], ARGV[1])
         return 1",
            generations::IS_UNCHANGED
        ),
    )
});

/// A value and its TTL, in one round trip. Of one that is too long, no more than the limit is transferred.
pub(crate) async fn get(connection: &Connection, key: &str) -> Result<Option<StoredResult>> {
    let mut pipe = Pipeline::with_capacity(2);
    pipe.cmd("GETRANGE").arg(key).arg(0).arg(StoredResult::MAX_BYTES);
    pipe.cmd("PTTL").arg(key);
    let mut answers = connection.pipeline("GETRANGE", &mut pipe).await?.into_iter();
    let value = match answers.next().transpose() {
        // A user with the right to `GET` alone.
        Err(error) if error.code() == Some("NOPERM") => Some(connection.query("GET", cmd("GET").arg(key)).await?),
        value => value.map_err(|error| connection.explain("GETRANGE", error))?,
    };
    let Some(value) = value.and_then(reply::bytes) else { return Ok(None) };
    let expires_at = match answers.next().and_then(RedisResult::ok) {
        Some(pttl) => match reply::expiry(&pttl, clock::now()) {
            Some(expires_at) => expires_at,
            // It expired between the two commands.
            None => return Ok(None),
        },
        // The reply to `GETRANGE` of a missing key.
        None if value.is_empty() => return Ok(None),
        // A user without the right to `PTTL` still gets the value.
        None => None,
    };
    Ok(StoredResult { value: value.into(), expires_at }.within_limit())
}

pub(crate) async fn set(connection: &Connection, key: &str, value: &[u8], ttl: Duration) -> Result<()> {
    connection.query("SETEX", cmd("SETEX").arg(key).arg(seconds(ttl)).arg(value)).await.map(drop)
}

fn seconds(ttl: Duration) -> u64 {
    ttl.as_secs().max(1)
}

/// Stores a value if its key still has this generation.
pub(crate) async fn set_if(
    connection: &Connection,
    key: &str,
    value: &[u8],
    ttl: Duration,
    generation: Generation,
) -> Result<bool> {
    if !generation.is_known() {
        return set(connection, key, value, ttl).await.map(|()| true);
    }
    let ([all, of_key], [all_then, then]) = (generations::names(key.as_bytes()), generations::texts(generation));
    let seconds = seconds(ttl).to_string();
    let keys = [key.as_bytes(), all.as_bytes(), of_key.as_bytes()];
    let arguments = [value, seconds.as_bytes(), all_then.as_bytes(), then.as_bytes()];
    if let Some(answer) = SET_IF.run(connection, "storing a result", &keys, &arguments).await? {
        return Ok(reply::int(&answer) == Some(1));
    }
    set(connection, key, value, ttl).await?;
    let is_unchanged = generations::read(connection, key.as_bytes()).await? == generation;
    if !is_unchanged {
        connection.query("deleting an outdated result", cmd("DEL").arg(key)).await?;
    }
    Ok(is_unchanged)
}
