//! The HTTP cache: a policy, a store, and somebody who sends what they cannot answer.
//!
//! A request becomes a plan (key, policy), the store is looked into, the policy decides, and the answer comes from the
//! store or from the origin; while the origin's body passes, it is recorded. The origin's failure is the only one that
//! a caller sees.

use std::sync::Arc;

use crate::transport::reqwest::{Reqwest, ReqwestOptions};

/// How many redirects the pipeline's client follows.
const REDIRECTS: usize = 10;

/// The senders of the ready clients, shared among them with their connections.
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
