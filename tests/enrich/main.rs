//! Tests of enrichment: every service over real HTTP or from a table, with real stores.
#![allow(clippy::unwrap_used)]

mod caches;
mod crawled;
mod keys;
mod limit_process;
mod limits;
mod modes;
#[path = "../../cache-core/tests/harness/origin.rs"]
mod origin;
mod recorded;
#[path = "../../cache-core/tests/harness/redis_server.rs"]
mod redis_server;
mod rendered;
mod scripted_site;
mod services;
mod table_transport;
mod upstream_errors;
