//! Jikan v4: JSON from MyAnimeList.

use serde_json::{Value, json};

use crate::demo::catalogue::{Anime, CATALOGUE, Character};
use crate::demo::services::exchange::{DemoReply, DemoRequest, Misbehavior};

pub(crate) fn respond(request: &DemoRequest<'_>) -> DemoReply {
    let parts = request.parts();
    let found = match parts.as_slice() {
        ["v4", "anime", id, rest @ ..] => CATALOGUE
            .iter()
            .find(|anime| anime.mal.to_string() == **id)
            .and_then(|anime| anime_response(anime, rest, request)),
        ["v4", "characters", id] => id.parse().ok().and_then(character),
        _ => None,
    };
    found.unwrap_or_else(not_found)
}

fn anime_response(anime: &Anime, rest: &[&str], request: &DemoRequest<'_>) -> Option<DemoReply> {
    match Misbehavior::of(anime) {
        Some(Misbehavior::NotFound) => return None,
        Some(Misbehavior::TooMany) if request.before == 0 && rest == ["full"] => return Some(too_many()),
        _ => {}
    }
    let data = match rest {
        ["full"] => full(anime),
        ["characters"] => anime.cast().iter().map(listed).collect(),
        ["episodes", number] => {
            episode(anime, number.parse().ok().filter(|n| (1..=anime.displayed_titles()).contains(n))?)
        }
        _ => return None,
    };
    Some(stored(&data))
}

fn stored(data: &Value) -> DemoReply {
    DemoReply::json(&json!({ "data": data }))
        .with("cache-control", "public, s-maxage=86400")
        .with("x-cache-status", "MISS")
}

fn full(anime: &Anime) -> Value {
    let named =
        |name: &String| json!({"mal_id": name.len(), "type": "anime", "name": name, "url": "https://myanimelist.net/"});
    json!({
        "mal_id": anime.mal,
        "url": format!("https://myanimelist.net/anime/{}/{}", anime.mal, anime.slug),
        "images": {"jpg": {"image_url": format!("https://cdn.invalid/{}.jpg", anime.mal)}},
        "trailer": {"youtube_id": null, "url": null}, "approved": true,
        "titles": [{"type": "Default", "title": anime.title}, {"type": "English", "title": anime.english},
            {"type": "Japanese", "title": anime.native}],
        "title": anime.title, "title_english": anime.english, "title_japanese": anime.native, "title_synonyms": [],
        "type": anime.kind, "source": "Original", "episodes": anime.episodes,
        "status": if anime.is_airing() { "Currently Airing" } else { "Finished Airing" }, "airing": anime.is_airing(),
        "aired": {"from": format!("{}T00:00:00+00:00", anime.start), "to": anime.end().map(|end| format!("{end}T00:00:00+00:00"))}, "duration": "24 min per ep",
        "rating": "PG-13", "score": 8.4, "scored_by": 4_200, "rank": 42, "popularity": 42, "members": 42_000, "favorites": 420,
        "synopsis": anime.synopsis, "background": null, "season": anime.season, "year": anime.year(),
        "broadcast": {"day": null, "time": null, "timezone": null, "string": null}, "producers": [], "licensors": [], "studios": [named(&anime.studio)],
        "genres": anime.genres.iter().map(named).collect::<Vec<_>>(), "explicit_genres": [], "themes": [], "demographics": [],
        "relations": [], "theme": {"openings": [], "endings": []}, "external": [], "streaming": [],
    })
}

fn listed(character: &Character) -> Value {
    json!({
        "character": summary(character),
        "role": if character.is_main { "Main" } else { "Supporting" }, "favorites": 4_200 / (character.id % 100 + 1),
        "voice_actors": [{"person": {"mal_id": character.id + 7, "name": format!("Voice of {}", character.name)}, "language": "Japanese"}],
    })
}

fn summary(character: &Character) -> Value {
    json!({"mal_id": character.id, "url": format!("https://myanimelist.net/character/{}", character.id),
        "images": {"jpg": {"image_url": format!("https://cdn.invalid/character/{}.jpg", character.id)}}, "name": character.name})
}

fn episode(anime: &Anime, number: u64) -> Value {
    json!({
        "mal_id": number, "url": format!("https://myanimelist.net/anime/{}/{}/episode/{number}", anime.mal, anime.slug),
        "title": format!("Episode {number}"), "title_japanese": format!("第{number}話"), "title_romanji": format!("Dai {number} wa"),
        "aired": format!("{}T00:00:00+09:00", anime.start), "filler": number.is_multiple_of(13), "recap": number.is_multiple_of(26),
        "duration": 1_440, "synopsis": format!("Synopsis of episode {number}: {}", anime.synopsis),
    })
}

fn character(id: u64) -> Option<DemoReply> {
    let character = CATALOGUE.iter().flat_map(Anime::cast).find(|character| character.id == id)?;
    let mut data = summary(&character);
    data["name_kanji"] = Value::Null;
    data["nicknames"] = json!([]);
    data["favorites"] = json!(4_200 / (character.id % 100 + 1));
    data["about"] = json!(format!("{} appears in this anime.", character.name));
    Some(stored(&data))
}

fn not_found() -> DemoReply {
    let body = json!({"status": 404, "type": "HttpException", "message": "Resource does not exist", "error": null});
    DemoReply { status: 404, ..DemoReply::json(&body) }
}

fn too_many() -> DemoReply {
    let body =
        json!({"status": 429, "type": "RateLimitException", "message": "You are being rate-limited.", "error": null});
    DemoReply { status: 429, ..DemoReply::json(&body) }.with("retry-after", "1")
}
