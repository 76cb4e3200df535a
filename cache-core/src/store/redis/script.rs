//! Scripts that the server runs: several steps in one round trip, with nobody in between.
//!
//! Not every server and user may run them, so each caller has another way.

use redis::{Cmd, RedisError, ServerErrorKind, Value, cmd};

use crate::error::Result;
use crate::store::redis::connection::Connection;

/// A script, named by its hash, which the server remembers.
pub(crate) struct Script {
    text: &'static str,
    hash: String,
}

impl Script {
    pub(crate) fn new(text: &'static str) -> Self {
        Self { text, hash: redis::Script::new(text).get_hash().to_owned() }
    }

    /// Calls the script by its name; the server may have forgotten it (`NOSCRIPT`).
    pub(crate) fn by_hash(&self, keys: &[&[u8]], arguments: &[&[u8]]) -> Cmd {
        call("EVALSHA", &self.hash, keys, arguments)
    }

    fn by_text(&self, keys: &[&[u8]], arguments: &[&[u8]]) -> Cmd {
        call("EVAL", self.text, keys, arguments)
    }

    pub(crate) fn text(&self) -> &'static str {
        self.text
    }
}

fn call(command: &str, script: &str, keys: &[&[u8]], arguments: &[&[u8]]) -> Cmd {
    let mut call = cmd(command);
    call.arg(script).arg(keys.len()).arg(keys).arg(arguments);
    call
}

/// Whether the server runs no scripts for us, and will not the next time either.
pub(crate) fn is_denied(error: &RedisError) -> bool {
    error.code() == Some("NOPERM") || is_unknown_command(error)
}

pub(crate) fn is_forgotten(error: &RedisError) -> bool {
    error.kind() == ServerErrorKind::NoScript.into()
}

pub(crate) fn is_unknown_command(error: &RedisError) -> bool {
    error.detail().is_some_and(|detail| detail.contains("unknown command"))
}

impl Connection {
    /// Runs a script that may be repeated without harm. `None`: the server would not, and the caller is to do without.
    pub(crate) async fn run(
        &self,
        operation: &'static str,
        script: &Script,
        keys: &[&[u8]],
        arguments: &[&[u8]],
    ) -> Result<Option<Value>> {
        if !self.has_scripts() {
            return Ok(None);
        }
        let mut answer = self.answer(operation, &script.by_hash(keys, arguments)).await?;
        if answer.as_ref().is_err_and(is_forgotten) {
            answer = self.answer(operation, &script.by_text(keys, arguments)).await?;
        }
        match answer {
            Ok(value) => Ok(Some(value)),
            Err(error) => {
                tracing::debug!(%error, operation, "scripts unavailable; using single commands");
                if is_denied(&error) {
                    self.has_no_scripts();
                }
                Ok(None)
            }
        }
    }
}
