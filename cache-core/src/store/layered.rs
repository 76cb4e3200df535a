//! TODO

pub(crate) mod fallback;
pub(crate) mod memory_tier;
pub(crate) mod read_only;
