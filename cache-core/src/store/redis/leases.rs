//! Leases: a key that expires by itself when its owner dies.

use std::sync::LazyLock;
use std::time::Duration;

use redis::{Value, cmd};
use uuid::Uuid;

use crate::error::Result;
use crate::model::stored::LeaseState;
use crate::store::redis::commands::millis;
use crate::store::redis::connection::Connection;
use crate::store::redis::script::Script;
use crate::store::redis::{layout, reply};

/// The value of a lease in place of an owner: the response could not be stored, so waiting is pointless.
const UNCACHEABLE: &str = "alone";

/// `KEYS`: the lease; `ARGV`: the owner, the TTL in milliseconds. Returns the owner afterwards.
static ACQUIRE: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        "the script that acquires leases",
        "local owner = redis.call('GET', KEYS[1])
         if owner and owner ~= ARGV[1] then return owner end
         redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
         return ARGV[1]",
    )
});

/// `KEYS`: the lease; `ARGV`: the expected owner, the new value, its TTL in milliseconds (0: delete the lease).
static RELEASE: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        "the script that releases leases",
        "if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
         if ARGV[3] == '0' then return redis.call('DEL', KEYS[1]) end
         redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
         return 1",
    )
});

/// Redis accepts no TTL of zero.
fn at_least_one_milli(ttl: Duration) -> String {
    millis(ttl).max(1).to_string()
}

pub(crate) async fn acquire(connection: &Connection, name: &str, owner: Uuid, ttl: Duration) -> Result<LeaseState> {
    let (key, owner, ttl) = (layout::lease(name), owner.to_string(), at_least_one_milli(ttl));
    let arguments = [owner.as_bytes(), ttl.as_bytes()];
    let current = match ACQUIRE.run(connection, "claiming", &[key.as_bytes()], &arguments).await? {
        Some(current) => reply::bytes(current),
        None => acquire_step_by_step(connection, &key, &owner, &ttl).await?,
    };
    Ok(match current {
        Some(current) if current == owner.as_bytes() => LeaseState::Acquired,
        Some(current) if current == UNCACHEABLE.as_bytes() => LeaseState::Uncacheable,
        _ => LeaseState::HeldByOther,
    })
}

/// The owner afterwards. Between two steps the lease may expire and go to another owner: one fetch too many, at worst.
async fn acquire_step_by_step(connection: &Connection, key: &str, owner: &str, ttl: &str) -> Result<Option<Vec<u8>>> {
    let taken = connection.query("SET", cmd("SET").arg(key).arg(owner).arg("NX").arg("PX").arg(ttl)).await?;
    if taken != Value::Nil {
        return Ok(Some(owner.into()));
    }
    let current = reply::bytes(connection.query("GET", cmd("GET").arg(key)).await?);
    if current.as_deref() == Some(owner.as_bytes()) {
        connection.query("PEXPIRE", cmd("PEXPIRE").arg(key).arg(ttl)).await?;
    }
    Ok(current)
}

pub(crate) async fn release(
    connection: &Connection,
    name: &str,
    owner: Uuid,
    uncacheable_for: Option<Duration>,
) -> Result<()> {
    let (key, owner) = (layout::lease(name), owner.to_string());
    let ttl = uncacheable_for.map_or("0".to_owned(), at_least_one_milli);
    let arguments = [owner.as_bytes(), UNCACHEABLE.as_bytes(), ttl.as_bytes()];
    if RELEASE.run(connection, "releasing", &[key.as_bytes()], &arguments).await?.is_some() {
        return Ok(());
    }
    let current = reply::bytes(connection.query("GET", cmd("GET").arg(&key)).await?);
    if current.as_deref() != Some(owner.as_bytes()) {
        return Ok(());
    }
    let command = match uncacheable_for {
        Some(_) => cmd("SET").arg(&key).arg(UNCACHEABLE).arg("PX").arg(ttl).clone(),
        None => cmd("DEL").arg(&key).clone(),
    };
    connection.query("releasing", &command).await.map(drop)
}
