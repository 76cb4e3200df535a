//! AniList: GraphQL, the title first, then its characters, staff and schedule by pages.

use async_trait::async_trait;
use serde_json::Value;

use super::anime::Anime;
use super::problem::Problem;
use super::source::Source;
use super::way::Way;

/// AniList.
pub struct AniList;

#[async_trait]
impl Source for AniList {
    async fn fetch(&self, _anime: &Anime, _way: &Way) -> Result<Value, Problem> {
        Err(Problem::Unexpected("not written yet".to_owned()))
    }
}
