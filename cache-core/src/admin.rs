//! Administration of a store: selecting and counting entries, planning changes and applying them.

pub mod apply;
pub mod archive;
pub mod plan;
pub mod recorder;
pub mod select;
pub mod stats;
pub mod undo;
