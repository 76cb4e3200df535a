//! TODO

pub(crate) mod guarded_store;
pub(crate) mod shared;
pub(crate) mod single_flight;
pub(crate) mod stats_recorder;
pub(crate) mod tasks;
