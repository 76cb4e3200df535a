//! The modules of the program, so that the tests can drive it as it is.

pub mod demo;
pub mod output;
pub mod selectors;
pub mod tui;
