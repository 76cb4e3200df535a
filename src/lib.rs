//! The modules of the program, as a library for its tests.

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
