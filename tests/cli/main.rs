//! The program as scripts and people start it: a process, against a real redis-server or real files.
#![allow(clippy::unwrap_used)]

mod bad_input;
mod browsing;
mod changing;
mod enriching;
mod faults;
mod help_style;
mod partial;
mod program;
#[path = "../harness/pty.rs"]
mod pty;
mod reading;
#[path = "../../cache-core/tests/harness/redis_server.rs"]
mod redis_server;
mod settings;
mod terminal;
mod troubleshooting;
mod upstream;
mod verifying;
mod warming;
mod watching;
