//! The two transports that all clients of a cache share.

use std::sync::Arc;

use crate::transport::reqwest::{ReqwestOptions, ReqwestTransport};

/// The maximum number of redirects, as in the pipeline's client.
const REDIRECTS: usize = 10;

/// One transport that returns redirects, and one that follows them. Clients share their connections.
pub(crate) struct SharedTransports {
    pub(crate) direct: Arc<ReqwestTransport>,
    pub(crate) following: Arc<ReqwestTransport>,
}

impl Default for SharedTransports {
    fn default() -> Self {
        let following = ReqwestOptions { redirects: REDIRECTS, ..ReqwestOptions::default() };
        Self { direct: Arc::default(), following: Arc::new(ReqwestTransport::new(following)) }
    }
}
