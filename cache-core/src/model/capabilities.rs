//! What a Redis server is and allows, as learned when a connection was made.

use std::borrow::Cow;
use std::collections::BTreeMap;

/// What a server is and allows. What is not known is `None`: a user may lack permission to ask.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Capabilities {
    /// `Redis`, `Valkey`, `Dragonfly` or `KeyDB`.
    pub product: Option<String>,
    /// The version of the product.
    pub version: Option<String>,
    /// Whether it is one server, a node of a cluster, or a Sentinel.
    pub mode: Option<ServerMode>,
    /// Whether it is a primary or a replica.
    pub role: Option<ServerRole>,
    /// The number of the database in use.
    pub database: i64,
    /// The version of the protocol: 2 or 3.
    pub protocol: u8,
    /// Whether it was still loading its data.
    pub is_loading: Option<bool>,
    /// How far its clock was ahead of this machine's; milliseconds.
    pub clock_offset_ms: Option<i64>,
    /// Whether it knows `PEXPIRE … GT`.
    pub has_expire_gt: Option<bool>,
    /// Why the server refused the last write, if it takes none: its memory is full, or a snapshot failed.
    pub writes_refused: Option<String>,
    /// The commands and scripts that were tried and refused, with the reason of the server.
    pub refused: BTreeMap<Cow<'static, str>, String>,
}

/// The mode of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServerMode {
    /// One server with all keys.
    Standalone,
    /// A node of a cluster, with a part of the keys.
    Cluster,
    /// A Sentinel, which has no keys.
    Sentinel,
}

impl ServerMode {
    /// The name used by `INFO` and in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Standalone => "standalone",
            Self::Cluster => "cluster",
            Self::Sentinel => "sentinel",
        }
    }
}

/// The role of a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServerRole {
    /// It has the data first.
    Primary,
    /// It copies the data of another server.
    Replica {
        /// `HOST:PORT` of its primary.
        primary: Option<String>,
        /// Whether it refuses writes (`replica-read-only`); the default is yes.
        is_read_only: bool,
        /// Whether it is still copying the data, or has lost its primary: entries may be missing.
        is_incomplete: Option<bool>,
    },
}

impl ServerRole {
    /// The name used in JSON.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Primary => "primary",
            Self::Replica { .. } => "replica",
        }
    }
}

impl Capabilities {
    /// Whether a command was tried and refused.
    pub fn lacks(&self, command: &str) -> bool {
        self.refused.contains_key(command)
    }

    /// Why the server refuses every write, if it does.
    pub fn read_only_reason(&self) -> Option<String> {
        match &self.role {
            Some(ServerRole::Replica { primary: Some(primary), is_read_only: true, .. }) => {
                Some(format!("it is a read-only replica of {primary}"))
            }
            Some(ServerRole::Replica { is_read_only: true, .. }) => Some("it is a read-only replica".to_owned()),
            _ => None,
        }
    }

    /// Why writing is not possible now, as far as it is known.
    pub fn write_problem(&self) -> Option<String> {
        self.read_only_reason().or_else(|| self.writes_refused.clone())
    }

    /// Why entries may be missing, if the server is a replica that is not up to date.
    pub fn incomplete_reason(&self) -> Option<String> {
        match &self.role {
            Some(ServerRole::Replica { primary, is_incomplete: Some(true), .. }) => Some(format!(
                "it is a replica that has not copied all data from its primary{}",
                primary.as_ref().map_or(String::new(), |primary| format!(" {primary}"))
            )),
            _ => None,
        }
    }

    /// Whether a hit may renew the TTL of its entry.
    #[cfg(feature = "redis")]
    pub(crate) fn may_renew(&self) -> bool {
        self.read_only_reason().is_none() && !self.lacks("PEXPIRE")
    }
}
