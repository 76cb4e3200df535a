//! Cache events, derived from the commands or notifications of the server.

pub(crate) mod commands;
pub(crate) mod feed;
pub(crate) mod interpreter;
pub(crate) mod notifications;
pub(crate) mod pending;
pub(crate) mod reader;
pub(crate) mod signal;
pub(crate) mod timeouts;
