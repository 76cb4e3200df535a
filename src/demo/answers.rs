//! What each of the seven services answers for one title, in the shape of its own answers.

use cache_core::key::result_key;
use cache_core::{CacheKey, Form, Headers, Payload, Request, Response};
use jiff::Timestamp;
use serde_json::{Value, json};
use url::Url;

use super::{Anime, Answer, Outcome, json as text};

/// What the pipeline sends with every request.
const CLIENT: [(&str, &str); 4] = [
    ("x-hishel-body-key", "true"),
    ("accept", "*/*"),
    ("accept-encoding", "gzip, deflate"),
    ("user-agent", "Python/3.12 aiohttp/3.12.13"),
];

/// A request as the pipeline makes it.
pub(super) struct Ask<'a> {
    pub(super) method: &'a str,
    pub(super) url: &'a str,
    pub(super) params: &'a [(&'a str, &'a str)],
    pub(super) body: Option<&'a Value>,
    pub(super) headers: &'a [(&'a str, &'a str)],
}

impl<'a> Ask<'a> {
    pub(super) fn get(url: &'a str) -> Self {
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
        let params = Form::pairs(self.params.iter().copied());
        let params = (!self.params.is_empty()).then_some(&params);
        CacheKey::pipeline(self.method, self.url, &Payload { json: self.body, params, data: None })
    }
}

/// The answer to a request, stored at `now - age`.
pub(super) fn answer(ask: &Ask<'_>, now: f64, age: f64, headers: Headers, body: Vec<u8>) -> Answer {
    let mut all = headers;
    all.append("date", http_date(now - age));
    let response = Response { status_code: 200, headers: all, ..Response::default() };
    Answer { request: ask.request(), key: ask.key(), response, body, age, idle: age, is_deleted: false }
}

/// Every HTTP answer of one run of the pipeline over one title.
pub(super) fn http(anime: &Anime, now: f64, age: f64) -> Vec<Answer> {
    let mut all = jikan(anime, now, age);
    all.extend(anilist(anime, now, age - 20.0));
    all.extend(kitsu(anime, now, age - 4.0));
    all.push(anidb(anime, now, age - 7.0));
    all.push(animeschedule(anime, now, age - 2.0));
    // The title page was asked for again later, and stays that much longer.
    all[0].age += 5.0 * super::DAY;
    all
}

fn jikan(anime: &Anime, now: f64, age: f64) -> Vec<Answer> {
    let page = format!("https://api.jikan.moe/v4/anime/{}", anime.mal);
    let ask = |path: &str, later: f64, body: &Value| {
        let age = age - later;
        let headers = [
            ("content-type", "application/json"),
            ("content-encoding", "gzip"),
            ("cache-control", "public, s-maxage=86400"),
            ("x-cache-status", "MISS"),
        ];
        let mut headers: Headers = headers.into_iter().collect();
        headers.append("last-modified", http_date(now - age));
        headers.append("expires", http_date(now - age + super::DAY));
        answer(&Ask::get(&format!("{page}{path}")), now, age, headers, text(body))
    };
    let character = |(i, name): (usize, &String)| {
        json!({"character": {"mal_id": anime.mal * 10 + i as u64, "name": name,
                "images": {"jpg": {"image_url": "https://cdn.invalid/character.jpg"}}},
            "role": if i < 2 { "Main" } else { "Supporting" }, "favorites": 4_200 / (i + 1), "voice_actors": []})
    };
    let full = json!({"data": {
        "mal_id": anime.mal,
        "url": format!("https://myanimelist.net/anime/{}", anime.mal),
        "titles": [{"type": "Default", "title": anime.title}, {"type": "Japanese", "title": anime.native}],
        "title": anime.title, "title_english": anime.english, "title_japanese": anime.native, "title_synonyms": [],
        "type": anime.kind, "source": "Original", "episodes": anime.episodes,
        "status": if anime.episodes.is_some() { "Finished Airing" } else { "Currently Airing" },
        "aired": {"from": anime.start, "to": null}, "duration": "24 min per ep", "synopsis": anime.synopsis,
        "season": anime.season, "studios": [{"type": "anime", "name": anime.studio}],
        "genres": anime.genres.iter().map(|name| json!({"type": "anime", "name": name})).collect::<Vec<_>>(),
        "theme": {"openings": [], "endings": []}, "external": [], "streaming": [],
    }});
    let characters = json!({"data": anime.characters.iter().enumerate().map(character).collect::<Vec<_>>()});
    let mut all = vec![ask("/full", 0.0, &full), ask("/characters", 0.6, &characters)];
    for number in 1..=anime.episodes.unwrap_or(4).min(4) {
        let episode = json!({"data": {
            "mal_id": number, "url": format!("https://myanimelist.net/anime/{}/-/episode/{number}", anime.mal),
            "title": format!("Episode {number}"), "title_japanese": format!("第{number}話"), "title_romanji": null,
            "aired": anime.start, "filler": false, "recap": number == 4, "duration": 1_440,
            "synopsis": format!("What happens in part {number}: {}", anime.synopsis),
        }});
        all.push(ask(&format!("/episodes/{number}"), 1.2 + number as f64 * 0.6, &episode));
    }
    all
}

