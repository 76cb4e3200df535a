//! Everything an administrator does, over any store: choosing, counting, flushing, and changing TTLs.

pub mod filter;
pub mod flush;
pub mod select;
pub mod stats;
pub mod ttl;
