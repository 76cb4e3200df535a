//! The modules of the program, so that the tests can drive it as it is.

pub mod args;
pub mod commands;
pub mod config;
pub mod demo;
pub mod enrich;
pub mod exit;
pub mod output;
pub mod selectors;
pub mod tui;
