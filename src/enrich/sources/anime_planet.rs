//! Anime-Planet, crawled: the page of an anime and the pages of its characters.

pub(crate) mod anime;
pub(crate) mod characters;
pub(crate) mod related;
pub(crate) mod site;

use async_trait::async_trait;
use cache_core::cached_result;
use futures_util::{StreamExt as _, stream};
use serde_json::{Value, json};

use crate::anime::Anime;
use crate::enrich::error::{FetchFailure, allow_partial};
use crate::enrich::page;
use crate::enrich::page::{address, argument, under};
use crate::enrich::service_client::ServiceClient;
use crate::enrich::source::Source;
use crate::services;

/// Pages of characters that are requested at once, within the rate limit.
const MAX_CONCURRENT: usize = 4;

/// Anime-Planet.
pub struct AnimePlanet;

#[async_trait]
impl Source for AnimePlanet {
    async fn fetch(&self, anime: &Anime, client: &ServiceClient) -> Result<Value, FetchFailure> {
        let slug = anime.ids.anime_planet.as_deref().ok_or(FetchFailure::NotFound)?;
        let argument = argument(client, crate::services::anime_planet(), slug);
        client.metrics().expect(2);
        let mut found = anime_page(client, &argument).await?;
        // The anime without characters is still useful.
        let cast = allow_partial(characters(client, &argument).await);
        if let Some(Some(mut cast)) = client.part("characters", cast) {
            found["character_count"] = cast["total_count"].take();
            found["characters"] = cast["characters"].take();
        }
        Ok(found)
    }
}

/// The data of the page of an anime.
#[cached_result(
    ttl = client.services().ttl(crate::services::anime_planet()),
    prefix = "animeplanet_anime",
    cache = client.results(),
    skip(client)
)]
async fn anime_page(client: &ServiceClient, anime: &str) -> Result<Value, FetchFailure> {
    let url = address(services::anime_planet(), anime);
    let slug = slug(&url).to_owned();
    page::page(client, &url, None, move |page| anime::read(page, &slug)).await
}

/// All characters, each with the data of its own page; `None`: there are none.
#[cached_result(
    ttl = client.services().ttl(crate::services::anime_planet()),
    prefix = "animeplanet_characters",
    cache = client.results(),
    skip(client)
)]
async fn characters(client: &ServiceClient, anime: &str) -> Result<Option<Value>, FetchFailure> {
    let url = under(&address(services::anime_planet(), anime), &["characters"]);
    let mut characters = page::page(client, &url, None, characters::read_list).await?;
    let urls: Vec<_> = characters.iter().map(|character| detail_url(client, character)).collect();
    let details = stream::iter(urls).map(|url| detail(client, url)).buffered(MAX_CONCURRENT);
    let details: Vec<_> = details.collect().await;
    let is_whole = !details.iter().any(|detail| detail.as_ref().is_err_and(FetchFailure::leaves_a_gap));
    for (character, detail) in characters.iter_mut().zip(details) {
        let name = format!("character {}", character["name"].as_str().unwrap_or_default());
        if let (Some(character), Some(Value::Object(detail))) = (character.as_object_mut(), client.part(name, detail)) {
            character.extend(detail);
        }
    }
    let count = characters.len();
    let found = (count > 0).then(|| json!({ "characters": characters, "total_count": count }));
    if is_whole { Ok(found) } else { Err(FetchFailure::Incomplete(found.unwrap_or_default())) }
}

/// The URL of the page of a character, on the configured site regardless of the host in the link.
fn detail_url(client: &ServiceClient, character: &Value) -> Option<String> {
    let (_, slug) = character["url"].as_str()?.split_once("/characters/")?;
    let slug = slug.split(['?', '#', '/']).next()?;
    Some(under(client.url(), &["characters", slug]))
}

/// The data of the page of a character.
async fn detail(client: &ServiceClient, url: Option<String>) -> Result<Value, FetchFailure> {
    page::page(client, &url.ok_or(FetchFailure::NotFound)?, None, characters::read_detail).await
}

/// The last segment of a URL.
fn slug(url: &str) -> &str {
    url.rsplit('/').next().unwrap_or(url)
}
