//! Information about the server, from `INFO`.

use std::collections::HashMap;

use redis::{Pipeline, RedisResult};

use crate::error::Result;
use crate::model::inspection::ServerInfo;
use crate::store::redis::connection::Connection;
use crate::store::redis::reply;

pub(crate) async fn info(connection: &Connection) -> Result<ServerInfo> {
    let mut pipe = Pipeline::new();
    pipe.cmd("DBSIZE");
    pipe.cmd("INFO");
    let mut answers = connection.pipeline("INFO", &mut pipe).await?.into_iter();
    // If the user lacks permission for one of the commands, only its value is unknown.
    let keys = answers.next().and_then(RedisResult::ok);
    let text = answers.next().and_then(RedisResult::ok).map(text).unwrap_or_default();
    let fields: HashMap<&str, &str> = text.lines().filter_map(|line| line.trim_end().split_once(':')).collect();
    let number = |name: &str| fields.get(name).and_then(|value| value.parse::<u64>().ok());
    Ok(ServerInfo {
        version: fields.get("redis_version").unwrap_or(&"unknown").to_string(),
        memory_bytes: number("used_memory").unwrap_or(0),
        free_bytes: None,
        limit: number("maxmemory")
            .filter(|bytes| *bytes > 0)
            .map(|bytes| (bytes, fields.get("maxmemory_policy").unwrap_or(&"unknown").to_string())),
        keys: keys.as_ref().and_then(reply::int).map(|keys| keys as u64),
        keyspace: number("keyspace_hits").zip(number("keyspace_misses")),
    })
}

fn text(value: redis::Value) -> String {
    match value {
        redis::Value::VerbatimString { text, .. } => text,
        other => reply::text(other).unwrap_or_default(),
    }
}
