//! Results: strings under their whole keys.

use std::time::Duration;

use redis::{Pipeline, RedisResult, cmd};

use crate::clock;
use crate::error::Result;
use crate::model::stored::StoredResult;
use crate::store::redis::connection::Connection;
use crate::store::redis::reply;

/// A value and its TTL, in one round trip.
pub(crate) async fn get(connection: &Connection, key: &str) -> Result<Option<StoredResult>> {
    let mut pipe = Pipeline::with_capacity(2);
    pipe.cmd("GET").arg(key);
    pipe.cmd("PTTL").arg(key);
    let mut answers = connection.pipeline("GET", &mut pipe).await?.into_iter();
    let value = answers.next().transpose().map_err(|error| connection.explain("GET", error))?;
    let Some(value) = value.and_then(reply::bytes) else { return Ok(None) };
    let expires_at = match answers.next().and_then(RedisResult::ok) {
        Some(pttl) => match reply::expiry(&pttl, clock::now()) {
            Some(expires_at) => expires_at,
            // It expired between the two commands.
            None => return Ok(None),
        },
        // A user without the right to `PTTL` still gets the value.
        None => None,
    };
    Ok(Some(StoredResult { value: value.into(), expires_at }))
}

pub(crate) async fn set(connection: &Connection, key: &str, value: &[u8], ttl: Duration) -> Result<()> {
    let seconds = ttl.as_secs().max(1);
    connection.query("SETEX", cmd("SETEX").arg(key).arg(seconds).arg(value)).await.map(drop)
}
