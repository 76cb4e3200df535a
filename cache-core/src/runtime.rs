//! The parts of a running cache besides its store: fault tolerance, single flight, statistics and background tasks.

pub(crate) mod guarded_store;
pub(crate) mod outcomes;
pub(crate) mod removals;
pub(crate) mod shared;
pub(crate) mod shared_answer;
pub(crate) mod single_flight;
pub(crate) mod stats_cells;
pub(crate) mod stats_recorder;
pub(crate) mod tasks;
