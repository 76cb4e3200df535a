//! Stores over other stores: each changes some methods and delegates the others.

pub(crate) mod archive;
#[macro_use]
pub(crate) mod delegate;
pub(crate) mod fallback;
pub(crate) mod memory_tier;
pub(crate) mod read_only;
