//! Administration of a store: selecting, counting and deleting entries, and changing TTLs.

pub mod archive;
pub mod batch;
pub mod flush;
pub mod select;
pub mod stats;
pub mod ttl;
