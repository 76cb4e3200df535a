//! Jikan v4: the title, its characters, and then each episode and each character by itself.

use std::time::Duration;

use async_trait::async_trait;
use cache_core::RequestBuilder;
use serde_json::{Value, json};

use crate::anime::Anime;
use crate::enrich::error::Problem;
use crate::enrich::network::USUAL_TIME_LIMIT;
use crate::enrich::response::has_data;
use crate::enrich::retry::{retried, too_many};
use crate::enrich::service_client::Way;
use crate::enrich::source::Source;

/// Jikan.
pub struct Jikan;

/// For the title, and for the list of its characters.
const TIME_LIMIT: Duration = Duration::from_secs(10);

/// After which the title, and the list of its characters, are asked for again where there were too many requests.
const WAITS: [Duration; 1] = [Duration::from_secs(2)];

/// The same for single episodes and characters.
const WAITS_FOR_ITEMS: [Duration; 3] = [Duration::from_secs(5); 3];

#[async_trait]
impl Source for Jikan {
    async fn fetch(&self, anime: &Anime, way: &Way) -> Result<Value, Problem> {
        let id = anime.ids.mal.ok_or(Problem::NotFound)?;
        let url = format!("{}/anime/{id}", way.url());
        way.meter().expect(2);
        let title = ask(way, &WAITS, || way.get(format!("{url}/full")).timeout(TIME_LIMIT)).await?;
        let listed = ask(way, &WAITS, || way.get(format!("{url}/characters")).timeout(TIME_LIMIT)).await;
        let listed = way.part("characters", listed);
        let listed = listed.and_then(|mut list| list.as_array_mut().map(std::mem::take)).unwrap_or_default();

        // Nobody knows how many a running show will have; the offline database may know how many it had.
        let episodes = title["episodes"].as_u64().or(anime.episodes).unwrap_or_default();
        way.meter().expect(episodes + listed.len() as u64);
        // One after the other, as in the pipeline: two at once would come no sooner, for Jikan's limit.
        let mut found = Vec::new();
        for number in 1..=episodes {
            found.extend(episode(way, &url, number).await);
        }
        let mut characters = Vec::new();
        for listed in listed {
            characters.extend(character(way, listed).await);
        }
        characters.sort_by_key(|character: &Value| character["character_id"].as_u64());
        Ok(json!({ "anime": title, "episodes": found, "characters": characters }))
    }
}

/// One episode; `None`: it cannot be had, and the others can.
async fn episode(way: &Way, url: &str, number: u64) -> Option<Value> {
    let found =
        ask(way, &WAITS_FOR_ITEMS, || way.get(format!("{url}/episodes/{number}")).timeout(USUAL_TIME_LIMIT)).await;
    let found = way.part(format!("episode {number}"), found)?;
    Some(json!({
        "episode_number": number,
        "url": found["url"],
        "title": found["title"],
        "title_japanese": found["title_japanese"],
        // Jikan's own spelling, which the pipeline does not know.
        "title_romaji": found["title_romanji"],
        "aired": found["aired"],
        "score": found["score"],
        "filler": found["filler"].as_bool().unwrap_or_default(),
        "recap": found["recap"].as_bool().unwrap_or_default(),
        "duration": found["duration"],
        "synopsis": found["synopsis"],
    }))
}

/// One character, as the list and as its own page tell of it.
async fn character(way: &Way, listed: Value) -> Option<Value> {
    let id = listed["character"]["mal_id"].as_u64()?;
    let found =
        ask(way, &WAITS_FOR_ITEMS, || way.get(format!("{}/characters/{id}", way.url())).timeout(USUAL_TIME_LIMIT))
            .await;
    let found = way.part(format!("character {id}"), found)?;
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

/// The data of an answer.
async fn ask(way: &Way, waits: &[Duration], request: impl Fn() -> RequestBuilder) -> Result<Value, Problem> {
    retried(way, waits, too_many, 1, || async { way.ask(request(), has_data).await?.data() }).await
}
