//! Information about the server, from `INFO`.

use redis::{Pipeline, RedisResult};

use crate::error::Result;
use crate::model::inspection::{MemoryLimit, ServerInfo};
use crate::store::redis::capabilities::fields;
use crate::store::redis::connection::Connection;
use crate::store::redis::reply;

pub(crate) async fn info(connection: &Connection) -> Result<ServerInfo> {
    let mut pipe = Pipeline::new();
    pipe.cmd("DBSIZE");
    pipe.cmd("INFO");
    let mut answers = connection.pipeline("INFO", &mut pipe).await?.into_iter();
    // If the user lacks permission for one of the commands, only its values are unknown.
    let keys = answers.next().and_then(RedisResult::ok);
    let text = answers.next().and_then(RedisResult::ok).and_then(reply::text).unwrap_or_default();
    let fields = fields(&text);
    let number = |name: &str| fields.get(name).and_then(|value| value.parse::<u64>().ok());
    let server = connection.capabilities();
    let limit = number("maxmemory").map(|bytes| match bytes {
        0 => MemoryLimit::Unlimited,
        bytes => {
            let policy = fields.get("maxmemory_policy").unwrap_or(&"unknown");
            MemoryLimit::Limited { bytes, policy: (*policy).to_owned() }
        }
    });
    Ok(ServerInfo {
        version: server.as_ref().and_then(|server| server.version.clone()),
        memory_bytes: number("used_memory"),
        free_bytes: None,
        limit,
        keys: keys.as_ref().and_then(reply::int).map(|keys| keys as u64),
        keyspace: number("keyspace_hits").zip(number("keyspace_misses")),
        server,
    })
}
