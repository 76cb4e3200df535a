//! The attribute macro `#[cached_result]` of cache-core.
