//! What the server lets others see, as signs of what its clients do: the same for both sources.

use uuid::Uuid;

use crate::model::entry::Layout;
use crate::model::event::EventKind;
use crate::model::key::CacheKey;
use crate::store::redis::layout::Name;

/// One sign.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Sign {
    /// An index was asked for; whether it is there is not known.
    IndexRead(Layout, CacheKey),
    /// An index was asked for and is not there.
    IndexMissed(Layout, CacheKey),
    /// An id came into an index, or went out of it.
    IndexJoined(CacheKey),
    IndexLeft(CacheKey),
    /// The head of an entry was read.
    HeadsRead(Layout, Uuid),
    /// The head of an entry was written.
    HeadsWritten(Layout, Uuid),
    /// hishel's own layouts: the body of an entry is marked as whole.
    BodyMarked(Uuid),
    /// The TTL of an entry was set.
    TtlSet(Layout, Uuid),
    /// The key of an entry is gone.
    EntryGone(Layout, Uuid, EventKind),
    /// The same of results, by their whole key.
    ResultRead(Box<[u8]>),
    ResultMissed(Box<[u8]>),
    ResultWritten(Box<[u8]>),
    ResultTtlSet(Box<[u8]>),
    ResultGone(Box<[u8]>, EventKind),
}

/// What was done to a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Deed {
    Read,
    Missed,
    Written,
    /// A member was added to, or taken out of, a set or a sorted set.
    Joined,
    Left,
    TtlSet,
    Gone(EventKind),
}

impl Sign {
    /// What a deed on a key is a sign of; `None`: of nothing, or the key is not of the caches.
    pub(crate) fn of(key: &[u8], deed: Deed) -> Option<Self> {
        Some(match (Name::parse(key), deed) {
            (Name::Index(layout, key), Deed::Read) => Self::IndexRead(layout, key),
            (Name::Index(layout, key), Deed::Missed) => Self::IndexMissed(layout, key),
            (Name::Index(_, key), Deed::Joined) => Self::IndexJoined(key),
            (Name::Index(_, key), Deed::Left) => Self::IndexLeft(key),
            (Name::Entry(layout, id), Deed::Read) => Self::HeadsRead(layout, id),
            (Name::Entry(layout, id), Deed::Written) => Self::HeadsWritten(layout, id),
            (Name::Entry(layout, id), Deed::TtlSet) => Self::TtlSet(layout, id),
            (Name::Entry(layout, id), Deed::Gone(how)) => Self::EntryGone(layout, id, how),
            (Name::Done(id), Deed::Written) => Self::BodyMarked(id),
            (Name::Result, Deed::Read) => Self::ResultRead(key.into()),
            (Name::Result, Deed::Missed) => Self::ResultMissed(key.into()),
            (Name::Result, Deed::Written) => Self::ResultWritten(key.into()),
            (Name::Result, Deed::TtlSet) => Self::ResultTtlSet(key.into()),
            (Name::Result, Deed::Gone(how)) => Self::ResultGone(key.into(), how),
            _ => return None,
        })
    }
}
