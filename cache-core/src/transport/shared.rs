//! The two senders that all clients of a cache share.

use std::sync::Arc;

use crate::transport::reqwest::{Reqwest, ReqwestOptions};

/// How many redirects the pipeline's client follows.
const REDIRECTS: usize = 10;

/// One sender that returns redirects, and one that follows them. Clients share their connections.
pub(crate) struct Senders {
    pub(crate) direct: Arc<Reqwest>,
    pub(crate) following: Arc<Reqwest>,
}

impl Default for Senders {
    fn default() -> Self {
        let following = ReqwestOptions { redirects: REDIRECTS, ..ReqwestOptions::default() };
        Self { direct: Arc::default(), following: Arc::new(Reqwest::new(following)) }
    }
}
