//! What a Redis URL means.

use std::path::PathBuf;
use std::time::Duration;

use crate::model::tls::TlsOptions;

/// What a Redis URL means.
#[derive(Clone, PartialEq)]
pub(crate) struct RedisLocation {
    pub(crate) server: RedisServer,
    pub(crate) username: Option<String>,
    pub(crate) password: Option<String>,
    pub(crate) database: u32,
    /// RESP3 instead of RESP2.
    pub(crate) is_resp3: bool,
    /// `None`: no TLS.
    pub(crate) tls: Option<TlsOptions>,
    pub(crate) tuning: RedisTuning,
}

/// Where a server listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum RedisServer {
    Tcp {
        host: String,
        port: u16,
    },
    /// A Unix socket.
    Socket(PathBuf),
}

/// Parameters that replace settings of the same purpose.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct RedisTuning {
    pub(crate) timeout: Option<Duration>,
    pub(crate) connect_timeout: Option<Duration>,
    pub(crate) keepalive: Option<bool>,
    pub(crate) retry_on_timeout: Option<bool>,
    pub(crate) max_connections: Option<u32>,
    pub(crate) health_check_interval: Option<Duration>,
}
