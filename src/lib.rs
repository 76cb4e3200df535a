//! The modules of the program, so that the tests can drive it as it is.

pub mod anime;
pub mod cli;
pub mod commands;
pub mod demo;
pub mod enrich;
pub mod exit;
pub mod output;
pub mod services;
pub mod settings;
pub mod tui;
