//! Entries of the demo before they are stored.

use cache_core::{Request, Response};
use serde_json::Value;

/// The TTL of the pipeline.
pub(crate) const DAY: f64 = 86_400.0;

/// A response to store, with its request and its two ages.
pub(crate) struct StoredExample {
    pub(crate) request: Request,
    pub(crate) key: cache_core::CacheKey,
    pub(crate) response: Response,
    pub(crate) body: Vec<u8>,
    /// Seconds since it was stored.
    pub(crate) age: f64,
    /// Seconds since it was last served, which renewed its TTL.
    pub(crate) idle: f64,
    /// Marked as deleted, but not removed yet.
    pub(crate) is_deleted: bool,
}

/// A result to store.
pub(crate) struct Outcome {
    pub(crate) key: String,
    pub(crate) value: String,
    /// Seconds since it was stored.
    pub(crate) age: f64,
}

pub(crate) fn json(value: &Value) -> Vec<u8> {
    value.to_string().into_bytes()
}
