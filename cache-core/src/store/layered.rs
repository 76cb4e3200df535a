//! Stores over other stores, each of which changes some of their methods and passes the others on.

#[macro_use]
pub(crate) mod delegate;
pub(crate) mod fallback;
pub(crate) mod memory_tier;
pub(crate) mod read_only;
