//! [`Signal`]: one observed effect of a client's command, the same for both event sources.

use uuid::Uuid;

use crate::format::redis_key::Name;
use crate::model::entry::StorageLayout;
use crate::model::event::EventKind;
use crate::model::key::CacheKey;

/// A signal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Signal {
    /// An index was read; whether it exists is not known.
    IndexRead(StorageLayout, CacheKey),
    /// A missing index was read.
    IndexMissed(StorageLayout, CacheKey),
    /// An ID was added to an index, or removed from it.
    IndexJoined(CacheKey),
    IndexLeft(CacheKey),
    /// The head of an entry was read.
    HeadsRead(StorageLayout, Uuid),
    /// The head of an entry was written.
    HeadsWritten(StorageLayout, Uuid),
    /// hishel's own layouts: the body of an entry is marked as complete.
    BodyMarked(Uuid),
    /// The TTL of an entry was set.
    TtlSet(StorageLayout, Uuid),
    /// The key of an entry was deleted, expired or evicted.
    EntryGone(StorageLayout, Uuid, EventKind),
    /// The same for results, by their whole key.
    ResultRead(Box<[u8]>),
    ResultMissed(Box<[u8]>),
    ResultWritten(Box<[u8]>),
    ResultTtlSet(Box<[u8]>),
    ResultGone(Box<[u8]>, EventKind),
}

/// The effect of a command on a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Command {
    Read,
    Missed,
    Written,
    /// A member was added to, or removed from, a set or a sorted set.
    Joined,
    Left,
    TtlSet,
    Removed(EventKind),
}

impl Signal {
    /// The signal of a command on a key; `None`: there is none, or the key does not belong to the caches.
    pub(crate) fn from_command(key: &[u8], command: Command) -> Option<Self> {
        Some(match (Name::parse(key), command) {
            (Name::Index(layout, key), Command::Read) => Self::IndexRead(layout, key),
            (Name::Index(layout, key), Command::Missed) => Self::IndexMissed(layout, key),
            (Name::Index(_, key), Command::Joined) => Self::IndexJoined(key),
            (Name::Index(_, key), Command::Left) => Self::IndexLeft(key),
            (Name::Entry(layout, id), Command::Read) => Self::HeadsRead(layout, id),
            (Name::Entry(layout, id), Command::Written) => Self::HeadsWritten(layout, id),
            (Name::Entry(layout, id), Command::TtlSet) => Self::TtlSet(layout, id),
            (Name::Entry(layout, id), Command::Removed(how)) => Self::EntryGone(layout, id, how),
            (Name::Done(id), Command::Written) => Self::BodyMarked(id),
            (Name::Result, Command::Read) => Self::ResultRead(key.into()),
            (Name::Result, Command::Missed) => Self::ResultMissed(key.into()),
            (Name::Result, Command::Written) => Self::ResultWritten(key.into()),
            (Name::Result, Command::TtlSet) => Self::ResultTtlSet(key.into()),
            (Name::Result, Command::Removed(how)) => Self::ResultGone(key.into(), how),
            _ => return None,
        })
    }
}
