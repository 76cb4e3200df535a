//! A change of entries: what is changed, in which store, and what each entry was when the change was planned.

use std::ops::AddAssign;
use std::time::Duration;

use crate::error::BackendId;
use crate::model::entry::{CacheKind, EntryId};
use crate::model::summary::Summary;

/// How far two readings of one expiry may be apart, in seconds: Redis returns the remaining time.
pub(crate) const EXPIRY_TOLERANCE: f64 = 1.0;

/// A store, so that another server or file at the same URL or path is another store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreIdentity {
    /// The backend.
    pub backend: BackendId,
    /// Redis: run ID and number of the database; SQLite: device and inode. `None`: unknown, and not compared.
    pub instance: Option<String>,
}

impl StoreIdentity {
    /// Whether both are one store, as far as both are known.
    pub fn is_same(&self, other: &Self) -> bool {
        let is_same_instance = match (&self.instance, &other.instance) {
            (Some(one), Some(other)) => one == other,
            _ => true,
        };
        self.backend == other.backend && is_same_instance
    }
}

impl From<BackendId> for StoreIdentity {
    fn from(backend: BackendId) -> Self {
        Self { backend, instance: None }
    }
}

/// A change of entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// Delete them.
    Remove,
    /// Change their TTL.
    Expire(ExpiryChange),
}

/// A change of TTLs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExpiryChange {
    /// Set the TTL.
    Set(Duration),
    /// Extend the TTL that is left when the change is made; entries without a TTL are unchanged.
    Extend(Duration),
    /// Remove the TTL.
    Persist,
}

/// An entry to be changed, if it still is what it was.
#[derive(Clone, Debug, PartialEq)]
pub struct Target {
    /// The entry.
    pub id: EntryId,
    /// What it was when the change was planned.
    pub was: Fingerprint,
}

impl Target {
    /// An entry to be changed whatever it is.
    pub fn any(id: EntryId) -> Self {
        Self { id, was: Fingerprint::default() }
    }
}

/// When an entry expires.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Expiry {
    /// Never.
    Never,
    /// At this time, in Unix seconds.
    At(f64),
}

impl From<Option<f64>> for Expiry {
    fn from(expires_at: Option<f64>) -> Self {
        expires_at.map_or(Self::Never, Self::At)
    }
}

/// What an entry was when a change was planned. The default is true of every entry.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Fingerprint {
    /// [`Summary::version`]; `None`: unknown, and not compared.
    pub version: Option<u64>,
    /// The length of a result; `None`: not compared.
    pub size: Option<u64>,
    /// When it was to expire; `None`: not compared, since each hit renews the TTL of a response.
    pub expiry: Option<Expiry>,
}

impl Fingerprint {
    /// What an entry is now. The expiry of a response is part of it only with `is_by_expiry`, for a selection by TTL.
    pub fn new(entry: &Summary, is_by_expiry: bool) -> Self {
        let is_result = entry.kind() == CacheKind::Result;
        Self {
            version: entry.version,
            size: is_result.then_some(entry.size),
            expiry: (is_result || is_by_expiry).then(|| entry.expires_at.into()),
        }
    }

    /// Whether an entry still is what it was.
    pub(crate) fn is_of(&self, now: &Summary) -> bool {
        self.version.is_none_or(|version| now.version == Some(version))
            && self.size.is_none_or(|size| now.size == size)
            && self.is_expiry(now.expires_at)
    }

    pub(crate) fn is_expiry(&self, now: Option<f64>) -> bool {
        match (self.expiry, now) {
            (None, _) | (Some(Expiry::Never), None) => true,
            (Some(Expiry::At(was)), Some(now)) => (was - now).abs() <= EXPIRY_TOLERANCE,
            _ => false,
        }
    }
}

/// What came of a change.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Applied {
    /// Entries that were changed.
    pub entries: u64,
    /// Deleted Redis keys (rows in SQLite): entries, bodies and emptied indexes.
    pub keys: u64,
    /// Entries that were left alone, since they are not what they were when the change was planned.
    pub changed_meanwhile: u64,
    /// Entries that no longer exist.
    pub gone: u64,
    /// Entries to which the change does not apply: those without a TTL have none to extend.
    pub unchanged: u64,
    /// Deleted entries with a body that stays a moment for its readers.
    pub bodies: Vec<EntryId>,
}

impl AddAssign for Applied {
    fn add_assign(&mut self, mut other: Self) {
        self.entries += other.entries;
        self.keys += other.keys;
        self.changed_meanwhile += other.changed_meanwhile;
        self.gone += other.gone;
        self.unchanged += other.unchanged;
        self.bodies.append(&mut other.bodies);
    }
}
