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
use crate::enrich::error::{Problem, as_far_as_had};
use crate::enrich::html::Document;
use crate::enrich::page;
use crate::enrich::page::{address, argument, under};
use crate::enrich::rendered_page::Filled;
use crate::enrich::service_client::Way;
use crate::enrich::source::Source;
use crate::services;

/// The list of relations to manga comes when all relations are asked for.
const ALL_RELATIONS: Filled = Filled {
    select: "select.ofilter[data-param='show']",
    option: "overall",
    awaited: "section#relations_manga tbody tr",
};

/// AniSearch.
pub struct AniSearch;

#[async_trait]
impl Source for AniSearch {
    async fn fetch(&self, anime: &Anime, way: &Way) -> Result<Value, Problem> {
        let id = anime.ids.anisearch.ok_or(Problem::NotFound)?.to_string();
        let argument = argument(way, services::anisearch(), &id);
        way.meter().expect(3);
        let mut found = as_far_as_had(anime_page(way, &argument).await)?;
        // Without these the anime is still worth having.
        if let Some(episodes) = way.part("episodes", episodes(way, &argument).await) {
            found["episodes"] = episodes;
        }
        if let Some(mut cast) = way.part("characters", characters(way, &argument).await) {
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

/// What the page of an anime tells, with its screenshots and relations, which have pages of their own.
#[cached_result(
    ttl = way.services().ttl(services::anisearch()),
    prefix = "anisearch_anime",
    cache = way.results(),
    skip(way)
)]
async fn anime_page(way: &Way, anime: &str) -> Result<Value, Problem> {
    let url = address(services::anisearch(), anime);
    let asked = url.clone();
    let (mut fields, parts) = page::page(way, &url, None, move |page| anime::read(page, &asked)).await?;
    let (mut screenshots, mut relations) = (Ok(Vec::new()), Ok(relations::Relations::default()));
    if parts.has_screenshots {
        screenshots = part(way, &url, "screenshots", None, anime::screenshots).await;
    }
    if parts.has_relations {
        relations = part(way, &url, "relations", Some(ALL_RELATIONS), relations::read).await;
    }
    let is_whole = screenshots.is_ok() && relations.is_ok();
    let screenshots = way.part("screenshots", screenshots).unwrap_or_default();
    let relations = way.part("relations", relations).unwrap_or_default();
    fields.set("screenshots", Some(screenshots));
    fields.set("anime_relations", Some(relations.anime));
    fields.set("manga_relations", Some(relations.manga));
    if is_whole { Ok(fields.into()) } else { Err(Problem::Incomplete(fields.into())) }
}

/// All episodes.
#[cached_result(
    ttl = way.services().ttl(services::anisearch()),
    prefix = "anisearch_episodes",
    cache = way.results(),
    skip(way)
)]
async fn episodes(way: &Way, anime: &str) -> Result<Value, Problem> {
    let url = under(&address(services::anisearch(), anime), &["episodes"]);
    page::page(way, &url, None, episodes::read).await
}

/// All characters.
#[cached_result(
    ttl = way.services().ttl(services::anisearch()),
    prefix = "anisearch_characters",
    cache = way.results(),
    skip(way)
)]
async fn characters(way: &Way, anime: &str) -> Result<Value, Problem> {
    let url = under(&address(services::anisearch(), anime), &["characters"]);
    page::page(way, &url, None, characters::read).await
}

/// What another page of an anime tells; nothing where it has none of this name.
async fn part<T: Default + Send + 'static>(
    way: &Way,
    url: &str,
    name: &str,
    filled: Option<Filled>,
    understand: fn(&Document) -> Result<T, Problem>,
) -> Result<T, Problem> {
    match page::page(way, &under(url, &[name]), filled, understand).await {
        Err(Problem::NotFound) => Ok(T::default()),
        outcome => outcome,
    }
}
