//! Failures on a SQLite thread.

use uuid::Uuid;

use crate::error::{BackendId, Error, RefusalScope};

/// A failure on the thread, before the operation and the backend are added.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error(transparent)]
    Sqlite(#[from] rusqlite::Error),
    #[error(transparent)]
    Io(#[from] std::io::Error),
    #[error("not a cache database: {0}")]
    NotACache(&'static str),
    #[error("file not found")]
    Missing,
    #[error("the file changed while it was read without locks")]
    Changed,
    #[error("{0}")]
    Unsupported(&'static str),
    #[error("the database worker stopped unexpectedly")]
    Panicked,
    /// Body rows were deleted or replaced while they were read.
    #[error("the body of {0} is incomplete")]
    BodyCut(Uuid),
    /// The key of an entry was invalidated while it was requested.
    #[error("the key of {0} was invalidated")]
    Outdated(Uuid),
}

impl Failure {
    pub(crate) fn into_error(self, backend: &BackendId, operation: &'static str) -> Error {
        let backend = backend.clone();
        match self {
            Self::Missing => Error::Missing { backend },
            changed @ Self::Changed => Error::Unavailable { backend, source: changed.into() },
            Self::Unsupported(what) => Error::Unsupported(what),
            Self::BodyCut(id) => Error::Removed { backend, what: format!("a part of the body of {id}") },
            Self::Outdated(id) => Error::Removed { backend, what: format!("the key of {id}") },
            // Another program holds the lock; every other failure needs an intervention.
            Self::Sqlite(error) if is_locked(&error) => Error::Unavailable { backend, source: error.into() },
            other => Error::Refused { backend, operation, scope: RefusalScope::All, source: other.into() },
        }
    }
}

pub(crate) fn is_locked(error: &rusqlite::Error) -> bool {
    use rusqlite::ErrorCode::{DatabaseBusy, DatabaseLocked};
    matches!(error.sqlite_error_code(), Some(DatabaseBusy | DatabaseLocked))
}
