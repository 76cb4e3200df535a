//! AniDB's HTTP API: one XML document for an anime.

use async_trait::async_trait;
use serde_json::Value;

use super::anime::Anime;
use super::problem::Problem;
use super::source::Source;
use super::way::Way;

/// AniDB.
pub struct AniDb;

#[async_trait]
impl Source for AniDb {
    async fn fetch(&self, _anime: &Anime, _way: &Way) -> Result<Value, Problem> {
        Err(Problem::Unexpected("not written yet".to_owned()))
    }
}
