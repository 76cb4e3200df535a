//! AniList: GraphQL over POST.
//!
//! It serves four queries: the title, and one page of its characters, its staff or its airing schedule. The field in
//! the query determines which.

use serde_json::{Value, json};

use crate::demo::catalogue::{Anime, CATALOGUE};
use crate::demo::services::exchange::{DemoReply, DemoRequest, page};

/// Requests a minute, as in its headers.
const LIMIT: u64 = 30;

pub(crate) fn respond(request: &DemoRequest<'_>) -> DemoReply {
    let query = request.body.and_then(|body| body["query"].as_str());
    let variables = request.body.map(|body| &body["variables"]);
    let (Some(query), Some(variables)) = (query, variables) else {
        return error(400, "Syntax Error: no query.");
    };
    let Some(anime) = CATALOGUE.iter().find(|anime| variables["id"] == anime.anilist) else {
        return error(404, "Not Found.");
    };
    let number = variables["page"].as_u64().unwrap_or(1).max(1);
    let media = if query.contains("characters(") {
        json!({"characters": connection(characters(anime), number, 25)})
    } else if query.contains("staff(") {
        json!({"staff": connection(staff(anime), number, 25)})
    } else if query.contains("airingSchedule(") {
        json!({"airingSchedule": connection(schedule(anime), number, 50)})
    } else {
        media(anime)
    };
    headed(DemoReply::json(&json!({"data": {"Media": media}})), LIMIT - 1)
}

fn headed(reply: DemoReply, remaining: u64) -> DemoReply {
    reply
        .with("cache-control", "no-cache, private")
        .with("x-ratelimit-limit", LIMIT.to_string())
        .with("x-ratelimit-remaining", remaining.to_string())
        .with("set-cookie", "laravel_session=demo-session-that-is-nobodys; path=/; httponly")
}

fn error(status: u16, message: &str) -> DemoReply {
    let body = json!({"errors": [{"message": message, "status": status, "locations": [{"line": 1, "column": 3}]}],
        "data": {"Media": null}});
    headed(DemoReply { status, ..DemoReply::json(&body) }, LIMIT - 1)
}

fn connection(edges: Vec<Value>, number: u64, size: u64) -> Value {
    let (edges, has_next) = page(edges, (number - 1) * size, size);
    json!({"edges": edges, "pageInfo": {"hasNextPage": has_next}})
}

fn characters(anime: &Anime) -> Vec<Value> {
    let cast = anime.cast();
    let edge = |character: &crate::demo::catalogue::Character| {
        json!({"node": {"id": character.id, "name": {"full": character.name, "native": null, "alternative": [], "alternativeSpoiler": []},
                "image": {"large": format!("https://cdn.invalid/{}.png", character.id), "medium": null}, "favourites": 42, "gender": null},
            "role": if character.is_main { "MAIN" } else { "SUPPORTING" },
            "voiceActors": [{"id": character.id + 7, "name": {"full": format!("Voice of {}", character.name), "native": null}}]})
    };
    cast.iter().map(edge).collect()
}

fn staff(anime: &Anime) -> Vec<Value> {
    ["Director", "Script", "Music", "Character Design"]
        .into_iter()
        .zip(1..)
        .map(|(role, id)| {
            json!({"node": {"id": anime.anilist * 10 + id, "name": {"full": format!("{role} of {}", anime.english), "native": null}},
                "role": role})
        })
        .collect()
}

fn schedule(anime: &Anime) -> Vec<Value> {
    // A new episode each week; shows that ended long ago have no schedule.
    let airs = if anime.is_airing() { anime.displayed_titles() + 60 } else { 0 };
    (1..=airs).map(|n| json!({"node": {"id": anime.anilist * 1_000 + n, "episode": n, "airingAt": 1_700_000_000 + n * 604_800}})).collect()
}

fn media(anime: &Anime) -> Value {
    json!({
        "id": anime.anilist, "idMal": anime.mal,
        "title": {"romaji": anime.title, "english": anime.english, "native": anime.native, "userPreferred": anime.title},
        "description": anime.synopsis, "source": "ORIGINAL", "format": anime.kind.to_uppercase(), "episodes": anime.episodes,
        "duration": 24, "status": if anime.is_airing() { "RELEASING" } else { "FINISHED" },
        "season": anime.season.to_uppercase(), "seasonYear": anime.year(), "countryOfOrigin": "JP", "isAdult": false, "hashtag": null,
        "coverImage": {"extraLarge": format!("https://cdn.invalid/cover/x{}.jpg", anime.anilist),
            "large": format!("https://cdn.invalid/cover/{}.jpg", anime.anilist), "medium": null, "color": "#a0b0c0"},
        "bannerImage": null, "trailer": null, "trending": 4,
        "averageScore": 84, "meanScore": 85, "popularity": 42_000, "favourites": 4_200, "genres": anime.genres, "synonyms": [],
        "tags": [{"id": 1, "name": "Ensemble Cast", "description": "Features a large main cast.", "category": "Cast", "rank": 70,
            "isGeneralSpoiler": false, "isMediaSpoiler": false, "isAdult": false}],
        "relations": {"edges": [{"relationType": "SIDE_STORY", "node": {"id": anime.anilist * 10, "format": "SPECIAL", "status": "FINISHED",
            "title": {"romaji": format!("{}: A Special", anime.title), "english": null}}}]},
        "studios": {"edges": [{"node": {"id": 1, "name": anime.studio, "isAnimationStudio": true}, "isMain": true}]},
        "externalLinks": [], "streamingEpisodes": [], "rankings": [],
        "nextAiringEpisode": anime.is_airing().then(|| json!({"episode": anime.displayed_titles() + 1, "airingAt": 1_700_000_000, "timeUntilAiring": 1})),
        "stats": {"scoreDistribution": [{"score": 80, "amount": 42}], "statusDistribution": [{"status": "COMPLETED", "amount": 42}]},
        "updatedAt": 1_700_000_000,
    })
}
