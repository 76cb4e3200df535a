//! Kitsu: JSON:API, with pages by offset.

use serde_json::{Value, json};

use crate::demo::catalogue::{Anime, CATALOGUE};
use crate::demo::services::exchange::{DemoReply, DemoRequest, page};

pub(crate) fn respond(request: &DemoRequest<'_>) -> DemoReply {
    let parts = request.parts();
    let ["api", "edge", "anime", rest @ ..] = parts.as_slice() else { return not_found() };
    let [id, rest @ ..] = rest else {
        let slug = request.param("filter[slug]");
        let found: Vec<_> = CATALOGUE.iter().filter(|anime| Some(anime.slug.as_str()) == slug).map(resource).collect();
        return reply(&json!({"data": found, "meta": {"count": found.len()}}), 0);
    };
    let Some(anime) = CATALOGUE.iter().find(|anime| anime.kitsu.to_string() == **id) else { return not_found() };
    let body = match rest {
        [] => json!({"data": resource(anime)}),
        ["categories"] => {
            let category = |title: &String| json!({"type": "categories", "attributes": {"title": title, "slug": title.to_lowercase()}});
            json!({"data": anime.genres.iter().map(category).collect::<Vec<_>>(), "meta": {"count": anime.genres.len()}})
        }
        ["episodes"] => {
            let size = request.number("page[limit]").unwrap_or(10).clamp(1, 20);
            let (episodes, _) = page(
                (1..=anime.displayed_titles()).map(episode).collect(),
                request.number("page[offset]").unwrap_or(0),
                size,
            );
            json!({"data": episodes, "meta": {"count": anime.displayed_titles()}})
        }
        _ => return not_found(),
    };
    reply(&body, anime.kitsu)
}

fn reply(body: &Value, id: u64) -> DemoReply {
    DemoReply::new(200, "application/vnd.api+json; charset=utf-8", body.to_string())
        .with("cache-control", "max-age=0, private, must-revalidate")
        .with("etag", format!("W/\"{id}-{}\"", body.to_string().len()))
        .with("vary", "Accept, Origin")
}

fn resource(anime: &Anime) -> Value {
    json!({"id": anime.kitsu.to_string(), "type": "anime", "attributes": {
        "slug": anime.slug, "canonicalTitle": anime.title, "abbreviatedTitles": [],
        "titles": {"en": anime.english, "en_jp": anime.title, "ja_jp": anime.native},
        "synopsis": anime.synopsis, "averageRating": "82.4", "startDate": anime.start, "endDate": null,
        "status": if anime.is_airing() { "current" } else { "finished" },
        "episodeCount": anime.episodes, "episodeLength": 24, "subtype": anime.kind, "ageRating": "PG", "nsfw": false}})
}

fn episode(number: u64) -> Value {
    json!({"id": (40_000 + number).to_string(), "type": "episodes", "attributes": {"number": number, "seasonNumber": 1,
        "canonicalTitle": format!("Episode {number}"), "length": 24, "synopsis": null}})
}

fn not_found() -> DemoReply {
    let body = json!({"errors": [{"title": "Record not found", "detail": "The record identified could not be found.",
        "code": "404", "status": "404"}]});
    DemoReply::new(404, "application/vnd.api+json; charset=utf-8", body.to_string())
}
