//! Starts the program for tests, and fills Redis databases for it.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::{self, Output};

use assert_cmd::Command;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use redis::{Connection, cmd};
use serde_json::Value;
use tempfile::TempDir;

use crate::environment::variables;
use crate::redis_server::RedisServer;

/// A directory without settings, and a cache for the program.
pub struct Program {
    pub directory: TempDir,
    url: Option<String>,
}

/// The result of a run.
pub struct Run {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl Program {
    /// Without a configured cache.
    pub fn bare() -> Self {
        Self { directory: TempDir::new().unwrap(), url: None }
    }

    /// On this Redis.
    pub fn on(url: &str) -> Self {
        Self { url: Some(url.to_owned()), ..Self::bare() }
    }

    /// The URL of its Redis.
    pub fn url(&self) -> &str {
        self.url.as_deref().unwrap()
    }

    /// The program, for runs that end by themselves.
    pub fn command(&self) -> Command {
        let mut command = Command::from_std(self.process());
        command.timeout(std::time::Duration::from_secs(60));
        command
    }

    /// The program as a process that is waited for, interrupted or killed.
    pub fn process(&self) -> process::Command {
        let mut command = process::Command::new(Self::path());
        command.current_dir(self.directory.path()).env_clear().envs(variables(self.directory.path()));
        if let Some(url) = &self.url {
            command.env("REDIS_CACHE_URL", url);
        }
        command
    }

    pub fn run(&self, arguments: &[&str]) -> Run {
        Run::of(&self.command().args(arguments).output().unwrap())
    }

    pub fn path() -> PathBuf {
        assert_cmd::cargo::cargo_bin!("animecache").to_path_buf()
    }
}

impl Run {
    pub fn of(output: &Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        Self { code: output.status.code(), out: text(&output.stdout), err: text(&output.stderr) }
    }

    /// Standard output as one JSON value.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {} {}", self.out, self.err))
    }

    /// Standard output as one JSON value a line, by id.
    pub fn rows(&self) -> BTreeMap<String, Value> {
        let row = |line: &str| {
            let row: Value = serde_json::from_str(line).unwrap();
            (row["id"].to_string().trim_matches('"').to_owned(), row)
        };
        self.out.lines().map(row).collect()
    }
}

/// A database with recorded entries of the pipeline.
pub fn pipeline() -> (Program, Connection) {
    let (program, mut connection) = empty();
    load_all(&mut connection, PIPELINE);
    (program, connection)
}

/// Redis after the pipeline's own code ran: layout A and results.
pub const PIPELINE: &str = include_str!("../../cache-core/tests/fixtures/pipeline.ndjson");

/// Redis after hishel 1.3 and 2.0 ran: layouts B and D.
pub const HISHEL: [&str; 2] = [
    include_str!("../../cache-core/tests/fixtures/hishel-1.3.redis.ndjson"),
    include_str!("../../cache-core/tests/fixtures/hishel-2.0.redis.ndjson"),
];

/// Restores a recording into a database.
pub fn load_all(connection: &mut Connection, recording: &str) {
    for line in recording.lines() {
        load(connection, &serde_json::from_str(line).unwrap());
    }
}

/// An empty database.
pub fn empty() -> (Program, Connection) {
    let url = RedisServer::fresh_database();
    let connection = redis::Client::open(url.as_str()).unwrap().get_connection().unwrap();
    (Program::on(&url), connection)
}

/// The entries of the pipeline as the reference decoder reads them.
pub fn expected() -> Vec<Value> {
    serde_json::from_str(include_str!("../../cache-core/tests/fixtures/pipeline.expected.json")).unwrap()
}

fn load(connection: &mut Connection, record: &Value) {
    let bytes = |value: &Value| STANDARD.decode(value.as_str().unwrap()).unwrap();
    let all = |values: &Value| values.as_array().unwrap().iter().map(bytes).collect::<Vec<_>>();
    let scored = |member: &Value| (member[1].to_string().trim_matches('"').to_owned(), bytes(&member[0]));
    let key = record["key"].as_str().unwrap();
    let value = &record["value"];
    let mut store = match record["type"].as_str().unwrap() {
        "string" => cmd("SET"),
        "list" => cmd("RPUSH"),
        "set" => cmd("SADD"),
        "hash" => cmd("HSET"),
        "zset" => cmd("ZADD"),
        other => panic!("the fixture holds a {other}"),
    };
    store.arg(key);
    match value {
        Value::String(_) => store.arg(bytes(value)),
        Value::Array(items) if record["type"] == "zset" => store.arg(items.iter().map(scored).collect::<Vec<_>>()),
        Value::Array(_) => store.arg(all(value)),
        _ => {
            value.as_object().unwrap().iter().fold(&mut store, |store, (name, value)| store.arg(name).arg(bytes(value)))
        }
    };
    store.exec(connection).unwrap();
    if let Some(pttl) = record["pttl"].as_i64().filter(|pttl| *pttl >= 0) {
        cmd("PEXPIRE").arg(key).arg(pttl).exec(connection).unwrap();
    }
}

/// All keys with their dumped values.
pub fn dump(connection: &mut Connection) -> BTreeMap<Vec<u8>, Vec<u8>> {
    let keys: Vec<Vec<u8>> = cmd("KEYS").arg("*").query(connection).unwrap();
    keys.into_iter()
        .map(|key| {
            let value = cmd("DUMP").arg(&key).query(connection).unwrap();
            (key, value)
        })
        .collect()
}

/// Whether this is a key of the cache.
pub fn is_ours(key: &[u8]) -> bool {
    key.starts_with(b"hishel_cache:") || key.starts_with(b"result_cache:")
}
