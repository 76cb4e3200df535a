//! AniSearch, crawled: the pages of an anime, of its episodes and of its characters.

pub(crate) mod anime;
pub(crate) mod characters;
pub(crate) mod episodes;
pub(crate) mod relations;
pub(crate) mod site;

use async_trait::async_trait;
use cache_core::cached_result;
use serde_json::Value;

use crate::anime::Anime;
use crate::enrich::error::{FetchFailure, allow_partial};
use crate::enrich::html::Document;
use crate::enrich::page;
use crate::enrich::page::{address, argument, under};
use crate::enrich::rendered_page::LazySection;
use crate::enrich::service_client::ServiceClient;
use crate::enrich::source::Source;
use crate::services;

/// The relations to manga are loaded when all relations are selected.
const ALL_RELATIONS: LazySection = LazySection {
    select: "select.ofilter[data-param='show']",
    option: "overall",
    awaited: "section#relations_manga tbody tr",
};

/// AniSearch.
pub struct AniSearch;

#[async_trait]
impl Source for AniSearch {
    async fn fetch(&self, anime: &Anime, client: &ServiceClient) -> Result<Value, FetchFailure> {
        let id = anime.ids.anisearch.ok_or(FetchFailure::NotFound)?.to_string();
        let argument = argument(client, crate::services::anisearch(), &id);
        client.metrics().expect(3);
        let mut found = allow_partial(anime_page(client, &argument).await)?;
        // The anime without these is still useful.
        if let Some(episodes) = client.part("episodes", episodes(client, &argument).await) {
            found["episodes"] = episodes;
        }
        if let Some(mut cast) = client.part("characters", characters(client, &argument).await) {
            found["characters"] = cast["characters"].take();
        }
        for list in ["episodes", "characters"] {
            if let Some(fields) = found.as_object_mut()
                && fields.get(list).and_then(Value::as_array).is_none_or(Vec::is_empty)
            {
                fields.remove(list);
            }
        }
        Ok(found)
    }
}

/// The data of the page of an anime, with screenshots and relations, which have their own pages.
#[cached_result(
    ttl = client.services().ttl(crate::services::anisearch()),
    prefix = "anisearch_anime",
    cache = client.results(),
    skip(client)
)]
async fn anime_page(client: &ServiceClient, anime: &str) -> Result<Value, FetchFailure> {
    let url = address(services::anisearch(), anime);
    let requested = url.clone();
    let (mut fields, parts) = page::page(client, &url, None, move |page| anime::read(page, &requested)).await?;
    let (mut screenshots, mut relations) = (Ok(Vec::new()), Ok(relations::Relations::default()));
    if parts.has_screenshots {
        screenshots = part(client, &url, "screenshots", None, anime::screenshots).await;
    }
    if parts.has_relations {
        relations = part(client, &url, "relations", Some(ALL_RELATIONS), relations::read).await;
    }
    let is_whole = screenshots.is_ok() && relations.is_ok();
    let screenshots = client.part("screenshots", screenshots).unwrap_or_default();
    let relations = client.part("relations", relations).unwrap_or_default();
    fields.set("screenshots", Some(screenshots));
    fields.set("anime_relations", Some(relations.anime));
    fields.set("manga_relations", Some(relations.manga));
    if is_whole { Ok(fields.into()) } else { Err(FetchFailure::Incomplete(fields.into())) }
}

/// All episodes.
#[cached_result(
    ttl = client.services().ttl(crate::services::anisearch()),
    prefix = "anisearch_episodes",
    cache = client.results(),
    skip(client)
)]
async fn episodes(client: &ServiceClient, anime: &str) -> Result<Value, FetchFailure> {
    let url = under(&address(services::anisearch(), anime), &["episodes"]);
    page::page(client, &url, None, episodes::read).await
}

/// All characters.
#[cached_result(
    ttl = client.services().ttl(crate::services::anisearch()),
    prefix = "anisearch_characters",
    cache = client.results(),
    skip(client)
)]
async fn characters(client: &ServiceClient, anime: &str) -> Result<Value, FetchFailure> {
    let url = under(&address(services::anisearch(), anime), &["characters"]);
    page::page(client, &url, None, characters::read).await
}

/// The data of another page of an anime; empty if there is no such page.
async fn part<T: Default + Send + 'static>(
    client: &ServiceClient,
    url: &str,
    name: &str,
    section: Option<LazySection>,
    understand: fn(&Document) -> Result<T, FetchFailure>,
) -> Result<T, FetchFailure> {
    match page::page(client, &under(url, &[name]), section, understand).await {
        Err(FetchFailure::NotFound) => Ok(T::default()),
        outcome => outcome,
    }
}
