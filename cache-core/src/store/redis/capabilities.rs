//! Learning what a server is and allows, in one round trip when a connection is made.

use std::collections::HashMap;

use redis::aio::MultiplexedConnection;
use redis::{ErrorKind, Pipeline, RedisError, RedisResult, Value, cmd};

use crate::clock;
use crate::model::capabilities::{Capabilities, ServerMode, ServerRole};
use crate::store::redis::driver_error::{is_broken, is_of_cluster, is_temporary};
use crate::store::redis::reply;

/// Keys that no entry has, in two slots of a cluster.
const PROBES: [&str; 2] = ["hishel_cache:probe:1", "hishel_cache:probe:2"];

/// The products that name their own version in `INFO`; others report the version of Redis.
const PRODUCTS: [(&str, &str); 4] = [
    ("valkey_version", "Valkey"),
    ("dragonfly_version", "Dragonfly"),
    ("kvrocks_version", "Kvrocks"),
    ("redis_version", "Redis"),
];

/// Names the connection and learns what the server is. `is_admin`: reading a key must not make it seem used.
pub(crate) async fn learn(
    connection: &mut MultiplexedConnection,
    database: i64,
    is_admin: bool,
) -> RedisResult<Capabilities> {
    let mut pipe = Pipeline::new();
    pipe.cmd("INFO");
    // A cluster refuses two slots in one command: it is recognized even without permission for `INFO`.
    pipe.cmd("EXISTS").arg(&PROBES);
    // Administrators should see which program is connected.
    pipe.cmd("CLIENT").arg("SETNAME").arg("animecache");
    if is_admin {
        pipe.cmd("CLIENT").arg("NO-TOUCH").arg("ON");
    }
    let answers: Vec<RedisResult<Value>> = pipe.ignore_errors().query_async(connection).await?;
    let mut known = parse(answers, database);
    if known.lacks("INFO") {
        match cmd("HELLO").query_async(connection).await {
            Ok(hello) => complete(&mut known, hello),
            Err(error) if is_broken(&error) => return Err(error),
            Err(error) => _ = known.refused.insert("HELLO".into(), reason(&error)),
        }
    }
    match known.mode {
        Some(ServerMode::Cluster) => Err(unsuitable(CLUSTER.to_owned())),
        Some(ServerMode::Sentinel) => Err(unsuitable(sentinel(connection, database).await)),
        _ => Ok(known),
    }
}

/// Why a node of a cluster is refused, wherever it shows.
pub(crate) const CLUSTER: &str = "it is a node of a Redis Cluster and has a part of the keys only; redis-cluster:// \
                                  is not supported, use a server that is not in cluster mode";

/// The error about a server that is no store.
fn unsuitable(reason: String) -> RedisError {
    RedisError::from((ErrorKind::InvalidClientConfig, "unsuitable server", reason))
}

async fn sentinel(connection: &mut MultiplexedConnection, database: i64) -> String {
    let masters = cmd("SENTINEL").arg("MASTERS").query_async::<Value>(connection).await;
    let urls: Vec<String> = masters
        .map(reply::list)
        .unwrap_or_default()
        .into_iter()
        .filter_map(|master| {
            let fields = reply::strings(master);
            let field = |name: &str| {
                let pair = fields.chunks_exact(2).find(|pair| pair[0] == name.as_bytes())?;
                String::from_utf8(pair[1].clone()).ok()
            };
            Some(format!("{} at redis://{}:{}/{database}", field("name")?, field("ip")?, field("port")?))
        })
        .collect();
    let masters = if urls.is_empty() { "unknown".to_owned() } else { urls.join(", ") };
    format!("it is a Sentinel and has no keys; redis-sentinel:// is not supported, use its primary: {masters}")
}

/// `answers`: those of [`learn`], in the same order.
fn parse(answers: Vec<RedisResult<Value>>, database: i64) -> Capabilities {
    let mut known = Capabilities { database, ..Capabilities::default() };
    for (command, answer) in ["INFO", "EXISTS", "CLIENT SETNAME", "CLIENT NO-TOUCH"].into_iter().zip(answers) {
        match answer {
            Ok(value) if command == "INFO" => take_info(&mut known, &reply::text(value).unwrap_or_default()),
            Ok(_) => {}
            // It ignores the keys, or has none of them.
            Err(error) if is_of_cluster(&error) => known.mode = Some(ServerMode::Cluster),
            // A server that loads its data refuses everything for a while.
            Err(error) if is_temporary(&error) => {}
            Err(error) => _ = known.refused.insert(command.into(), reason(&error)),
        }
    }
    known
}

fn take_info(known: &mut Capabilities, info: &str) {
    let info = fields(info);
    let product = PRODUCTS.iter().find_map(|(field, product)| Some((*product, *info.get(field)?)));
    if let Some((product, version)) = product {
        known.product = Some(product.to_owned());
        known.version = Some(version.to_owned());
    }
    // Valkey has another name for it.
    known.mode = info.get("redis_mode").or(info.get("server_mode")).and_then(|mode| mode_of(mode));
    known.clock_offset_ms = info
        .get("server_time_usec")
        .and_then(|time| time.parse::<f64>().ok())
        .map(|time| (time / 1e3 - clock::now() * 1e3) as i64);
    known.is_loading = info.get("loading").map(|loading| *loading != "0");
    known.role = info.get("role").and_then(|role| {
        role_of(role, || ServerRole::Replica {
            primary: info.get("master_host").zip(info.get("master_port")).map(|(host, port)| format!("{host}:{port}")),
            is_read_only: info.get("slave_read_only").is_none_or(|read_only| *read_only != "0"),
            is_incomplete: info.get("master_link_status").map(|status| *status != "up"),
        })
    });
    known.has_expire_gt = match (product, info.get("redis_version")) {
        (Some(("Redis" | "Valkey", _)), Some(version)) => {
            version.split('.').next().and_then(|major| major.parse::<u32>().ok()).map(|major| major >= 7)
        }
        _ => None,
    };
}

