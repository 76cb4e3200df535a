//! The program as scripts and people start it: a process, against a real redis-server or real files.
#![allow(clippy::unwrap_used)]

mod bad_input;
mod browsing;
mod flush_and_ttl;
mod enriching;
mod faults;
mod help_style;
mod partial_results;
mod program;
#[path = "../harness/pty.rs"]
mod pty;
mod stats_ls_show;
#[path = "../../cache-core/tests/harness/redis_server.rs"]
mod redis_server;
mod settings;
mod terminal;
mod doctor;
mod upstream;
mod enrich_modes;
mod warm;
mod watching;
