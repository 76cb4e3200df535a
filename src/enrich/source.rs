//! What every service's source is: a way from an anime to everything that the service has of it.

use async_trait::async_trait;
use serde_json::Value;

use crate::anime::Anime;
use crate::enrich::error::Problem;
use crate::enrich::service_client::Way;

/// One service.
#[async_trait]
pub trait Source: Send + Sync {
    /// Everything that the service has of an anime, as the pipeline has it.
    async fn fetch(&self, anime: &Anime, way: &Way) -> Result<Value, Problem>;
}
