//! TODO

use std::hash::BuildHasher;

use futures_util::stream::{StreamExt, TryStreamExt};

/// How many entries one batch removes: small enough to stop soon, large enough that round trips do not count.
pub const BATCH: usize = 1_000;

/// How many entries are dealt with at the same time where each is by itself.
pub(crate) const AT_ONCE: usize = 32;

/// How far a plan or its execution has come.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Progress {
    /// Keys looked at (planning) or entries dealt with (execution).
    pub done: u64,
    /// Of about so many.
    pub total: u64,
    /// Entries that matched so far (planning) or are gone (execution).
    pub entries: u64,
}
