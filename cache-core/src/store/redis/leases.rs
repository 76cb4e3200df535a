//! Claims on a key's fetch: `animecache:claim:{name}`, which expires by itself when its holder dies.

use std::sync::LazyLock;
use std::time::Duration;

use redis::{Value, cmd};
use uuid::Uuid;

use crate::error::Result;
use crate::model::stored::Claim;
use crate::store::redis::commands::millis;
use crate::store::redis::connection::Connection;
use crate::store::redis::reply;
use crate::store::redis::script::Script;

/// What stands in the place of a holder when waiting for others is of no use.
const ALONE: &str = "alone";

/// `KEYS`: the claim; `ARGV`: who claims it, for how many milliseconds. Returns who has it then.
static CLAIM: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        "local holder = redis.call('GET', KEYS[1])
         if holder and holder ~= ARGV[1] then return holder end
         redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
         return ARGV[1]",
    )
});

/// `KEYS`: the claim; `ARGV`: whose it must be, what stands there from now on, for how many milliseconds (0: nothing).
static RELEASE: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        "if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
         if ARGV[3] == '0' then return redis.call('DEL', KEYS[1]) end
         redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
         return 1",
    )
});

fn key(name: &str) -> String {
    format!("animecache:claim:{name}")
}

/// Redis takes no time of nothing.
fn lasting(time: Duration) -> String {
    millis(time).max(1).to_string()
}

pub(crate) async fn claim(connection: &Connection, name: &str, holder: Uuid, time: Duration) -> Result<Claim> {
    let (key, holder, time) = (key(name), holder.to_string(), lasting(time));
    let arguments = [holder.as_bytes(), time.as_bytes()];
    let current = match connection.run("claiming", &CLAIM, &[key.as_bytes()], &arguments).await? {
        Some(current) => reply::bytes(current),
        None => claim_step_by_step(connection, &key, &holder, &time).await?,
    };
    Ok(match current {
        Some(current) if current == holder.as_bytes() => Claim::Granted,
        Some(current) if current == ALONE.as_bytes() => Claim::Alone,
        _ => Claim::Held,
    })
}

/// Who has the claim then. In between it may expire, and is then another's: a fetch too many, and nothing worse.
async fn claim_step_by_step(connection: &Connection, key: &str, holder: &str, time: &str) -> Result<Option<Vec<u8>>> {
    let taken = connection.query("SET", cmd("SET").arg(key).arg(holder).arg("NX").arg("PX").arg(time)).await?;
    if taken != Value::Nil {
        return Ok(Some(holder.into()));
    }
    let current = reply::bytes(connection.query("GET", cmd("GET").arg(key)).await?);
    if current.as_deref() == Some(holder.as_bytes()) {
        connection.query("PEXPIRE", cmd("PEXPIRE").arg(key).arg(time)).await?;
    }
    Ok(current)
}

pub(crate) async fn release(connection: &Connection, name: &str, holder: Uuid, alone: Option<Duration>) -> Result<()> {
    let (key, holder) = (key(name), holder.to_string());
    let time = alone.map_or("0".to_owned(), lasting);
    let arguments = [holder.as_bytes(), ALONE.as_bytes(), time.as_bytes()];
    if connection.run("releasing", &RELEASE, &[key.as_bytes()], &arguments).await?.is_some() {
        return Ok(());
    }
    let current = reply::bytes(connection.query("GET", cmd("GET").arg(&key)).await?);
    if current.as_deref() != Some(holder.as_bytes()) {
        return Ok(());
    }
    let command = match alone {
        Some(_) => cmd("SET").arg(&key).arg(ALONE).arg("PX").arg(time).clone(),
        None => cmd("DEL").arg(&key).clone(),
    };
    connection.query("releasing", &command).await.map(drop)
}
