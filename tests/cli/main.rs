//! Tests of the program as a process, with a real redis-server or real files.
#![allow(clippy::unwrap_used)]

mod bad_input;
mod browsing;
mod doctor;
mod enrich_modes;
mod enriching;
#[path = "../harness/environment.rs"]
mod environment;
mod faults;
mod flush_and_ttl;
#[path = "../harness/hostile.rs"]
mod harness;
mod help_style;
mod hostile;
mod isolation;
mod kinds_of_servers;
mod partial_results;
mod program;
#[path = "../harness/pty.rs"]
mod pty;
#[path = "../../cache-core/tests/harness/redis_server.rs"]
mod redis_server;
mod settings;
mod stats_ls_show;
mod terminal;
mod tls;
mod undoing;
mod upstream;
mod warm;
mod watching;
