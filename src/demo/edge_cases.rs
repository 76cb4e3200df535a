//! Edge cases of real caches: a huge body, a redirect, control characters, dead schemas, results that never expire.

use cache_core::Headers;
use serde_json::json;

use crate::demo::model::{DAY, Outcome, StoredExample, json as text};
use crate::demo::responses::{ExampleRequest, example};

/// Printed unescaped, it sets the clipboard and the window title, moves the cursor, and reverses text.
const HOSTILE: &str =
    "\u{1b}]52;c;cm0gLXJmIH4=\u{7}\u{1b}]0;owned\u{7}\u{1b}[2J\u{1b}[31mred\u{202e}txet sdrawkcab\u{9b}0m";

/// A result key without a schema hash, as older versions wrote it.
const UNHASHED: &str = "result_cache:anisearch_anime:18878";

/// Results without a TTL.
pub(crate) const IMMORTAL: [&str; 1] = [UNHASHED];

/// Unusual responses.
pub(crate) fn http(now: f64) -> Vec<StoredExample> {
    let mut deleted = expiring(now, 27, 80_000.0);
    deleted.is_deleted = true;
    let expiring = [(3, 100.0), (40, 170.0), (62, 600.0)].map(|(mal, left)| expiring(now, mal, left));
    [huge(now), hostile(now), redirect(now), banned(now), picture(now), deleted].into_iter().chain(expiring).collect()
}

fn json_type() -> Headers {
    [("content-type", "application/json")].into_iter().collect()
}

/// A body of several hundred KB.
fn huge(now: f64) -> StoredExample {
    let extras: Vec<_> = (0..2_700)
        .map(|i| {
            json!({"character": {"mal_id": 500_000 + i, "name": format!("Passerby {i}")}, "role": "Supporting",
            "favorites": i % 7, "voice_actors": []})
        })
        .collect();
    let url = "https://api.jikan.moe/v4/anime/21/characters?page=2";
    example(&ExampleRequest::get(url), now, 5_000.0, json_type(), text(&json!({"data": extras})))
}

/// Control characters in URL, header and body.
fn hostile(now: f64) -> StoredExample {
    let url = format!("https://api.jikan.moe/v4/anime?q={HOSTILE}");
    let headers = [("content-type", "application/json"), ("x-note", HOSTILE)].into_iter().collect();
    let body = json!({"data": [{"title": HOSTILE, "synopsis": "Control characters in this entry are escaped."}]});
    example(&ExampleRequest::get(&url), now, 700.0, headers, text(&body))
}

fn redirect(now: f64) -> StoredExample {
    let moved = [("location", "https://kitsu.io/api/edge/anime/1"), ("cache-control", "public, max-age=31536000")];
    let url = "https://kitsu.app/api/edge/anime/1";
    let mut redirect = example(&ExampleRequest::get(url), now, 40_000.0, moved.into_iter().collect(), Vec::new());
    redirect.response.status_code = 301;
    redirect
}

/// AniDB sends errors with status 200, so the pipeline caches them for a day.
fn banned(now: f64) -> StoredExample {
    let params =
        [("request", "anime"), ("aid", "9999"), ("client", "animeenrichment"), ("clientver", "1.0"), ("protover", "1")];
    let ask = ExampleRequest { params: &params, ..ExampleRequest::get("http://api.anidb.net:9001/httpapi") };
    let headers = [("content-type", "text/xml; charset=UTF-8")].into_iter().collect();
    example(&ask, now, 3_000.0, headers, b"<error>Banned</error>".to_vec())
}

/// An image, requested with credentials.
fn picture(now: f64) -> StoredExample {
    let secret = ExampleRequest {
        headers: &[("cookie", "session=demo-cookie-that-is-nobodys"), ("x-api-key", "demo-key-that-opens-nothing")],
        ..ExampleRequest::get("https://mirror.invalid/covers/1.png?access_token=demo-token-that-opens-nothing&size=64")
    };
    let headers = [("content-type", "image/png"), ("cache-control", "public, max-age=600"), ("age", "120")];
    let pixel = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\x06\0\0\0\x1f\x15\xc4\x89".to_vec();
    example(&secret, now, 300.0, headers.into_iter().collect(), pixel)
}

/// About to expire: stored two days ago, last served almost a day ago.
fn expiring(now: f64, mal: u64, left: f64) -> StoredExample {
    let url = format!("https://api.jikan.moe/v4/characters/{mal}");
    let body = text(&json!({"data": {"mal_id": mal, "name": "Unnamed character", "nicknames": [], "about": null}}));
    let mut answer = example(&ExampleRequest::get(&url), now, 2.0 * DAY, json_type(), body);
    answer.idle = DAY - left;
    answer
}

/// Results of older function versions, and one that is not JSON.
pub(crate) fn results() -> Vec<Outcome> {
    let old = |prefix: &str, schema: &str, id: &str, hours: f64| Outcome {
        key: Outcome::key(prefix, schema, id),
        value: json!({"japanese_title": "…", "published": "result of an older function version"}).to_string(),
        age: hours * 3_600.0,
    };
    vec![
        old("anisearch_anime", "82fce6a05e45281a", "18878", 23.1),
        old("anisearch_anime", "82fce6a05e45281a", "3633", 23.3),
        old("anisearch_anime", "82fce6a05e45281a", "2227", 23.6),
        old("animeplanet_anime", "0d1f7c55aa3be902", "cowboy-bebop", 22.9),
        old("animeplanet_anime", "0d1f7c55aa3be902", "death-note", 23.2),
        Outcome { key: UNHASHED.into(), value: json!({"japanese_title": "Dandadan"}).to_string(), age: 0.0 },
        Outcome {
            key: Outcome::key("anisearch_characters", "1e0040f9270ec447", "18878,dan-da-dan"),
            value: "<html>Just a moment…</html>".into(),
            age: 9_000.0,
        },
    ]
}
