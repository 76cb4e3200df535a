//! [`ChangeLog`]: whether a key has changed since a read began.
//!
//! Keys are hashed to shards: a busy store changes some key at any time, and must not keep the reads of others out.

use std::hash::{BuildHasher as _, Hash, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};

/// The number of shards: a change keeps one of this many reads of other keys from being stored.
const SHARDS: usize = 1_024;

pub(crate) struct ChangeLog {
    hasher: RandomState,
    /// Counts all changes.
    now: AtomicU64,
    /// The number of the last change of each shard.
    last: Box<[AtomicU64]>,
}

/// The number of changes when a read began.
#[derive(Clone, Copy)]
pub(crate) struct Version(u64);

impl ChangeLog {
    pub(crate) fn new() -> Self {
        let last = std::iter::repeat_with(AtomicU64::default).take(SHARDS).collect();
        Self { hasher: RandomState::new(), now: AtomicU64::new(0), last }
    }

    pub(crate) fn version(&self) -> Version {
        Version(self.now.load(Ordering::SeqCst))
    }

    /// Records a change of a key.
    pub(crate) fn record(&self, key: impl Hash) {
        let number = self.now.fetch_add(1, Ordering::SeqCst) + 1;
        self.shard(key).store(number, Ordering::SeqCst);
    }

    /// Records a change of every key.
    pub(crate) fn record_all(&self) {
        let number = self.now.fetch_add(1, Ordering::SeqCst) + 1;
        for shard in &self.last {
            shard.store(number, Ordering::SeqCst);
        }
    }

    pub(crate) fn is_unchanged(&self, since: Version, key: impl Hash) -> bool {
        self.shard(key).load(Ordering::SeqCst) <= since.0
    }

    fn shard(&self, key: impl Hash) -> &AtomicU64 {
        &self.last[self.hasher.hash_one(key) as usize % SHARDS]
    }
}
