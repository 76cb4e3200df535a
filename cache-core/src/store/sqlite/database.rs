//! The open file. Reading changes nothing in it: the journal mode and the tables of this crate are set up by the first
//! write.

use std::fmt::Write as _;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, Transaction, TransactionBehavior};

use crate::clock;
use crate::model::entry::StorageLayout;
use crate::model::service::ServiceRegistry;
use crate::store::sqlite::failure::{Failure, is_locked};
use crate::store::sqlite::if_missing::IfMissing;
use crate::store::sqlite::rows::Reader;
use crate::store::sqlite::schema;
use crate::store::sqlite::schema::BUSY_TIMEOUT;
use crate::store::sqlite::sweep::Sweep;

/// The capacity for prepared statements: all that exist.
const STATEMENTS: usize = 32;

/// An open file.
pub(crate) struct Database {
    file: PathBuf,
    identity: Option<Identity>,
    pub(crate) connection: Connection,
    pub(crate) layout: StorageLayout,
    pub(crate) services: Arc<ServiceRegistry>,
    /// Whether an empty in-memory database replaces a missing file.
    is_placeholder: bool,
    is_prepared: bool,
    sweep: Sweep,
}

impl Database {
    pub(crate) fn open(file: &Path, missing: IfMissing, services: &Arc<ServiceRegistry>) -> Result<Self, Failure> {
        if !file.exists() {
            return match missing {
                IfMissing::Fail => Err(Failure::Missing),
                IfMissing::Empty => Self::placeholder(file, services),
                IfMissing::Create => Self::create(file, services),
            };
        }
        let connection = connect(file)?;
        match (schema::layout(&connection)?, missing) {
            (Some(layout), _) => Ok(Self::new(file, connection, layout, services)),
            (None, IfMissing::Create) => Self::create(file, services),
            (None, IfMissing::Empty) => Self::placeholder(file, services),
            (None, IfMissing::Fail) => Err(Failure::NotACache("table 'entries' not found")),
        }
    }

    fn new(file: &Path, connection: Connection, layout: StorageLayout, services: &Arc<ServiceRegistry>) -> Self {
        connection.set_prepared_statement_cache_capacity(STATEMENTS);
        Self {
            file: file.to_owned(),
            identity: identity(file),
            connection,
            layout,
            services: Arc::clone(services),
            is_placeholder: false,
            is_prepared: false,
            sweep: Sweep::default(),
        }
    }

    fn create(file: &Path, services: &Arc<ServiceRegistry>) -> Result<Self, Failure> {
        if let Some(directory) = file.parent() {
            std::fs::create_dir_all(directory)?;
        }
        let connection =
            configured(Connection::open_with_flags(file, OpenFlags::default() - OpenFlags::SQLITE_OPEN_URI)?)?;
        use_wal(&connection)?;
        schema::create(&connection)?;
        Ok(Self::new(file, connection, StorageLayout::Sqlite1, services))
    }

    fn placeholder(file: &Path, services: &Arc<ServiceRegistry>) -> Result<Self, Failure> {
        let connection = Connection::open_in_memory()?;
        schema::create(&connection)?;
        Ok(Self { is_placeholder: true, ..Self::new(file, connection, StorageLayout::Sqlite1, services) })
    }

