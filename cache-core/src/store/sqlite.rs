//! The SQLite backend: hishel's layouts C and E, and a table for results. Uses one reader and one writer thread.

pub(crate) mod apply;
pub(crate) mod archive;
pub(crate) mod bodies;
pub(crate) mod database;
pub(crate) mod delete;
pub(crate) mod details;
pub(crate) mod failure;
pub(crate) mod generation_store;
pub(crate) mod generations;
pub(crate) mod if_missing;
pub(crate) mod leases;
pub(crate) mod rate_limit;
pub(crate) mod read_stored;
#[cfg(test)]
mod recorded;
pub(crate) mod restore;
pub(crate) mod rows;
pub(crate) mod scan;
pub(crate) mod schema;
pub(crate) mod space;
pub(crate) mod stats;
pub(crate) mod store;
pub(crate) mod sweep;
pub(crate) mod worker;
pub(crate) mod write;
pub(crate) mod writer;