/// Adds the facts in a reply of `HELLO`, which are fewer.
fn complete(known: &mut Capabilities, hello: Value) {
    let fields = reply::strings(hello);
    let field = |name: &str| {
        let pair = fields.chunks_exact(2).find(|pair| pair[0] == name.as_bytes())?;
        Some(String::from_utf8_lossy(&pair[1]).into_owned())
    };
    known.product = field("server").map(|name| capitalized(&name));
    known.version = field("version");
    known.mode = known.mode.or_else(|| field("mode").and_then(|mode| mode_of(&mode)));
    known.role = field("role").and_then(|role| {
        role_of(&role, || ServerRole::Replica { primary: None, is_read_only: true, is_incomplete: None })
    });
}

fn reason(error: &RedisError) -> String {
    error.detail().map_or_else(|| error.to_string(), ToOwned::to_owned)
}

/// The fields of a reply of `INFO`.
pub(crate) fn fields(info: &str) -> HashMap<&str, &str> {
    info.lines().filter_map(|line| line.trim_end().split_once(':')).collect()
}

fn capitalized(name: &str) -> String {
    let mut letters = name.chars();
    letters.next().map_or(String::new(), |first| first.to_uppercase().chain(letters).collect())
}

fn mode_of(name: &str) -> Option<ServerMode> {
    [ServerMode::Standalone, ServerMode::Cluster, ServerMode::Sentinel].into_iter().find(|mode| mode.name() == name)
}

fn role_of(name: &str, replica: impl FnOnce() -> ServerRole) -> Option<ServerRole> {
    match name {
        "master" => Some(ServerRole::Primary),
        "slave" | "replica" => Some(replica()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use redis::parse_redis_value;

    const DENIED: &str = "-NOPERM this user has no permissions to run the 'x' command\r\n";

    #[expect(clippy::unnecessary_wraps, reason = "replies of a pipeline")]
    fn bulk(text: &str) -> RedisResult<Value> {
        Ok(Value::BulkString(text.as_bytes().to_vec()))
    }

    fn refusal(line: &str) -> RedisResult<Value> {
        parse_redis_value(line.as_bytes()).and_then(Value::extract_error)
    }

    #[test]
    fn restricted_user_leaves_facts_unknown() {
        let known = parse((0..4).map(|_| refusal(DENIED)).collect(), 3);
        let refused: Vec<&str> = known.refused.keys().map(|name| &**name).collect();
        assert_eq!(refused, ["CLIENT NO-TOUCH", "CLIENT SETNAME", "EXISTS", "INFO"]);
        assert_eq!(known, Capabilities { database: 3, refused: known.refused.clone(), ..Capabilities::default() });
    }

    #[test]
    fn replica_and_its_primary_are_recognized() {
        let info = "redis_version:7.0.15\r\nredis_mode:standalone\r\nloading:0\r\nrole:slave\r\nmaster_host:10.0.0.1\r\n\
                    master_port:6379\r\nmaster_link_status:down\r\nslave_read_only:1\r\n";
        let known = parse(vec![bulk(info), Ok(Value::Int(0)), bulk("OK")], 0);
        assert_eq!(known.read_only_reason().unwrap(), "it is a read-only replica of 10.0.0.1:6379");
        assert!(known.incomplete_reason().is_some() && !known.may_renew());
        assert_eq!((known.has_expire_gt, known.is_loading, known.refused.len()), (Some(true), Some(false), 0));
        assert_eq!((known.product.as_deref(), known.version.as_deref()), (Some("Redis"), Some("7.0.15")));
    }

    #[test]
    fn product_names_its_own_version() {
        let known = parse(vec![bulk("redis_version:7.2.4\nvalkey_version:9.1.2\n")], 0);
        assert_eq!((known.product.as_deref(), known.version.as_deref()), (Some("Valkey"), Some("9.1.2")));
        let known = parse(vec![bulk("redis_version:6.2.5\n")], 0);
        assert_eq!((known.product.as_deref(), known.has_expire_gt), (Some("Redis"), Some(false)));
    }

    #[test]
    fn cluster_is_recognized_without_info() {
        let crossed = refusal("-CROSSSLOT Keys in request don't hash to the same slot\r\n");
        assert_eq!(parse(vec![refusal(DENIED), crossed], 0).mode, Some(ServerMode::Cluster));
    }

    #[test]
    fn hello_of_either_protocol_completes_what_info_refused() {
        let pairs = [("server", "valkey"), ("version", "9.1.2"), ("mode", "sentinel"), ("role", "replica")];
        let pairs = pairs.map(|(name, value)| (bulk(name).unwrap(), bulk(value).unwrap()));
        let flat = Value::Array(pairs.iter().cloned().flat_map(|(name, value)| [name, value]).collect());
        for hello in [flat, Value::Map(pairs.to_vec())] {
            let mut known = Capabilities::default();
            complete(&mut known, hello);
            assert_eq!((known.product.as_deref(), known.mode), (Some("Valkey"), Some(ServerMode::Sentinel)));
            assert_eq!(known.role.map(|role| role.name()), Some("replica"));
        }
    }
}
