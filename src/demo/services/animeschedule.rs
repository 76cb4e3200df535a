//! AnimeSchedule: a search by title.

use serde_json::{Value, json};

use crate::demo::catalogue::{Anime, CATALOGUE};
use crate::demo::services::exchange::{DemoReply, DemoRequest};

/// A date that is not known, as the service writes it.
const NEVER: &str = "0001-01-01T00:00:00Z";

pub(crate) fn respond(request: &DemoRequest<'_>) -> DemoReply {
    if request.path != "/api/v3/anime" {
        return DemoReply::new(404, "text/plain", "404 page not found");
    }
    let wanted = request.param("q").unwrap_or_default().to_lowercase();
    let is_meant =
        |anime: &&Anime| [&anime.title, &anime.english].iter().any(|title| title.to_lowercase().contains(&wanted));
    let found: Vec<_> = CATALOGUE.iter().filter(is_meant).map(anime).collect();
    if found.is_empty() || wanted.is_empty() {
        return DemoReply::new(200, "text/plain; charset=utf-8", "Couldn't find anime with these parameters.");
    }
    DemoReply::json(&json!({"page": 1, "totalAmount": found.len(), "anime": found}))
        .with("cache-control", "public, max-age=7200")
        .with("x-ratelimit-limit", "120")
        .with("x-ratelimit-remaining", "117")
}

fn anime(anime: &Anime) -> Value {
    let not_overridden = || json!({"overrideDate": NEVER, "overrideEpisode": 0, "episodesAired": 0});
    let named = |name: &String| json!({"name": name, "route": name.to_lowercase().replace(' ', "-")});
    json!({
        "id": format!("D{}", anime.mal), "title": anime.title, "route": anime.slug, "premier": format!("{}T00:00:00Z", anime.start),
        "subPremier": NEVER, "dubPremier": NEVER, "month": null, "year": anime.year(),
        "season": {"title": anime.season, "year": anime.year().map(|year| year.to_string()), "season": anime.season, "route": anime.season},
        "episodeOverride": not_overridden(), "subEpisodeOverride": not_overridden(), "dubEpisodeOverride": not_overridden(),
        "delayedFrom": NEVER, "delayedUntil": NEVER, "jpnTime": NEVER, "subTime": NEVER, "dubTime": NEVER,
        "description": format!("<p>{}</p>", anime.synopsis), "genres": anime.genres.iter().map(named).collect::<Vec<_>>(),
        "studios": [named(&anime.studio)], "sources": [], "mediaTypes": [named(&anime.kind)], "episodes": anime.episodes,
        "lengthMin": 24, "status": if anime.is_airing() { "Ongoing" } else { "Finished" },
        "createdAt": "2024-07-19T10:23:54Z", "updatedAt": "2024-07-19T10:23:54Z", "imageVersionRoute": "",
        "stats": {"averageScore": 84.0, "ratingCount": 42, "trackedCount": 420, "droppedCount": 4},
        "relations": {"sequels": [], "prequels": [], "other": []}, "names": {"native": anime.native, "synonyms": []},
        "websites": {"mal": format!("myanimelist.net/anime/{}", anime.mal), "aniList": format!("anilist.co/anime/{}", anime.anilist),
            "kitsu": format!("kitsu.app/anime/{}", anime.slug), "anidb": format!("anidb.net/anime/{}", anime.anidb), "streams": []},
    })
}
