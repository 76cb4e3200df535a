//! Kitsu: JSON:API, episodes by pages.

use std::time::Duration;

use async_trait::async_trait;
use cache_core::RequestBuilder;
use serde_json::{Value, json};

use crate::anime::Anime;
use crate::enrich::error::FetchFailure;
use crate::enrich::response::{ServiceResponse, has_data, take};
use crate::enrich::service_client::ServiceClient;
use crate::enrich::source::Source;

/// Kitsu.
pub struct Kitsu;

const MEDIA_TYPE: &str = "application/vnd.api+json";

/// The largest page of episodes that Kitsu sends.
const PAGE_SIZE: usize = 20;

const TIMEOUT: Duration = Duration::from_secs(30);

const SLUG_TIMEOUT: Duration = Duration::from_secs(5);

#[async_trait]
impl Source for Kitsu {
    async fn fetch(&self, anime: &Anime, client: &ServiceClient) -> Result<Value, FetchFailure> {
        client.metrics().expect(3);
        let id = anime.ids.kitsu.as_deref().ok_or(FetchFailure::NotFound)?;
        let id = match id.parse() {
            Ok(id) => id,
            Err(_) => id_of(client, id).await?,
        };
        let url = |part: &str| client.address(&format!("/anime/{id}{part}"));
        let (anime, episodes, categories) = tokio::join!(
            request(client, client.get(url(""))),
            episodes(client, url("/episodes")),
            request(client, client.get(url("/categories")))
        );
        let categories =
            client.part("categories", categories.and_then(ServiceResponse::data)).unwrap_or_else(|| json!([]));
        // The pipeline counts this as a success even without the anime; here it is a failure.
        Ok(json!({ "anime": anime?.data()?, "episodes": episodes, "categories": categories }))
    }
}

/// The ID of a slug. The pipeline does not cache this request, so that no key has to match.
async fn id_of(client: &ServiceClient, slug: &str) -> Result<u64, FetchFailure> {
    client.metrics().expect(1);
    let request = client.get(client.address("/anime")).params([("filter[slug]", slug)]);
    let found = client.request(json_api(request).timeout(SLUG_TIMEOUT), has_one).await?.data()?;
    found[0]["id"].as_str().and_then(|id| id.parse().ok()).ok_or(FetchFailure::NotFound)
}

/// The episodes of all pages, up to the first page that fails.
async fn episodes(client: &ServiceClient, url: String) -> Vec<Value> {
    let mut all: Vec<Value> = Vec::new();
    loop {
        let pages = [("page[limit]", PAGE_SIZE.to_string()), ("page[offset]", all.len().to_string())];
        let page = request(client, client.get(url.as_str()).params(pages)).await;
        let page = page.and_then(ServiceResponse::json).and_then(listed);
        let Some((found, count)) = client.part(format!("episodes from {}", all.len() + 1), page) else { return all };
        if all.is_empty() {
            client.metrics().expect(count.map_or(0, |count| count.div_ceil(PAGE_SIZE).saturating_sub(1)) as u64);
        }
        let is_full = found.len() == PAGE_SIZE;
        all.extend(found);
        if !is_full || count.is_some_and(|count| all.len() >= count) {
            return all;
        }
    }
}

/// The items of a page, and the number of all items, if it has one.
fn listed(mut page: Value) -> Result<(Vec<Value>, Option<usize>), FetchFailure> {
    let count = page["meta"]["count"].as_u64().map(|count| count as usize);
    match take(&mut page, "/data") {
        Value::Array(found) => Ok((found, count)),
        _ => Err(FetchFailure::Unexpected("response has no 'data'".to_owned())),
    }
}

/// Whether an anime has the slug; that none has it is not stored, since it may change.
fn has_one(body: &[u8]) -> bool {
    serde_json::from_slice::<Value>(body).is_ok_and(|answer| answer["data"][0].is_object())
}

async fn request(client: &ServiceClient, request: RequestBuilder) -> Result<ServiceResponse, FetchFailure> {
    client.request(json_api(request).timeout(TIMEOUT), has_data).await
}

/// A request that speaks JSON:API.
fn json_api(request: RequestBuilder) -> RequestBuilder {
    request.header("accept", MEDIA_TYPE).header("content-type", MEDIA_TYPE)
}
