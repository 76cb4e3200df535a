//! Kitsu: JSON:API, episodes by pages.

use std::time::Duration;

use async_trait::async_trait;
use cache_core::RequestBuilder;
use serde_json::{Value, json};

use crate::anime::Anime;
use crate::enrich::error::Problem;
use crate::enrich::response::{Answer, has_data, take};
use crate::enrich::service_client::Way;
use crate::enrich::source::Source;

/// Kitsu.
pub struct Kitsu;

/// JSON:API's own.
const MEDIA_TYPE: &str = "application/vnd.api+json";

/// Episodes of a page, the most that it gives.
const PAGE: usize = 20;

const TIME_LIMIT: Duration = Duration::from_secs(30);

const TIME_LIMIT_FOR_SLUGS: Duration = Duration::from_secs(5);

#[async_trait]
impl Source for Kitsu {
    async fn fetch(&self, anime: &Anime, way: &Way) -> Result<Value, Problem> {
        way.meter().expect(3);
        let id = anime.ids.kitsu.as_deref().ok_or(Problem::NotFound)?;
        let id = match id.parse() {
            Ok(id) => id,
            Err(_) => id_of(way, id).await?,
        };
        let url = format!("{}/anime/{id}", way.url());
        let (anime, episodes, categories) = tokio::join!(
            ask(way, way.get(url.as_str())),
            episodes(way, &url),
            ask(way, way.get(format!("{url}/categories")))
        );
        let categories = way.part("categories", categories.and_then(Answer::data)).unwrap_or_else(|| json!([]));
        // Without the anime the pipeline still counts this as a success; whoever runs this wants to know.
        Ok(json!({ "anime": anime?.data()?, "episodes": episodes, "categories": categories }))
    }
}

/// The number behind a slug. The pipeline asks for it past its cache, so there is no key of its to agree with.
async fn id_of(way: &Way, slug: &str) -> Result<u64, Problem> {
    way.meter().expect(1);
    let request = way.get(format!("{}/anime", way.url())).params([("filter[slug]", slug)]);
    let found = way.ask(spoken(request).timeout(TIME_LIMIT_FOR_SLUGS), has_one).await?.data()?;
    found[0]["id"].as_str().and_then(|id| id.parse().ok()).ok_or(Problem::NotFound)
}

/// Those of all pages, as far as these can be read.
async fn episodes(way: &Way, url: &str) -> Vec<Value> {
    let mut all: Vec<Value> = Vec::new();
    loop {
        let pages = [("page[limit]", PAGE.to_string()), ("page[offset]", all.len().to_string())];
        let page = ask(way, way.get(format!("{url}/episodes")).params(pages)).await;
        let page = page.and_then(Answer::json).and_then(listed);
        let Some((found, count)) = way.part(format!("episodes from {}", all.len() + 1), page) else { return all };
        if all.is_empty() {
            way.meter().expect(count.map_or(0, |count| count.div_ceil(PAGE).saturating_sub(1)) as u64);
        }
        let is_full = found.len() == PAGE;
        all.extend(found);
        if !is_full || count.is_some_and(|count| all.len() >= count) {
            return all;
        }
    }
}

/// What is on a page, and how much there is on all, if it says so.
fn listed(mut page: Value) -> Result<(Vec<Value>, Option<usize>), Problem> {
    let count = page["meta"]["count"].as_u64().map(|count| count as usize);
    match take(&mut page, "/data") {
        Value::Array(found) => Ok((found, count)),
        _ => Err(Problem::Unexpected("response has no 'data'".to_owned())),
    }
}

/// Somebody may get the slug tomorrow: that nobody has it is not stored.
fn has_one(body: &[u8]) -> bool {
    serde_json::from_slice::<Value>(body).is_ok_and(|answer| answer["data"][0].is_object())
}

async fn ask(way: &Way, request: RequestBuilder) -> Result<Answer, Problem> {
    way.ask(spoken(request).timeout(TIME_LIMIT), has_data).await
}

/// A request that speaks JSON:API.
fn spoken(request: RequestBuilder) -> RequestBuilder {
    request.header("accept", MEDIA_TYPE).header("content-type", MEDIA_TYPE)
}
