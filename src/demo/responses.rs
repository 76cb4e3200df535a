//! The stored responses of the seven services for one title, in the shape of real ones.

use std::time::{Duration, UNIX_EPOCH};

use cache_core::{CacheKey, FormValue, Headers, Request, RequestPayload, Response};
use serde_json::{Value, json};
use url::Url;

use crate::demo::catalogue::Anime;
use crate::demo::model::{Outcome, StoredExample};
use crate::demo::services;
use crate::demo::services::exchange::{DemoReply, DemoRequest};

/// Headers that the pipeline sends with every request.
const CLIENT: [(&str, &str); 4] = [
    ("x-hishel-body-key", "true"),
    ("accept", "*/*"),
    ("accept-encoding", "gzip, deflate"),
    ("user-agent", "Python/3.12 aiohttp/3.12.13"),
];

/// A request of the pipeline.
pub(crate) struct ExampleRequest<'a> {
    pub(crate) method: &'a str,
    pub(crate) url: &'a str,
    pub(crate) params: &'a [(&'a str, &'a str)],
    pub(crate) body: Option<&'a Value>,
    pub(crate) headers: &'a [(&'a str, &'a str)],
}

impl<'a> ExampleRequest<'a> {
    pub(crate) fn get(url: &'a str) -> Self {
        Self { method: "GET", url, params: &[], body: None, headers: &[] }
    }

    fn request(&self) -> Request {
        let mut url = self.url.to_owned();
        if let Ok(sent) = Url::parse_with_params(self.url, self.params)
            && !self.params.is_empty()
        {
            url = sent.into();
        }
        let headers = CLIENT.iter().chain(self.headers).copied().collect();
        Request { method: self.method.to_owned(), url, headers, ..Request::default() }
    }

    fn key(&self) -> CacheKey {
        let params = FormValue::pairs(self.params.iter().copied());
        let params = (!self.params.is_empty()).then_some(&params);
        cache_core::pipeline_key(self.method, self.url, &RequestPayload { json: self.body, params, data: None })
    }
}

/// The response to a request, stored at `now - age`.
pub(crate) fn example(ask: &ExampleRequest<'_>, now: f64, age: f64, headers: Headers, body: Vec<u8>) -> StoredExample {
    let mut all = headers;
    all.append("date", httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs_f64(now - age)));
    let response = Response { status_code: 200, headers: all, ..Response::default() };
    StoredExample { request: ask.request(), key: ask.key(), response, body, age, idle: age, is_deleted: false }
}

/// All HTTP responses of one run of the pipeline for one title.
pub(crate) fn http(anime: &Anime, now: f64, age: f64) -> Vec<StoredExample> {
    let mut all = jikan(anime, now, age);
    all.extend(anilist(anime, now, age - 20.0));
    all.extend(kitsu(anime, now, age - 4.0));
    all.extend(anidb(anime, now, age - 7.0));
    all.extend(animeschedule(anime, now, age - 2.0));
    // The page of the title was requested again later, which renewed its TTL.
    if let Some(first) = all.first_mut() {
        first.age += 5.0 * crate::demo::model::DAY;
    }
    all
}

/// The entry that the pipeline would store for a response: none for an error, and decoded otherwise.
fn stored(ask: &ExampleRequest<'_>, reply: DemoReply, now: f64, age: f64) -> Option<StoredExample> {
    let mut headers: Headers = reply.headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
    headers.append("content-encoding", "gzip");
    (reply.status < 400).then(|| example(ask, now, age, headers, reply.body))
}

fn jikan(anime: &Anime, now: f64, age: f64) -> Vec<StoredExample> {
    let title = format!("/v4/anime/{}", anime.mal);
    let episodes = (1..=anime.displayed_titles().min(4)).map(|number| format!("/episodes/{number}"));
    ["/full".to_owned(), "/characters".to_owned()]
        .into_iter()
        .chain(episodes)
        .zip(0..)
        .filter_map(|(rest, place)| {
            let path = format!("{title}{rest}");
            let reply =
                services::respond(crate::services::jikan(), &DemoRequest { before: 1, ..DemoRequest::get(&path) });
            let url = format!("https://api.jikan.moe{path}");
            stored(&ExampleRequest::get(&url), reply, now, age - 0.6 * f64::from(place))
        })
        .collect()
}

fn anilist(anime: &Anime, now: f64, age: f64) -> Vec<StoredExample> {
    let headers = [("content-type", "application/json"), ("accept", "application/json")];
    let page = |field: &str| {
        format!(
            "query ($id: Int!, $page: Int!) {{ Media(id: $id, type: ANIME) {{ {field}(page: $page, perPage: 25) {{ pageInfo {{ hasNextPage }} }} }} }}"
        )
    };
    let queries = [
        "query ($id: Int!) { Media(id: $id, type: ANIME) { id idMal title { romaji english native } genres } }"
            .to_owned(),
        page("characters"),
        page("staff"),
    ];
    queries
        .into_iter()
        .zip(0..)
        .filter_map(|(query, place)| {
            let variables =
                if place == 0 { json!({"id": anime.anilist}) } else { json!({"id": anime.anilist, "page": 1}) };
            let body = json!({"query": query, "variables": variables});
            let reply = services::respond(
                crate::services::anilist(),
                &DemoRequest { body: Some(&body), ..DemoRequest::get("/") },
            );
            let ask = ExampleRequest {
                method: "POST",
                body: Some(&body),
                headers: &headers,
                ..ExampleRequest::get("https://graphql.anilist.co")
            };
            stored(&ask, reply, now, age - 0.5 * f64::from(place))
        })
        .collect()
}

