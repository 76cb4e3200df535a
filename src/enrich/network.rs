//! What all runs of a process share on their way out: connections, and what each service allows.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use cache_core::{Incoming, Reqwest, ReqwestOptions, SendError, Sender, without_secrets};

use super::meter::Meter;
use super::problem::Refusal;

/// The way out of a process. Clones share everything.
#[derive(Clone)]
pub struct Network {
    sender: Arc<dyn Sender>,
}

/// How many redirects are followed in a row.
const REDIRECTS: usize = 10;

impl Network {
    /// A way out.
    pub fn new() -> Self {
        let options = ReqwestOptions { redirects: REDIRECTS, ..ReqwestOptions::default() };
        Self::over(Arc::new(Reqwest::new(options)))
    }

    /// A way out over a sender of one's own.
    pub fn over(sender: Arc<dyn Sender>) -> Self {
        Self { sender }
    }

    /// The sender of one service in one pass.
    pub(super) fn sender(&self, meter: Arc<Meter>) -> Arc<dyn Sender> {
        Arc::new(Polite { network: self.clone(), meter })
    }
}

impl Default for Network {
    fn default() -> Self {
        Self::new()
    }
}

/// Asks a service as often as that allows.
struct Polite {
    network: Network,
    meter: Arc<Meter>,
}

#[async_trait]
impl Sender for Polite {
    async fn send(&self, request: http::Request<Bytes>) -> Result<http::Response<Incoming>, SendError> {
        self.meter.went_upstream();
        self.network.sender.send(request).await
    }
}

/// Asks nobody.
pub(super) struct Offline;

#[async_trait]
impl Sender for Offline {
    async fn send(&self, request: http::Request<Bytes>) -> Result<http::Response<Incoming>, SendError> {
        Err(SendError::connect(Refusal::NotCached(without_secrets(&request.uri().to_string()))))
    }
}
