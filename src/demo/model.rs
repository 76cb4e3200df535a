//! Entries of the demo before they are stored.

use cache_core::{Call, Request, Response};
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

impl Outcome {
    /// The key of the result of a function with one argument.
    pub(crate) fn key(prefix: &str, schema: &str, argument: &str) -> String {
        Call::new(prefix, schema).argument(argument).key().expect("a text is an argument")
    }
}

pub(crate) fn json(value: &Value) -> Vec<u8> {
    value.to_string().into_bytes()
}
