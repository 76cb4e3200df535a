//! TODO

use cache_core::{Request, Response};
use serde_json::Value;

/// How long the pipeline keeps everything.
pub(crate) const DAY: f64 = 86_400.0;

/// A response to store, with the request that it answers and its two ages.
pub(crate) struct StoredExample {
    pub(crate) request: Request,
    pub(crate) key: cache_core::CacheKey,
    pub(crate) response: Response,
    pub(crate) body: Vec<u8>,
    /// Seconds since it was stored.
    pub(crate) age: f64,
    /// Seconds since it was last served, which gave it its full TTL again.
    pub(crate) idle: f64,
    /// Marked as deleted, not yet gone.
    pub(crate) is_deleted: bool,
}

/// A result to store.
pub(crate) struct Outcome {
    pub(crate) key: String,
    pub(crate) value: String,
    /// Seconds since it was stored.
    pub(crate) age: f64,
}

/// Text as JSON bodies have it.
pub(crate) fn json(value: &Value) -> Vec<u8> {
    value.to_string().into_bytes()
}
