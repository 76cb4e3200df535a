//! AniList: GraphQL, the title first, then its characters, staff and schedule by pages.

pub(crate) mod query;

use std::time::Duration;

use async_trait::async_trait;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::{Value, json};

use crate::anime::Anime;
use crate::enrich::error::FetchFailure;
use crate::enrich::response::{ServiceResponse, take};
use crate::enrich::retry::{too_many, with_retries};
use crate::enrich::service_client::ServiceClient;
use crate::enrich::source::Source;

/// AniList.
pub struct AniList;

/// Delays before retries without `Retry-After`: AniList limits requests by the minute.
const RETRY_DELAYS: [Duration; 2] = [Duration::from_secs(60); 2];

#[async_trait]
impl Source for AniList {
    async fn fetch(&self, anime: &Anime, client: &ServiceClient) -> Result<Value, FetchFailure> {
        let id = anime.ids.anilist.ok_or(FetchFailure::NotFound)?;
        client.metrics().expect(1 + query::LISTS.len() as u64);
        let mut media = request(client, query::MEDIA, json!({ "id": id }), "the title").await?;
        for (name, query) in query::LISTS {
            let edges = edges(client, query, name, id).await;
            if !edges.is_empty() {
                media[name] = json!({ "edges": edges });
            }
        }
        Ok(media)
    }
}

/// The edges of all pages of one list, up to the first page that fails.
async fn edges(client: &ServiceClient, query: &str, name: &str, id: u64) -> Vec<Value> {
    let mut all = Vec::new();
    for page in 1.. {
        let page_name = format!("{name}, page {page}");
        let found = request(client, query, json!({ "id": id, "page": page }), &page_name).await;
        let Some(mut media) = client.part(page_name, found) else { break };
        let Value::Array(edges) = take(&mut media, &format!("/{name}/edges")) else { break };
        if edges.is_empty() {
            break;
        }
        all.extend(edges);
        if media[name]["pageInfo"]["hasNextPage"] != true {
            break;
        }
        client.metrics().expect(1);
    }
    all
}

/// The media of a query. As in the pipeline, there is no time limit but the read timeout.
async fn request(client: &ServiceClient, query: &str, variables: Value, name: &str) -> Result<Value, FetchFailure> {
    let body = json!({ "query": query, "variables": variables });
    let request = || client.post(client.url(), &body).header("accept", "application/json");
    with_retries(client, &RETRY_DELAYS, too_many, 1, || async {
        medium(client.request_by_name(request(), is_good, name).await?)
    })
    .await
}

fn medium(answer: ServiceResponse) -> Result<Value, FetchFailure> {
    let mut answer = answer.json()?;
    if let Some(message) = answer["errors"][0]["message"].as_str() {
        return Err(FetchFailure::Unexpected(message.chars().take(200).collect()));
    }
    match take(&mut answer, "/data/Media") {
        medium @ Value::Object(_) => Ok(medium),
        _ => Err(FetchFailure::NotFound),
    }
}

/// Whether there are media and no errors. Partial results come with status 200 and errors (GraphQL, 7.1).
fn is_good(body: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct GraphQlResponse {
        data: Data,
        errors: Option<IgnoredAny>,
    }
    #[derive(Deserialize)]
    struct Data {
        #[serde(rename = "Media")]
        media: Option<IgnoredAny>,
    }
    serde_json::from_slice(body)
        .is_ok_and(|answer: GraphQlResponse| answer.errors.is_none() && answer.data.media.is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn response_with_errors_is_not_stored() {
        assert!(is_good(br#"{"data": {"Media": {"id": 1}}}"#));
        for body in [
            r#"{"errors": [{"message": "Not Found."}], "data": {"Media": null}}"#,
            r#"{"errors": [{"message": "Internal Server Error"}], "data": {"Media": {"id": 1}}}"#,
            r#"{"data": {"Media": null}}"#,
            r#"{"data": null}"#,
            "<html>",
        ] {
            assert!(!is_good(body.as_bytes()), "{body}");
        }
    }
}
