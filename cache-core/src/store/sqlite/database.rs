//! The open file. Reading changes nothing in it: the journal mode and the tables of this crate are set up by the first
//! write.

use std::fmt::Write as _;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, Transaction, TransactionBehavior};

use crate::clock;
use crate::model::entry::StorageLayout;
use crate::model::service::ServiceRegistry;
use crate::store::sqlite::failure::{Failure, is_locked};
use crate::store::sqlite::if_missing::IfMissing;
use crate::store::sqlite::rows::Reader;
use crate::store::sqlite::schema::BUSY_TIMEOUT;
use crate::store::sqlite::space::MAX_FILE_BYTES;
use crate::store::sqlite::sweep::Sweep;
use crate::store::sqlite::{schema, space};

/// The capacity for prepared statements: all that exist.
const STATEMENTS: usize = 32;

/// An open file.
pub(crate) struct Database {
    file: PathBuf,
    identity: Option<Identity>,
    pub(crate) connection: Connection,
    pub(crate) layout: StorageLayout,
    pub(crate) services: Arc<ServiceRegistry>,
    /// What a file that is deleted meanwhile is reopened as.
    missing: IfMissing,
    access: Access,
    is_prepared: bool,
    max_bytes: u64,
    sweep: Sweep,
}

/// How the file is open.
#[derive(PartialEq)]
enum Access {
    Shared,
    /// Without locks, for one look only: other users may write to a file that this one may not write to.
    Unlocked(Snapshot),
    /// An empty in-memory database replaces a missing file.
    Placeholder,
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
        let (connection, access) = connect(file)?;
        match (schema::layout(&connection)?, missing) {
            (Some(layout), _) => Ok(Self { missing, access, ..Self::new(file, connection, layout, services) }),
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
            missing: IfMissing::Create,
            access: Access::Shared,
            is_prepared: false,
            max_bytes: MAX_FILE_BYTES,
            sweep: Sweep::default(),
        }
    }

    fn create(file: &Path, services: &Arc<ServiceRegistry>) -> Result<Self, Failure> {
        if let Some(directory) = file.parent() {
            std::fs::create_dir_all(directory)?;
        }
        let connection =
            configured(Connection::open_with_flags(file, OpenFlags::default() - OpenFlags::SQLITE_OPEN_URI)?)?;
        space::prepare(&connection)?;
        use_wal(&connection)?;
        schema::create(&connection)?;
        Ok(Self::new(file, connection, StorageLayout::Sqlite1, services))
    }

    fn placeholder(file: &Path, services: &Arc<ServiceRegistry>) -> Result<Self, Failure> {
        let connection = Connection::open_in_memory()?;
        schema::create(&connection)?;
        let (access, missing) = (Access::Placeholder, IfMissing::Empty);
        Ok(Self { missing, access, ..Self::new(file, connection, StorageLayout::Sqlite1, services) })
    }

    /// A reader of the present state.
    pub(crate) fn reader(&self) -> Reader<'_> {
        Reader { connection: &self.connection, layout: self.layout, services: &self.services, now: clock::now() }
    }

    /// The database, reopened as at first if the file was replaced or deleted: a deleted file can still be read and
    /// written, but no other program would find what is stored in it.
    pub(crate) fn open_connection(&mut self) -> Result<&mut Self, Failure> {
        if self.access == Access::Placeholder {
            if let Ok(database) = Self::open(&self.file, IfMissing::Fail, &self.services) {
                *self = Self { missing: self.missing, ..database };
            }
        } else if !self.is_open() {
            *self = Self::open(&self.file, self.missing, &self.services)?;
        }
        Ok(self)
    }

    /// Whether the connection may be used again: the file still is the one that was opened.
    pub(crate) fn is_open(&self) -> bool {
        self.access == Access::Shared && identity(&self.file) == self.identity
    }

    /// Fails if a file that is read without locks has changed since it was opened.
    pub(crate) fn check_snapshot(&self) -> Result<(), Failure> {
        match &self.access {
            Access::Unlocked(before) if Snapshot::of(&self.file).as_ref() != Some(before) => Err(Failure::Changed),
            _ => Ok(()),
        }
    }

    /// Sets the largest size of the file.
    #[cfg(test)]
    pub(crate) fn set_max_bytes(&mut self, bytes: u64) -> Result<(), Failure> {
        self.max_bytes = bytes;
        space::limit(&self.connection, bytes)
    }

    /// Device and inode of the file.
    pub(crate) fn instance(&self) -> Option<String> {
        self.identity.map(|(device, inode)| format!("{device}:{inode}"))
    }

    /// Begins a transaction, which is rolled back unless it is committed.
    pub(crate) fn change(&mut self) -> Result<(Transaction<'_>, StorageLayout), Failure> {
        if self.access == Access::Placeholder {
            return Err(Failure::Missing);
        }
        if !self.is_prepared {
            space::limit(&self.connection, self.max_bytes)?;
            use_wal(&self.connection)?;
            schema::create_own(&self.connection)?;
            self.is_prepared = true;
        }
        // Immediate: a transaction that began by reading could not wait for another writer.
        Ok((self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?, self.layout))
    }

    /// Called after storing: now and then, a few dead rows are deleted.
    pub(crate) fn has_grown(&mut self) {
        let swept = self.sweep.has_grown(&mut self.connection, self.layout, &self.services, self.max_bytes);
        if let Err(failure) = swept {
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

/// The state of a file that is read without locks.
#[derive(PartialEq)]
struct Snapshot {
    identity: Identity,
    size: u64,
    modified: Option<SystemTime>,
}

impl Snapshot {
    /// `None`: the file does not contain everything, because its write-ahead log does.
    fn of(file: &Path) -> Option<Self> {
        let mut log = file.as_os_str().to_owned();
        log.push("-wal");
        if std::fs::metadata(&log).is_ok_and(|log| log.len() > 0) {
            return None;
        }
        let metadata = std::fs::metadata(file).ok()?;
        Some(Self { identity: identity(file)?, size: metadata.len(), modified: metadata.modified().ok() })
    }
}

/// Opens the existing file, for writing if possible.
fn connect(file: &Path) -> Result<(Connection, Access), Failure> {
    let plain = OpenFlags::SQLITE_OPEN_NO_MUTEX;
    // SQLite itself opens a write-protected file for reading, but not one in WAL mode in a write-protected directory
    // while no other program has it open: there it cannot create the locks.
    let attempt = |name: &Path, flags| -> Result<Connection, Failure> {
        let connection = configured(Connection::open_with_flags(name, flags)?)?;
        connection.query_row("SELECT COUNT(*) FROM sqlite_schema", [], |_| Ok(()))?;
        Ok(connection)
    };
    match attempt(file, plain | OpenFlags::SQLITE_OPEN_READ_WRITE) {
        Ok(connection) => Ok((connection, Access::Shared)),
        Err(Failure::Sqlite(error)) if is_about_access(&error) => {
            let Some(snapshot) = Snapshot::of(file).filter(|_| file.is_file()) else { return Err(error.into()) };
            let flags = plain | OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI;
            let connection = attempt(&immutable(file), flags).map_err(|_| error)?;
            Ok((connection, Access::Unlocked(snapshot)))
        }
        Err(failure) => Err(failure),
    }
}

fn configured(connection: Connection) -> Result<Connection, Failure> {
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    // Deleted tokens and bodies must not stay readable in the file.
    connection.pragma_update(None, "secure_delete", true)?;
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
