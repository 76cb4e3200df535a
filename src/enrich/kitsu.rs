//! Kitsu: JSON:API, episodes by pages.

use async_trait::async_trait;
use serde_json::Value;

use super::anime::Anime;
use super::problem::Problem;
use super::source::Source;
use super::way::Way;

/// Kitsu.
pub struct Kitsu;

#[async_trait]
impl Source for Kitsu {
    async fn fetch(&self, _anime: &Anime, _way: &Way) -> Result<Value, Problem> {
        Err(Problem::Unexpected("not written yet".to_owned()))
    }
}
