//! Tests of the dashboard: its event loop and runner over real stores, and the program on a pseudo-terminal.
#![allow(clippy::unwrap_used)]

mod enrich;
#[path = "../harness/environment.rs"]
mod environment;
#[path = "../../cache-core/tests/harness/faulty_store.rs"]
mod faulty_store;
#[path = "../harness/hostile.rs"]
mod hostile;
#[path = "../harness/pty.rs"]
mod pty;
#[path = "../../cache-core/tests/harness/redis_server.rs"]
mod redis_server;
#[path = "../harness/session.rs"]
mod session;
mod sessions;
mod terminal;
mod watch;
