//! Everything an administrator does, over any store: choosing, counting, flushing, and changing TTLs.

pub mod batch;
pub mod flush;
pub mod select;
pub mod stats;
pub mod ttl;
