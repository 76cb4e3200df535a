//! Loads a recording of a Redis database (`cache-core/tests/fixtures/*.ndjson`) into a server, to try the program.
//!
//! Existing keys are not overwritten: a sample must not damage a cache.

use std::path::PathBuf;

use anyhow::{Context as _, bail};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clap::Parser;
use serde::Deserialize;
use serde_json::Value;

#[derive(Parser)]
struct Args {
    /// The server to fill
    #[arg(long, default_value = "redis://127.0.0.1:6379/0")]
    redis: String,
    /// One key a line
    file: PathBuf,
}

/// One line of a recording: a key with its type, its TTL in milliseconds (-1: none) and its value.
#[derive(Deserialize)]
struct Line {
    key: String,
    #[serde(rename = "type")]
    kind: String,
    pttl: i64,
    value: Value,
}

fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let text = std::fs::read_to_string(&args.file).with_context(|| format!("{}", args.file.display()))?;
    let mut connection = redis::Client::open(args.redis.as_str())?.get_connection()?;
    let (mut loaded, mut left) = (0, 0);
    for line in text.lines() {
        let line: Line = serde_json::from_str(line)?;
        let is_there: bool = redis::cmd("EXISTS").arg(&line.key).query(&mut connection)?;
        if is_there {
            left += 1;
            continue;
        }
        let mut pipe = redis::pipe();
        pipe.atomic().add_command(write(&line).with_context(|| format!("the value of {}", line.key))?);
        if line.pttl >= 0 {
            pipe.cmd("PEXPIRE").arg(&line.key).arg(line.pttl);
        }
        pipe.exec(&mut connection)?;
        loaded += 1;
    }
    println!("{loaded} keys loaded, {left} were there already");
    Ok(())
}

/// The command that writes the value. The list and set members are base64, as are a hash's values.
fn write(line: &Line) -> anyhow::Result<redis::Cmd> {
    let name = match line.kind.as_str() {
        "string" => "SET",
        "hash" => "HSET",
        "list" => "RPUSH",
        "set" => "SADD",
        "zset" => "ZADD",
        other => bail!("{other} is no type of Redis"),
    };
    let mut cmd = redis::cmd(name);
    cmd.arg(&line.key);
    match &line.value {
        Value::String(_) => {
            cmd.arg(bytes(&line.value)?);
        }
        Value::Object(fields) => {
            for (field, value) in fields {
                cmd.arg(field).arg(bytes(value)?);
            }
        }
        Value::Array(members) => {
            for member in members {
                match member.as_array().map(Vec::as_slice) {
                    Some([member, score]) => {
                        let score = score.as_str().map_or_else(|| score.to_string(), str::to_owned);
                        cmd.arg(score).arg(bytes(member)?);
                    }
                    _ => {
                        cmd.arg(bytes(member)?);
                    }
                }
            }
        }
        _ => bail!("is neither text, a list nor a mapping"),
    }
    Ok(cmd)
}

fn bytes(value: &Value) -> anyhow::Result<Vec<u8>> {
    Ok(STANDARD.decode(value.as_str().context("is not text")?)?)
}
