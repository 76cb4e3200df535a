//! Claims on a key's fetch: `animecache:claim:{name}`, which expires by itself when its holder dies.

use std::time::Duration;

use redis::{Value, cmd};
use uuid::Uuid;

use super::connection::Connection;
use super::reply;
use crate::error::Result;
use crate::store::Claim;

/// What stands in the place of a holder when waiting for others is of no use.
const ALONE: &str = "alone";

fn key(name: &str) -> String {
    format!("animecache:claim:{name}")
}

pub(super) async fn claim(connection: &Connection, name: &str, holder: Uuid, time: Duration) -> Result<Claim> {
    let (key, holder, millis) = (key(name), holder.to_string(), time.as_millis() as u64);
    let taken = connection.query("SET", cmd("SET").arg(&key).arg(&holder).arg("NX").arg("PX").arg(millis)).await?;
    if taken != Value::Nil {
        return Ok(Claim::Granted);
    }
    let current = reply::bytes(connection.query("GET", cmd("GET").arg(&key)).await?);
    Ok(match current.as_deref() {
        Some(current) if current == ALONE.as_bytes() => Claim::Alone,
        Some(current) if current == holder.as_bytes() => {
            connection.query("PEXPIRE", cmd("PEXPIRE").arg(&key).arg(millis)).await?;
            Claim::Granted
        }
        _ => Claim::Held,
    })
}

pub(super) async fn release(connection: &Connection, name: &str, holder: Uuid, alone: Option<Duration>) -> Result<()> {
    let key = key(name);
    let current = reply::bytes(connection.query("GET", cmd("GET").arg(&key)).await?);
    if current.as_deref() != Some(holder.to_string().as_bytes()) {
        return Ok(());
    }
    match alone {
        Some(time) => connection
            .query("SET", cmd("SET").arg(&key).arg(ALONE).arg("PX").arg(time.as_millis() as u64))
            .await
            .map(drop),
        None => connection.query("DEL", cmd("DEL").arg(&key)).await.map(drop),
    }
}