    /// A reader of the present state.
    pub(crate) fn reader(&self) -> Reader<'_> {
        Reader { connection: &self.connection, layout: self.layout, services: &self.services, now: clock::now() }
    }

    /// The database, reopened if the file was replaced: a deleted file can still be read and written, but no other
    /// program would find what is stored in it.
    pub(crate) fn open_connection(&mut self) -> Result<&mut Self, Failure> {
        if self.is_placeholder {
            if let Ok(database) = Self::open(&self.file, IfMissing::Fail, &self.services) {
                *self = database;
            }
        } else if !self.is_open() {
            *self = Self::open(&self.file, IfMissing::Fail, &self.services)?;
        }
        Ok(self)
    }

    /// Whether the file still is the one that was opened.
    pub(crate) fn is_open(&self) -> bool {
        !self.is_placeholder && identity(&self.file) == self.identity
    }

    /// Begins a transaction, which is rolled back unless it is committed.
    pub(crate) fn change(&mut self) -> Result<(Transaction<'_>, StorageLayout), Failure> {
        if self.is_placeholder {
            return Err(Failure::Missing);
        }
        if !self.is_prepared {
            use_wal(&self.connection)?;
            schema::create_own(&self.connection)?;
            self.is_prepared = true;
        }
        // Immediate: a transaction that began by reading could not wait for another writer.
        Ok((self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?, self.layout))
    }

    /// Called after storing: now and then, a few dead rows are deleted.
    pub(crate) fn has_grown(&mut self) {
        if let Err(failure) = self.sweep.has_grown(&mut self.connection, self.layout, &self.services) {
            tracing::debug!(%failure, "could not delete expired rows");
        }
    }
}

/// The identity of a file: its device and inode.
type Identity = (u64, u64);

/// `None`: there is no file.
fn identity(file: &Path) -> Option<Identity> {
    let metadata = std::fs::metadata(file).ok()?;
    #[cfg(unix)]
    let identity = (MetadataExt::dev(&metadata), MetadataExt::ino(&metadata));
    #[cfg(not(unix))]
    let identity = (0, metadata.is_file().into());
    Some(identity)
}

/// Opens the existing file, for writing if possible.
fn connect(file: &Path) -> Result<Connection, Failure> {
    let plain = OpenFlags::SQLITE_OPEN_NO_MUTEX;
    // SQLite itself opens a write-protected file for reading, but not one with a write-ahead log in a write-protected
    // directory: no other program can be writing to it, so it may be read without locks.
    let attempt = |name: &Path, flags| -> Result<Connection, Failure> {
        let connection = configured(Connection::open_with_flags(name, flags)?)?;
        connection.query_row("SELECT COUNT(*) FROM sqlite_schema", [], |_| Ok(()))?;
        Ok(connection)
    };
    attempt(file, plain | OpenFlags::SQLITE_OPEN_READ_WRITE).or_else(|failure| match failure {
        Failure::Sqlite(error) if is_about_access(&error) && file.is_file() => {
            let flags = plain | OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI;
            attempt(&immutable(file), flags).map_err(|_| error.into())
        }
        failure => Err(failure),
    })
}

fn configured(connection: Connection) -> Result<Connection, Failure> {
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    // Otherwise SQLite plans a statement again for each value of its `LIMIT`, which takes longer than to run it.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    Ok(connection)
}

fn use_wal(connection: &Connection) -> Result<(), Failure> {
    match connection.pragma_update(None, "journal_mode", "WAL") {
        // Another program is reading: the current journal mode works as well.
        Err(error) if is_locked(&error) => Ok(()),
        outcome => Ok(outcome?),
    }
}

fn is_about_access(error: &rusqlite::Error) -> bool {
    use rusqlite::ErrorCode::{CannotOpen, PermissionDenied, ReadOnly};
    matches!(error.sqlite_error_code(), Some(CannotOpen | PermissionDenied | ReadOnly))
}

/// The file as a URI that declares it immutable to SQLite.
fn immutable(file: &Path) -> PathBuf {
    let mut uri = String::from("file:");
    for byte in file.as_os_str().as_encoded_bytes() {
        match byte {
            b'/' | b'-' | b'_' | b'.' => uri.push(char::from(*byte)),
            byte if byte.is_ascii_alphanumeric() => uri.push(char::from(*byte)),
            byte => {
                // Writing to a String cannot fail.
                let _ = write!(uri, "%{byte:02X}");
            }
        }
    }
    uri.push_str("?immutable=1");
    uri.into()
}
