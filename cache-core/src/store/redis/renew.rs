//! Renewing the TTL of an entry that a lookup has just read, in one round trip.

use std::sync::LazyLock;
use std::time::Duration;

use redis::{Pipeline, RedisError, Value};

use crate::clock;
use crate::error::{Error, RefusalScope, Result};
use crate::format::msgpack;
use crate::format::msgpack::Done;
use crate::model::entry::{Entry, EntryId, StorageLayout};
use crate::store::redis::commands::{millis, set_expiry};
use crate::store::redis::connection::Connection;
use crate::store::redis::layout;
use crate::store::redis::script::Script;
use crate::store::redis::touch::pexpire;

/// `KEYS`: a key; `ARGV`: its TTL in milliseconds. The TTL of the key is only extended: another client may have set a
/// longer one, and a persistent key stays persistent.
static EXTEND: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        "the script that extends TTLs",
        "local left = redis.call('PTTL', KEYS[1])
         if left >= 0 and left < tonumber(ARGV[1]) then return redis.call('PEXPIRE', KEYS[1], ARGV[1]) end
         return 0",
    )
});

/// Adds the command that extends the TTL of a key, never shortens it; `false`: this server has none.
pub(crate) fn extend(connection: &Connection, pipe: &mut Pipeline, key: &[u8], ttl: Duration) -> bool {
    if connection.known_server().has_expire_gt == Some(true) {
        pipe.cmd("PEXPIRE").arg(key).arg(millis(ttl)).arg("GT");
    } else if EXTEND.is_refused(connection) {
        return false;
    } else {
        pipe.add_command(EXTEND.by_text(&[key], &[millis(ttl).to_string().as_bytes()]));
    }
    true
}

/// Renews the TTL of an entry of hishel's own layouts or of the pipeline's. A refusal is no failure of the lookup, and is
/// not asked for again on this connection. `done`: the end mark of layout D.
pub(crate) async fn renew(
    connection: &Connection,
    id: &EntryId,
    entry: &Entry,
    done: Option<&Done>,
    ttl: Duration,
) -> bool {
    let renewed = match commands(connection, id, entry, done, ttl) {
        Some(mut pipe) => match connection.pipeline("renewing an entry", &mut pipe).await {
            Ok(answers) => {
                let refusal = answers.iter().filter_map(|answer| answer.as_ref().err()).find(|error| is_refusal(error));
                match refusal {
                    Some(error) => Err(connection.explain("renewing an entry", error.clone())),
                    // The last command sets the TTL of the head.
                    None => Ok(matches!(answers.last(), Some(Ok(Value::Int(1))))),
                }
            }
            Err(error) => Err(error),
        },
        None => pexpire(connection, std::slice::from_ref(id), Some(ttl)).await.map(|found| found == 1),
    };
    report(connection, &renewed);
    renewed.unwrap_or(false)
}

fn is_refusal(error: &RedisError) -> bool {
    error.code() != Some("WRONGTYPE")
}

fn report(connection: &Connection, renewed: &Result<bool>) {
    if let Err(Error::Refused { scope: RefusalScope::All | RefusalScope::Keys, source, .. }) = renewed
        && let Some(error) = source.downcast_ref()
    {
        connection.has_refused("PEXPIRE", error, "hits do not renew the TTL of entries");
    }
}

/// Each key outlives what is found through it: the index first, the head last. `None`: this server extends no TTL.
fn commands(
    connection: &Connection,
    id: &EntryId,
    entry: &Entry,
    done: Option<&Done>,
    ttl: Duration,
) -> Option<Pipeline> {
    let EntryId::Http(layout, id) = id else { return None };
    let kept = layout::retention(*layout, Some(ttl));
    let (now, key) = (clock::now(), layout::entry(*layout, *id));
    let mut pipe = Pipeline::new();
    let index = layout::index(*layout, &entry.cache_key);
    if !extend(connection, &mut pipe, &index, kept.unwrap_or(ttl)) {
        return None;
    }
    set_expiry(&mut pipe, layout::stream(*layout, *id).as_bytes(), kept);
    match (layout, done) {
        (StorageLayout::Pipeline, _) => {}
        (StorageLayout::Hishel2, Some(done)) => {
            let deadline = now + ttl.as_secs_f64();
            let mark = layout::done(*layout, *id);
            let done = Done { ttl_deadline: Some(deadline), tti: None, ..done.clone() };
            pipe.cmd("ZADD").arg(&index).arg("XX").arg(deadline.to_string()).arg(layout.id_text(*id));
            pipe.cmd("SET").arg(&mark).arg(msgpack::encode_done(&done)).arg("XX").arg("KEEPTTL");
            set_expiry(&mut pipe, mark.as_bytes(), kept);
        }
        (StorageLayout::Hishel1, _) => {
            set_expiry(&mut pipe, layout::done(*layout, *id).as_bytes(), kept);
            let mut entry = entry.clone();
            let lived = now - entry.created_at.unwrap_or(now);
            entry.request.extra.set_storage_ttl(lived + ttl.as_secs_f64());
            pipe.cmd("SET").arg(&key).arg(msgpack::encode_pair(&entry)).arg("XX").arg("KEEPTTL");
        }
        _ => return None,
    }
    set_expiry(&mut pipe, key.as_bytes(), kept);
    Some(pipe)
}
