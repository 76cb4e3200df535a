//! The HTTP cache. A request is looked up in the store, the policy decides whether to serve or to forward it, and
//! responses of the origin are stored while they are streamed. Only origin failures are reported to the caller.

pub(crate) mod body;
pub(crate) mod cache;
pub(crate) mod cache_status;
pub(crate) mod client;
pub(crate) mod context;
pub(crate) mod decode;
pub(crate) mod error;
pub(crate) mod forward;
pub(crate) mod header_map;
pub(crate) mod lookup;
pub(crate) mod origin_response;
pub(crate) mod overrides;
pub(crate) mod plan;
pub(crate) mod recorder;
pub(crate) mod request;
pub(crate) mod response;
pub(crate) mod resumable_body;
pub(crate) mod revalidate;
pub(crate) mod serve;
