//! TODO

pub(crate) mod body;
pub(crate) mod cache;
pub(crate) mod cache_status;
pub(crate) mod client;
pub(crate) mod decode;
pub(crate) mod error;
pub(crate) mod forward;
pub(crate) mod header_map;
pub(crate) mod hishel_headers;
pub(crate) mod plan;
pub(crate) mod recorder;
pub(crate) mod request;
pub(crate) mod response;
pub(crate) mod resumable_body;
pub(crate) mod serve;