fn anilist(anime: &Anime, now: f64, age: f64) -> Vec<Answer> {
    let ask = |later: f64, remaining: u32, query: &str, variables: Value, media: Value| {
        let body = json!({"query": query, "variables": variables});
        let request_headers = [("content-type", "application/json"), ("accept", "application/json")];
        let request = Ask {
            method: "POST",
            url: "https://graphql.anilist.co",
            body: Some(&body),
            headers: &request_headers,
            params: &[],
        };
        let headers = [
            ("content-type", "application/json"),
            ("cache-control", "no-cache, private"),
            ("x-ratelimit-limit", "30"),
            ("x-ratelimit-remaining", &remaining.to_string()),
            ("set-cookie", "laravel_session=demo-session-that-is-nobodys; path=/; httponly"),
            ("content-encoding", "gzip"),
        ];
        let reply = json!({"data": {"Media": media}});
        answer(&request, now, age - later, headers.into_iter().collect(), text(&reply))
    };
    let people = |names: &[String]| {
        names.iter().map(|name| json!({"node": {"name": {"full": name}}, "role": "MAIN"})).collect::<Vec<_>>()
    };
    let title = json!({"romaji": anime.title, "english": anime.english, "native": anime.native});
    vec![
        ask(
            0.0,
            29,
            "query ($id: Int) { Media(id: $id, type: ANIME) { id idMal title { romaji english native } genres } }",
            json!({"id": anime.anilist}),
            json!({"id": anime.anilist, "idMal": anime.mal, "title": title, "description": anime.synopsis,
                "format": anime.kind.to_uppercase(), "episodes": anime.episodes, "season": anime.season.to_uppercase(),
                "genres": anime.genres, "studios": {"edges": [{"isMain": true, "node": {"name": anime.studio}}]}}),
        ),
        ask(
            0.5,
            28,
            "query ($id: Int, $page: Int) { Media(id: $id) { title { romaji } characters(page: $page) { edges { role } } } }",
            json!({"id": anime.anilist, "page": 1}),
            json!({"title": title, "characters": {"pageInfo": {"hasNextPage": false}, "edges": people(&anime.characters)}}),
        ),
        ask(
            1.0,
            27,
            "query ($id: Int, $page: Int) { Media(id: $id) { title { romaji } staff(page: $page) { edges { role } } } }",
            json!({"id": anime.anilist, "page": 1}),
            json!({"title": title, "staff": {"pageInfo": {"hasNextPage": false}, "edges": []}}),
        ),
    ]
}

fn kitsu(anime: &Anime, now: f64, age: f64) -> Vec<Answer> {
    let page = format!("https://kitsu.io/api/edge/anime/{}", anime.kitsu);
    let ask = |path: &str, params: &[(&str, &str)], body: &Value| {
        let accept = [("content-type", "application/vnd.api+json")];
        let url = format!("{page}{path}");
        let request = Ask { params, headers: &accept, ..Ask::get(&url) };
        let headers = [
            ("content-type", "application/vnd.api+json"),
            ("cache-control", "max-age=0, private, must-revalidate"),
            ("etag", &format!("W/\"{}-{}\"", anime.kitsu, path.len())),
            ("vary", "Accept, Origin"),
        ];
        answer(&request, now, age, headers.into_iter().collect(), text(body))
    };
    let resource = json!({"data": {"id": anime.kitsu.to_string(), "type": "anime", "attributes": {
        "slug": anime.slug, "canonicalTitle": anime.title,
        "titles": {"en": anime.english, "en_jp": anime.title, "ja_jp": anime.native},
        "synopsis": anime.synopsis, "startDate": anime.start, "episodeCount": anime.episodes, "subtype": anime.kind}}});
    let count = anime.episodes.unwrap_or(40).min(40);
    let categories: Vec<_> =
        anime.genres.iter().map(|title| json!({"type": "categories", "attributes": {"title": title}})).collect();
    let mut all = vec![ask("", &[], &resource), ask("/categories", &[], &json!({"data": categories}))];
    for offset in (0..count).step_by(20) {
        let episodes: Vec<_> = (offset + 1..=(offset + 20).min(count))
            .map(|number| json!({"type": "episodes", "attributes": {"number": number, "canonicalTitle": format!("Episode {number}"), "length": 24}}))
            .collect();
        let params = [("page[limit]", "20"), ("page[offset]", &offset.to_string())];
        all.push(ask("/episodes", &params, &json!({"data": episodes, "meta": {"count": count}})));
    }
    all
}

