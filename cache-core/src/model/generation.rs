//! [`Generation`]: a version of a key, which changes with each invalidation.

/// The generation of a key: it changes whenever entries are invalidated or flushed.
///
/// It is read before a response is requested or a result computed, and must still be the same when that is stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Generation {
    /// The number of the last flush in the storage.
    pub all: u64,
    /// The number of the last invalidation of the key.
    pub key: u64,
}

impl Generation {
    /// The storage has no generations: a response or result is stored unchecked.
    pub const UNKNOWN: Self = Self { all: u64::MAX, key: u64::MAX };

    /// Whether the storage has generations.
    pub fn is_known(self) -> bool {
        self != Self::UNKNOWN
    }
}
