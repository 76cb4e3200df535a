//! Plain values: no I/O, no formats, no policy.

pub(crate) mod capabilities;
pub(crate) mod change;
pub(crate) mod duration;
pub(crate) mod entry;
pub(crate) mod event;
pub(crate) mod filter;
pub(crate) mod freshness;
pub(crate) mod generation;
pub(crate) mod glob;
pub(crate) mod headers;
pub(crate) mod inspection;
pub(crate) mod key;
pub(crate) mod layout_name;
pub(crate) mod metadata;
pub(crate) mod octets;
pub(crate) mod rate_limit;
pub(crate) mod record;
pub(crate) mod redis_url;
pub(crate) mod service;
pub(crate) mod stats;
pub(crate) mod stored;
pub(crate) mod summary;
pub(crate) mod tls;
pub(crate) mod url;
pub(crate) mod window;