fn kitsu(anime: &Anime, now: f64, age: f64) -> Vec<StoredExample> {
    let title = format!("/api/edge/anime/{}", anime.kitsu);
    let headers = [("content-type", "application/vnd.api+json")];
    let pages = (0..anime.displayed_titles().min(40)).step_by(20).map(|offset| ("/episodes", Some(offset.to_string())));
    [("", None), ("/categories", None)]
        .into_iter()
        .chain(pages)
        .filter_map(|(rest, offset)| {
            let (path, offset) = (format!("{title}{rest}"), offset.unwrap_or_default());
            let params = [("page[limit]", "20"), ("page[offset]", offset.as_str())];
            let params = if rest == "/episodes" { &params[..] } else { &[] };
            let query = owned_pairs(params);
            let reply =
                services::respond(crate::services::kitsu(), &DemoRequest { query: &query, ..DemoRequest::get(&path) });
            let url = format!("https://kitsu.io{path}");
            stored(&ExampleRequest { params, headers: &headers, ..ExampleRequest::get(&url) }, reply, now, age)
        })
        .collect()
}

fn anidb(anime: &Anime, now: f64, age: f64) -> Option<StoredExample> {
    let id = anime.anidb.to_string();
    let params =
        [("request", "anime"), ("client", "animeenrichment"), ("clientver", "1.0"), ("protover", "1"), ("aid", &id)];
    let query = owned_pairs(&params);
    let reply =
        services::respond(crate::services::anidb(), &DemoRequest { query: &query, ..DemoRequest::get("/httpapi") });
    let agent = [("cache-control", "no-cache")];
    let ask =
        ExampleRequest { params: &params, headers: &agent, ..ExampleRequest::get("http://api.anidb.net:9001/httpapi") };
    stored(&ask, reply, now, age)
}

fn animeschedule(anime: &Anime, now: f64, age: f64) -> Option<StoredExample> {
    let query = owned_pairs(&[("q", &anime.title)]);
    let reply = services::respond(
        crate::services::animeschedule(),
        &DemoRequest { query: &query, ..DemoRequest::get("/api/v3/anime") },
    );
    // The pipeline puts the title into the URL as it is: the URL is percent-encoded, the key is not.
    let url = format!("https://animeschedule.net/api/v3/anime?q={}", anime.title);
    let token = [("authorization", "Bearer demo-token-that-opens-nothing")];
    let mut answer = stored(&ExampleRequest { headers: &token, ..ExampleRequest::get(&url) }, reply, now, age)?;
    if let Ok(sent) = Url::parse(&url) {
        answer.request.url = sent.into();
    }
    Some(answer)
}

fn owned_pairs(params: &[(&str, &str)]) -> Vec<(String, String)> {
    params.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// The results of the crawlers for one title.
pub(crate) fn results(anime: &Anime, age: f64) -> Vec<Outcome> {
    let id = anime.anisearch.to_string();
    let characters: Vec<_> =
        anime.characters.iter().map(|name| json!({"name": name, "role": "Main", "url": "/characters/-"})).collect();
    let episodes: Vec<_> = (1..=anime.episodes.unwrap_or(40).min(40))
        .map(|number| json!({"episodeNumber": number, "title": format!("Episode {number}"), "runtime": "24 min"}))
        .collect();
    let page = json!({"type": "TVSeries", "title": anime.english, "title_japanese": anime.native, "slug": anime.slug,
        "description": anime.synopsis, "start_date": anime.start, "episodes": anime.episodes, "genres": anime.genres,
        "studios": [anime.studio], "season": anime.season.to_uppercase(), "related_anime": [], "related_count": 0});
    let entry = json!({"japanese_title": anime.title, "japanese_title_alt": anime.native, "type": anime.kind,
        "studio": anime.studio, "genres": anime.genres, "description": anime.synopsis, "screenshots": []});
    [
        ("animeplanet_anime", "9bbfd50a125f54f4", &anime.slug, page),
        (
            "animeplanet_characters",
            "aa641c8ed72ada78",
            &anime.slug,
            json!({"characters": characters, "total_count": characters.len()}),
        ),
        ("anisearch_anime", "674b3db9c6307fbe", &id, entry),
        ("anisearch_episodes", "4365076642a7d369", &id, json!(episodes)),
        ("anisearch_characters", "1e0040f9270ec447", &id, json!({"characters": characters})),
    ]
    .into_iter()
    .zip(0..)
    .map(|((prefix, schema, argument, value), place)| Outcome {
        key: Outcome::key(prefix, schema, argument),
        value: value.to_string(),
        age: age - 12.0 * f64::from(place),
    })
    .collect()
}
