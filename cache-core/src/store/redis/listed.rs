//! Entries that a listing has read, and those that it may not read.

use redis::RedisError;

use crate::error::Error;
use crate::model::summary::Summary;
use crate::store::redis::connection::Connection;

/// The entries that still exist.
#[derive(Debug, Default)]
pub(crate) struct Summaries {
    pub(crate) readable: Vec<Summary>,
    /// How many may not be read, and why.
    pub(crate) denied: u64,
    pub(crate) refusal: Option<Error>,
}

impl Summaries {
    pub(crate) fn deny(&mut self, connection: &Connection, error: RedisError) {
        self.denied += 1;
        self.refusal.get_or_insert_with(|| connection.explain("reading entries", error));
    }

    pub(crate) fn join(mut self, other: Self) -> Self {
        self.readable.extend(other.readable);
        Self { readable: self.readable, denied: self.denied + other.denied, refusal: self.refusal.or(other.refusal) }
    }
}
