//! Services: a compiled-in table that the configuration file extends.

pub mod anidb;
pub mod configured;
pub mod names;
pub mod table;
pub mod token;

pub use configured::{Services, base_url_problem};
pub use names::*;
pub use table::{registry, strategy};
