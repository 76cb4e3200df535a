//! Anime-Planet, crawled: the page of an anime, and those of its characters.

use async_trait::async_trait;
use serde_json::Value;

use super::anime::Anime;
use super::problem::Problem;
use super::source::Source;
use super::way::Way;

/// Anime-Planet.
pub struct AnimePlanet;

#[async_trait]
impl Source for AnimePlanet {
    async fn fetch(&self, _anime: &Anime, _way: &Way) -> Result<Value, Problem> {
        Err(Problem::Unexpected("not written yet".to_owned()))
    }
}
