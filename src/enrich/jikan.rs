//! Jikan v4: the title, its characters, and then each episode and each character by itself.

use async_trait::async_trait;
use serde_json::{Value, json};

use super::anime::Anime;
use super::problem::Problem;
use super::source::Source;
use super::way::Way;

/// Jikan.
pub struct Jikan;

#[async_trait]
impl Source for Jikan {
    async fn fetch(&self, anime: &Anime, way: &Way) -> Result<Value, Problem> {
        let id = anime.ids.mal.ok_or(Problem::NotFound)?;
        way.meter().expect(1);
        let answer = way.ask(way.client().get(format!("{}/anime/{id}/full", way.url())), |_| true).await?;
        if answer.status != 200 {
            return Err(Problem::Status(answer.status.as_u16()));
        }
        let full: Value = serde_json::from_slice(&answer.body).map_err(|e| Problem::Unexpected(e.to_string()))?;
        Ok(json!({ "anime": full["data"] }))
    }
}
