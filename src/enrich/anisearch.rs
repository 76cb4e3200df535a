//! AniSearch, crawled: the pages of an anime, of its episodes and of its characters.

use async_trait::async_trait;
use serde_json::Value;

use super::anime::Anime;
use super::problem::Problem;
use super::source::Source;
use super::way::Way;

/// AniSearch.
pub struct AniSearch;

#[async_trait]
impl Source for AniSearch {
    async fn fetch(&self, _anime: &Anime, _way: &Way) -> Result<Value, Problem> {
        Err(Problem::Unexpected("not written yet".to_owned()))
    }
}
