//! Classification of the errors of the Redis driver.

use redis::{ErrorKind, RedisError, ServerErrorKind};

pub(crate) fn is_broken(error: &RedisError) -> bool {
    error.is_unrecoverable_error() || error.is_timeout()
}

pub(crate) fn is_temporary(error: &RedisError) -> bool {
    matches!(
        error.kind(),
        ErrorKind::Io
            | ErrorKind::Server(
                ServerErrorKind::BusyLoading
                    | ServerErrorKind::TryAgain
                    | ServerErrorKind::MasterDown
                    | ServerErrorKind::ClusterDown
            )
    )
}

/// Whether the server refused a command for the keys in it; it may allow the same command with other keys.
pub(crate) fn lacks_right_to_keys(error: &RedisError) -> bool {
    // The message says either "to run the 'x' command" or "to access one of the keys".
    error.code() == Some("NOPERM") && error.detail().is_some_and(|detail| detail.contains(" key"))
}
