//! The trait of sources, which fetch the data of one anime from one service.

use async_trait::async_trait;
use serde_json::Value;

use crate::anime::Anime;
use crate::enrich::error::FetchFailure;
use crate::enrich::service_client::ServiceClient;

/// Fetches the data of one service.
#[async_trait]
pub trait Source: Send + Sync {
    /// Everything that the service has of an anime, in the shape of the pipeline.
    async fn fetch(&self, anime: &Anime, client: &ServiceClient) -> Result<Value, FetchFailure>;

    /// Recognizes a body that bans this client, for services that send one with a success status.
    fn is_ban(&self) -> Option<fn(&[u8]) -> bool> {
        None
    }
}