fn anidb(anime: &Anime, now: f64, age: f64) -> Answer {
    let id = anime.anidb.to_string();
    let params =
        [("request", "anime"), ("client", "animeenrichment"), ("clientver", "1.0"), ("protover", "1"), ("aid", &id)];
    let agent = [("cache-control", "no-cache")];
    let request = Ask { params: &params, headers: &agent, ..Ask::get("http://api.anidb.net:9001/httpapi") };
    let character =
        |name: &String| format!("<character type=\"main character in\">\n<name>{}</name>\n</character>\n", xml(name));
    let characters = anime.characters.iter().map(character).collect::<Vec<_>>().concat();
    let body = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<anime id=\"{id}\" restricted=\"false\">\n<type>{}</type>\n\
         <episodecount>{}</episodecount>\n<startdate>{}</startdate>\n<titles>\n\
         <title xml:lang=\"x-jat\" type=\"main\">{}</title>\n<title xml:lang=\"ja\" type=\"official\">{}</title>\n</titles>\n\
         <creators>\n<name id=\"1\" type=\"Animation Work\">{}</name>\n</creators>\n<description>{}</description>\n\
         <ratings>\n<permanent count=\"4200\">8.4</permanent>\n</ratings>\n<characters>\n{characters}</characters>\n</anime>\n",
        if anime.kind == "TV" { "TV Series" } else { &anime.kind },
        anime.episodes.unwrap_or(0),
        anime.start,
        xml(&anime.title),
        xml(&anime.native),
        xml(&anime.studio),
        xml(&anime.synopsis),
    );
    let headers = [("content-type", "text/xml; charset=UTF-8"), ("content-encoding", "gzip")].into_iter().collect();
    answer(&request, now, age, headers, body.into_bytes())
}

fn animeschedule(anime: &Anime, now: f64, age: f64) -> Answer {
    // The pipeline puts the title into the URL as it is; the client encodes it, but not in the key.
    let url = format!("https://animeschedule.net/api/v3/anime?q={}", anime.title);
    let token = [("authorization", "Bearer demo-token-that-opens-nothing")];
    let request = Ask { headers: &token, ..Ask::get(&url) };
    let body = json!({"page": 1, "totalAmount": 1, "anime": [{
        "id": format!("D{}", anime.mal), "title": anime.title, "route": anime.slug, "premier": anime.start,
        "season": {"season": anime.season}, "subPremier": "0001-01-01T00:00:00Z", "description": format!("<p>{}</p>", anime.synopsis),
        "genres": anime.genres.iter().map(|name| json!({"name": name, "route": name.to_lowercase()})).collect::<Vec<_>>(),
        "episodes": anime.episodes, "lengthMin": 24, "names": {"native": anime.native, "synonyms": []}}]});
    let headers = [
        ("content-type", "application/json; charset=utf-8"),
        ("cache-control", "public, max-age=7200"),
        ("x-ratelimit-limit", "120"),
        ("x-ratelimit-remaining", "117"),
    ];
    let mut answer = answer(&request, now, age, headers.into_iter().collect(), text(&body));
    if let Ok(sent) = Url::parse(&url) {
        answer.request.url = sent.into();
    }
    answer
}

/// Every result that the crawlers leave of one title.
pub(super) fn results(anime: &Anime, age: f64) -> Vec<Outcome> {
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
        key: result_key(prefix, schema, &[argument.as_str().into()], &[]),
        value: value.to_string(),
        age: age - 12.0 * f64::from(place),
    })
    .collect()
}

/// A time as header fields have it.
pub(super) fn http_date(unix: f64) -> String {
    Timestamp::from_second(unix as i64).unwrap_or_default().strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

fn xml(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
