//! Scripts that the server runs: several steps in one round trip, atomically.
//!
//! Some servers and users do not allow them, so each caller has an alternative.

use std::borrow::Cow;

use redis::{Cmd, RedisError, ServerErrorKind, Value, cmd};

use crate::error::Result;
use crate::store::redis::connection::Connection;

/// A script and its SHA-1, by which it is called.
pub(crate) struct Script {
    text: Cow<'static, str>,
    hash: String,
}

impl Script {
    pub(crate) fn new(text: impl Into<Cow<'static, str>>) -> Self {
        let text = text.into();
        Self { hash: redis::Script::new(&text).get_hash().to_owned(), text }
    }

    /// Calls the script by its hash; the server may not have it (`NOSCRIPT`).
    pub(crate) fn by_hash(&self, keys: &[&[u8]], arguments: &[&[u8]]) -> Cmd {
        call("EVALSHA", &self.hash, keys, arguments)
    }

    fn by_text(&self, keys: &[&[u8]], arguments: &[&[u8]]) -> Cmd {
        call("EVAL", &self.text, keys, arguments)
    }

    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// Runs an idempotent script. `None`: the server refused, and the caller uses its alternative.
    pub(crate) async fn run(
        &self,
        connection: &Connection,
        operation: &'static str,
        keys: &[&[u8]],
        arguments: &[&[u8]],
    ) -> Result<Option<Value>> {
        if !connection.has_scripts() {
            return Ok(None);
        }
        let mut answer = connection.execute(operation, &self.by_hash(keys, arguments)).await?;
        if answer.as_ref().is_err_and(is_unloaded) {
            answer = connection.execute(operation, &self.by_text(keys, arguments)).await?;
        }
        match answer {
            Ok(value) => Ok(Some(value)),
            Err(error) => {
                tracing::debug!(%error, operation, "scripts unavailable; using single commands");
                if is_denied(&error) {
                    connection.has_no_scripts();
                }
                Ok(None)
            }
        }
    }
}

fn call(command: &str, script: &str, keys: &[&[u8]], arguments: &[&[u8]]) -> Cmd {
    let mut call = cmd(command);
    call.arg(script).arg(keys.len()).arg(keys).arg(arguments);
    call
}

/// Whether the server refuses scripts for good.
pub(crate) fn is_denied(error: &RedisError) -> bool {
    error.code() == Some("NOPERM") || is_unknown_command(error)
}

pub(crate) fn is_unloaded(error: &RedisError) -> bool {
    error.kind() == ServerErrorKind::NoScript.into()
}

pub(crate) fn is_unknown_command(error: &RedisError) -> bool {
    error.detail().is_some_and(|detail| detail.contains("unknown command"))
}
