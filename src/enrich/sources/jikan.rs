//! Jikan v4: the title, the list of characters, then each episode and each character.

use std::time::Duration;

use async_trait::async_trait;
use cache_core::RequestBuilder;
use serde_json::{Value, json};

use crate::anime::Anime;
use crate::enrich::error::FetchFailure;
use crate::enrich::network::DEFAULT_TIMEOUT;
use crate::enrich::response::has_data;
use crate::enrich::retry::{too_many, with_retries};
use crate::enrich::service_client::ServiceClient;
use crate::enrich::source::Source;

/// Jikan.
pub struct Jikan;

/// For the title, and for the list of its characters.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Delays before retries of the title and of its characters, after too many requests.
const RETRY_DELAYS: [Duration; 1] = [Duration::from_secs(2)];

/// The same for single episodes and characters.
const ITEM_RETRY_DELAYS: [Duration; 3] = [Duration::from_secs(5); 3];

#[async_trait]
impl Source for Jikan {
    async fn fetch(&self, anime: &Anime, client: &ServiceClient) -> Result<Value, FetchFailure> {
        let id = anime.ids.mal.ok_or(FetchFailure::NotFound)?;
        let url = |part: &str| client.address(&format!("/anime/{id}/{part}"));
        client.metrics().expect(2);
        let title = request(client, &RETRY_DELAYS, || client.get(url("full")).timeout(TIMEOUT)).await?;
        let listed = request(client, &RETRY_DELAYS, || client.get(url("characters")).timeout(TIMEOUT)).await;
        let listed = client.part("characters", listed);
        let listed = listed.and_then(|mut list| list.as_array_mut().map(std::mem::take)).unwrap_or_default();

        // Of a running show Jikan has no number; the offline database may have one.
        let episodes = title["episodes"].as_u64().or(anime.episodes).unwrap_or_default();
        client.metrics().expect(episodes + listed.len() as u64);
        // One after the other, as in the pipeline: Jikan's rate limit makes parallel requests no faster.
        let mut found = Vec::new();
        for number in 1..=episodes {
            found.extend(episode(client, id, number).await);
        }
        let mut characters = Vec::new();
        for listed in listed {
            characters.extend(character(client, listed).await);
        }
        characters.sort_by_key(|character: &Value| character["character_id"].as_u64());
        Ok(json!({ "anime": title, "episodes": found, "characters": characters }))
    }
}

/// One episode; `None`: it failed, which is recorded.
async fn episode(client: &ServiceClient, anime: u64, number: u64) -> Option<Value> {
    let found = request(client, &ITEM_RETRY_DELAYS, || {
        client.get(client.address(&format!("/anime/{anime}/episodes/{number}"))).timeout(DEFAULT_TIMEOUT)
    })
    .await;
    let found = client.part(format!("episode {number}"), found)?;
    Some(json!({
        "episode_number": number,
        "url": found["url"],
        "title": found["title"],
        "title_japanese": found["title_japanese"],
        // Jikan spells it `title_romanji`.
        "title_romaji": found["title_romanji"],
        "aired": found["aired"],
        "score": found["score"],
        "filler": found["filler"].as_bool().unwrap_or_default(),
        "recap": found["recap"].as_bool().unwrap_or_default(),
        "duration": found["duration"],
        "synopsis": found["synopsis"],
    }))
}

/// One character, with the data of the list and of its own page.
async fn character(client: &ServiceClient, listed: Value) -> Option<Value> {
    let id = listed["character"]["mal_id"].as_u64()?;
    let found = request(client, &ITEM_RETRY_DELAYS, || {
        client.get(client.address(&format!("/characters/{id}"))).timeout(DEFAULT_TIMEOUT)
    })
    .await;
    let found = client.part(format!("character {id}"), found)?;
    let or = |value: &Value, default: Value| if value.is_null() { default } else { value.clone() };
    Some(json!({
        "character_id": id,
        "url": found["url"],
        "name": found["name"],
        "name_kanji": found["name_kanji"],
        "nicknames": or(&found["nicknames"], json!([])),
        "about": found["about"],
        "images": or(&found["images"], json!({})),
        "favorites": found["favorites"],
        "role": listed["role"],
        "voice_actors": or(&listed["voice_actors"], json!([])),
    }))
}

/// The data of a response.
async fn request(
    client: &ServiceClient,
    waits: &[Duration],
    request: impl Fn() -> RequestBuilder,
) -> Result<Value, FetchFailure> {
    with_retries(client, waits, too_many, 1, || async { client.request(request(), has_data).await?.data() }).await
}
