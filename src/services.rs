//! The services: one table, compiled in and extended by the configuration file.

pub mod anidb;
pub mod configured;
pub mod names;
pub mod table;
pub mod token;

pub use configured::Services;
pub use names::*;
pub use table::{registry, strategy};
