//! Scripts that the server runs: several steps in one round trip, atomically.
//!
//! Some servers and users do not allow them, so each caller has an alternative.

use std::borrow::Cow;

use redis::{Cmd, RedisError, ServerErrorKind, Value, cmd};

use crate::error::Result;
use crate::store::redis::connection::Connection;
use crate::store::redis::driver_error::{is_of_cluster, refuses_writes};

/// A script and its SHA-1, by which it is called.
pub(crate) struct Script {
    /// As in a report that it was refused.
    name: &'static str,
    text: Cow<'static, str>,
    hash: String,
}

impl Script {
    pub(crate) fn new(name: &'static str, text: impl Into<Cow<'static, str>>) -> Self {
        let text = text.into();
        Self { name, hash: redis::Script::new(&text).get_hash().to_owned(), text }
    }

    pub(crate) fn is_refused(&self, connection: &Connection) -> bool {
        connection.lacks(self.name)
    }

    /// Remembers that a server refuses it: other scripts, with other keys and commands in them, may be allowed.
    pub(crate) fn refused(&self, connection: &Connection, error: &RedisError) {
        connection.has_refused(self.name, error, "single commands are used instead");
    }

    /// Calls the script by its hash; the server may not have it (`NOSCRIPT`).
    pub(crate) fn by_hash(&self, keys: &[&[u8]], arguments: &[&[u8]]) -> Cmd {
        call("EVALSHA", &self.hash, keys, arguments)
    }

    /// Calls the script by its text, for a pipeline.
    pub(crate) fn by_text(&self, keys: &[&[u8]], arguments: &[&[u8]]) -> Cmd {
        call("EVAL", &self.text, keys, arguments)
    }

    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// Runs an idempotent script. `None`: this server or user does not allow it, and the caller uses its alternative.
    pub(crate) async fn run(
        &self,
        connection: &Connection,
        operation: &'static str,
        keys: &[&[u8]],
        arguments: &[&[u8]],
    ) -> Result<Option<Value>> {
        if self.is_refused(connection) {
            return Ok(None);
        }
        let mut answer = connection.execute(operation, &self.by_hash(keys, arguments)).await?;
        if answer.as_ref().is_err_and(is_unloaded) {
            answer = connection.execute(operation, &self.by_text(keys, arguments)).await?;
        }
        match answer {
            Ok(value) => Ok(Some(value)),
            // Single commands would be refused as well.
            Err(error) if refuses_writes(&error) || is_of_cluster(&error) => Err(connection.explain(operation, error)),
            Err(error) => {
                self.refused(connection, &error);
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

pub(crate) fn is_unloaded(error: &RedisError) -> bool {
    error.kind() == ServerErrorKind::NoScript.into()
}
