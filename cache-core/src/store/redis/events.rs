//! The events of a cache, derived from what the server sends of its clients.

pub(crate) mod commands;
pub(crate) mod feed;
pub(crate) mod interpreter;
pub(crate) mod notifications;
pub(crate) mod pending;
pub(crate) mod reader;
pub(crate) mod signal;
pub(crate) mod timeouts;
