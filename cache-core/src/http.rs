//! The HTTP cache: a policy, a store, and somebody who sends what they cannot answer.
//!
//! A request becomes a plan (key, policy), the store is looked into, the policy decides, and the answer comes from the
//! store or from the origin; while the origin's body passes, it is recorded. The origin's failure is the only one that
//! a caller sees.

mod body;
mod cache;
mod client;
mod decode;
mod fetched;
mod fields;
mod origin;
mod overrides;
mod plan;
mod recording;
mod replay;
mod reqwest;
mod send;
mod serve;

use std::sync::Arc;

pub use body::Body;
pub use cache::HttpCache;
pub use client::{CachedClient, RequestBuilder};
pub use fetched::{FetchError, Fetched, Served, ServedFrom};
pub use reqwest::{Reqwest, ReqwestOptions};
pub use send::{FinalUrl, Incoming, SendError, Sender, Timeout};

/// How many redirects the pipeline's client follows.
const REDIRECTS: usize = 10;

/// The senders of the ready clients, shared among them with their connections.
pub(crate) struct Senders {
    direct: Arc<Reqwest>,
    following: Arc<Reqwest>,
}

impl Default for Senders {
    fn default() -> Self {
        let following = ReqwestOptions { redirects: REDIRECTS, ..ReqwestOptions::default() };
        Self { direct: Arc::default(), following: Arc::new(Reqwest::new(following)) }
    }
}
