//! Anime-Planet, crawled: the page of an anime, and those of its characters.

pub(crate) mod anime;
pub(crate) mod characters;
pub(crate) mod related;
pub(crate) mod site;

use async_trait::async_trait;
use cache_core::cached_result;
use futures_util::{StreamExt as _, stream};
use serde_json::{Value, json};

use crate::anime::Anime;
use crate::enrich::error::{Problem, as_far_as_had};
use crate::enrich::page;
use crate::enrich::page::{address, argument, under};
use crate::enrich::service_client::Way;
use crate::enrich::source::Source;
use crate::services;

/// How many pages of characters are asked for at once, as far as the site allows it.
const AT_ONCE: usize = 4;

/// Anime-Planet.
pub struct AnimePlanet;

#[async_trait]
impl Source for AnimePlanet {
    async fn fetch(&self, anime: &Anime, way: &Way) -> Result<Value, Problem> {
        let slug = anime.ids.anime_planet.as_deref().ok_or(Problem::NotFound)?;
        let argument = argument(way, services::anime_planet(), slug);
        way.meter().expect(2);
        let mut found = anime_page(way, &argument).await?;
        // Without them the anime is still worth having.
        let cast = as_far_as_had(characters(way, &argument).await);
        if let Some(Some(mut cast)) = way.part("characters", cast) {
            found["character_count"] = cast["total_count"].take();
            found["characters"] = cast["characters"].take();
        }
        Ok(found)
    }
}

/// What the page of an anime tells.
#[cached_result(
    ttl = way.services().ttl(services::anime_planet()),
    prefix = "animeplanet_anime",
    cache = way.results(),
    skip(way)
)]
async fn anime_page(way: &Way, anime: &str) -> Result<Value, Problem> {
    let url = address(services::anime_planet(), anime);
    let slug = slug(&url).to_owned();
    page::page(way, &url, None, move |page| anime::read(page, &slug)).await
}

/// All characters, each with what its own page tells; `None` where nobody is known.
#[cached_result(
    ttl = way.services().ttl(services::anime_planet()),
    prefix = "animeplanet_characters",
    cache = way.results(),
    skip(way)
)]
async fn characters(way: &Way, anime: &str) -> Result<Option<Value>, Problem> {
    let url = under(&address(services::anime_planet(), anime), &["characters"]);
    let mut characters = page::page(way, &url, None, characters::read_list).await?;
    let urls: Vec<_> = characters.iter().map(|character| detail_url(way, character)).collect();
    let details = stream::iter(urls).map(|url| detail(way, url)).buffered(AT_ONCE);
    let details: Vec<_> = details.collect().await;
    let is_whole = !details.iter().any(|detail| detail.as_ref().is_err_and(Problem::leaves_a_gap));
    for (character, detail) in characters.iter_mut().zip(details) {
        let name = format!("character {}", character["name"].as_str().unwrap_or_default());
        if let (Some(character), Some(Value::Object(detail))) = (character.as_object_mut(), way.part(name, detail)) {
            character.extend(detail);
        }
    }
    let count = characters.len();
    let found = (count > 0).then(|| json!({ "characters": characters, "total_count": count }));
    if is_whole { Ok(found) } else { Err(Problem::Incomplete(found.unwrap_or_default())) }
}

/// Where a character's own page is: whatever the link says, it is asked for where all else is.
fn detail_url(way: &Way, character: &Value) -> Option<String> {
    let (_, slug) = character["url"].as_str()?.split_once("/characters/")?;
    let slug = slug.split(['?', '#', '/']).next()?;
    Some(under(way.url(), &["characters", slug]))
}

/// What the page of a character tells.
async fn detail(way: &Way, url: Option<String>) -> Result<Value, Problem> {
    page::page(way, &url.ok_or(Problem::NotFound)?, None, characters::read_detail).await
}

/// The last part of an address.
fn slug(url: &str) -> &str {
    url.rsplit('/').next().unwrap_or(url)
}
