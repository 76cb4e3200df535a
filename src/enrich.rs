//! Test enrichments: one anime's data from all seven services, through the cache, cold and then warm.
//!
//! A [`source::Source`] implements one service: its requests, their order, and the fields to read from the responses.
//! It sends them through a [`service_client::ServiceClient`], which adds the cache, the limits of the service and the
//! metrics.
//! [`run`] runs all sources at once, in two passes, and compares the results.

pub mod browser;
pub(crate) mod challenge;
pub(crate) mod compare;
pub mod error;
pub mod history;
pub(crate) mod html;
pub mod lookup;
pub mod metrics;
pub mod mode;
pub mod network;
pub(crate) mod page;
pub mod progress;
pub(crate) mod rate_limiter;
pub(crate) mod redirect;
pub(crate) mod rendered_page;
pub mod report;
pub(crate) mod request_headers;
pub mod response;
pub(crate) mod retry;
pub mod run;
pub mod service_client;
pub(crate) mod service_gate;
pub mod source;
pub mod sources;
