//! The Redis backend. Reads layouts A, B and D side by side; writes the configured one.

pub(crate) mod bodies;
pub(crate) mod candidate;
pub(crate) mod client_tracking;
pub(crate) mod commands;
pub(crate) mod connection;
pub(crate) mod driver_error;
pub(crate) mod events;
pub(crate) mod heads;
pub(crate) mod info;
pub(crate) mod inspect;
pub(crate) mod layout;
pub(crate) mod leases;
pub(crate) mod location_cache;
pub(crate) mod lookup;
pub(crate) mod memory_usage;
pub(crate) mod rate_limit;
pub(crate) mod remove;
pub(crate) mod reply;
pub(crate) mod results;
pub(crate) mod scan;
pub(crate) mod script;
pub(crate) mod session;
pub(crate) mod stats;
pub(crate) mod store;
pub(crate) mod touch;
pub(crate) mod write;
