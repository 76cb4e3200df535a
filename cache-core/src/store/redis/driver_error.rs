//! Classification of the errors of the Redis driver.

use redis::{ErrorKind, RedisError, ServerErrorKind};

use crate::error::RefusalScope;

pub(crate) fn is_broken(error: &RedisError) -> bool {
    error.is_unrecoverable_error() || error.is_timeout()
}

pub(crate) fn is_temporary(error: &RedisError) -> bool {
    matches!(
        error.kind(),
        ErrorKind::Io
            | ErrorKind::Server(ServerErrorKind::BusyLoading | ServerErrorKind::TryAgain | ServerErrorKind::MasterDown)
    )
}

/// The code of a server's error: its first word. Redis 6 wraps the errors of commands in scripts in one of its own.
pub(crate) fn code(error: &RedisError) -> Option<&str> {
    let code = error.code()?;
    if code != "ERR" {
        return Some(code);
    }
    let detail = error.detail().unwrap_or_default();
    let inner = detail.split_whitespace().find_map(|word| word.strip_prefix('-'));
    let is_code = |word: &&str| word.len() > 2 && word.bytes().all(|letter| letter.is_ascii_uppercase());
    if let Some(inner) = inner.filter(is_code) {
        return Some(inner);
    }
    // Redis 6 and 7 name no code for a right that is missing inside a script.
    let is_denied = detail.contains("ACL failure in script") || detail.contains("executing the script can't");
    Some(if is_denied { "NOPERM" } else { code })
}

/// Whether the server takes no writes from any client now.
pub(crate) fn refuses_writes(error: &RedisError) -> bool {
    matches!(code(error), Some("READONLY" | "NOREPLICAS" | "MISCONF" | "OOM"))
}

/// Whether the server is no longer the one that was connected: a primary became a replica, or a node of a cluster.
pub(crate) fn has_moved(error: &RedisError) -> bool {
    matches!(code(error), Some("READONLY" | "MOVED"))
}

/// Whether the server is a node of a cluster.
pub(crate) fn is_of_cluster(error: &RedisError) -> bool {
    matches!(code(error), Some("MOVED" | "ASK" | "CROSSSLOT" | "CLUSTERDOWN"))
}

/// Whether an error answer shows that the server is there and lets this user in.
pub(crate) fn is_refusal_of_server(error: &RedisError) -> bool {
    let is_answer = matches!(error.kind(), ErrorKind::Server(_) | ErrorKind::Extension);
    is_answer && !is_temporary(error) && !matches!(code(error), Some("NOAUTH" | "WRONGPASS"))
}

/// Whether the server refused a command for the keys in it; it may allow the same command with other keys.
pub(crate) fn lacks_right_to_keys(error: &RedisError) -> bool {
    // The message says either "to run the 'x' command" or "to access one of the keys".
    code(error) == Some("NOPERM") && error.detail().is_some_and(|detail| detail.contains(" key"))
}

pub(crate) fn is_unknown_command(error: &RedisError) -> bool {
    error.detail().is_some_and(|detail| detail.contains("unknown command"))
}

/// Which other operations the server would refuse, too.
pub(crate) fn scope(error: &RedisError) -> RefusalScope {
    if refuses_writes(error) {
        RefusalScope::Writes
    } else if lacks_right_to_keys(error) {
        RefusalScope::Keys
    } else {
        RefusalScope::All
    }
}
