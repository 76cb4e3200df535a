//! Stores over other stores: each changes some methods and delegates the others.

#[macro_use]
pub(crate) mod archive;
pub(crate) mod delegate;
pub(crate) mod fallback;
pub(crate) mod memory_tier;
pub(crate) mod read_only;
