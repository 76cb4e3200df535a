//! AnimeSchedule: one search by title.

use async_trait::async_trait;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;

use crate::anime::Anime;
use crate::enrich::error::FetchFailure;
use crate::enrich::network::DEFAULT_TIMEOUT;
use crate::enrich::response::take;
use crate::enrich::service_client::ServiceClient;
use crate::enrich::source::Source;

/// AnimeSchedule.
pub struct AnimeSchedule;

#[async_trait]
impl Source for AnimeSchedule {
    async fn fetch(&self, anime: &Anime, client: &ServiceClient) -> Result<Value, FetchFailure> {
        client.metrics().expect(1);
        let mut request =
            client.get(client.address(&format!("/anime?q={}", parameter(&anime.title)))).timeout(DEFAULT_TIMEOUT);
        // Credentials are not stored with the response.
        if let Some(token) = client.services().token(crate::services::animeschedule()) {
            request = request.header("authorization", format!("Bearer {}", token.secret()));
        }
        let body = client.request(request, is_good).await?.ok()?;
        let mut answer: Value = serde_json::from_slice(&body).map_err(|_| no_json(&body))?;
        let Value::Array(mut found) = take(&mut answer, "/anime") else { return Err(FetchFailure::NotFound) };
        match best_match(&found, anime) {
            Some(place) => Ok(found.swap_remove(place)),
            None => Err(FetchFailure::NotFound),
        }
    }
}

/// The failure of a response that is not JSON: AnimeSchedule reports "not found" as text.
fn no_json(body: &[u8]) -> FetchFailure {
    if body.trim_ascii_start().starts_with(b"Couldn't find") {
        FetchFailure::NotFound
    } else {
        FetchFailure::Unexpected("invalid JSON in the response".to_owned())
    }
}

/// A title as the value of a parameter, not percent-encoded: the pipeline writes it into the URL as it is, and the key is
/// made of that. Only characters that would end or change the value are encoded; for such titles the pipeline requests
/// a part of the title, and its entries cannot be shared.
fn parameter(title: &str) -> String {
    title.replace('%', "%25").replace('&', "%26").replace('+', "%2B").replace('#', "%23")
}

/// The place of the entry with an ID of the anime, else with its title, else the first, as in the pipeline.
fn best_match(found: &[Value], anime: &Anime) -> Option<usize> {
    let by_id = || found.iter().position(|entry| has_id(entry, anime));
    let by_title = || found.iter().position(|entry| has_title(entry, &anime.title));
    by_id().or_else(by_title).or(if found.is_empty() { None } else { Some(0) })
}

fn has_id(entry: &Value, anime: &Anime) -> bool {
    let ids = [("mal", anime.ids.mal), ("aniList", anime.ids.anilist), ("anidb", anime.ids.anidb)];
    ids.iter().any(|(site, id)| id.is_some() && number(&entry["websites"][site]) == *id)
}

/// The ID in a link such as `myanimelist.net/anime/1735/Naruto__Shippuuden`.
fn number(link: &Value) -> Option<u64> {
    link.as_str()?.split(['/', '?']).find_map(|part| part.parse().ok())
}

fn has_title(entry: &Value, title: &str) -> bool {
    let names = &entry["names"];
    let synonyms = names["synonyms"].as_array().into_iter().flatten();
    let mut names =
        [&entry["title"], &names["romaji"], &names["english"], &names["native"]].into_iter().chain(synonyms);
    names.any(|name| name.as_str().is_some_and(|name| name.to_lowercase() == title.to_lowercase()))
}

/// Whether there is a list, which may be empty.
fn is_good(body: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct ScheduleResponse {
        #[serde(rename = "anime")]
        _anime: Vec<IgnoredAny>,
    }
    serde_json::from_slice::<ScheduleResponse>(body).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::anime::Ids;
    use serde_json::json;

    #[test]
    fn parameter_encodes_reserved_characters_only() {
        assert_eq!(parameter("Cowboy Bebop"), "Cowboy Bebop");
        assert_eq!(parameter("ぼっち・ざ・ろっく!"), "ぼっち・ざ・ろっく!");
        assert_eq!(parameter("Tiger & Bunny #2 100% +"), "Tiger %26 Bunny %232 100%25 %2B");
    }

    #[test]
    fn best_match_prefers_id_then_title_then_first() {
        let found = [
            json!({"title": "Naruto"}),
            json!({"title": "Naruto (2)", "names": {"synonyms": ["NARUTO SHIPPUDEN"]}}),
            json!({"title": "?", "websites": {"mal": "myanimelist.net/anime/1735/Naruto__Shippuuden"}}),
            json!({"title": "?", "websites": {"anidb": "anidb.net/anime/4880"}}),
        ];
        let best_match =
            |title: &str, ids| best_match(&found, &Anime { title: title.to_owned(), ids, ..Anime::default() });
        assert_eq!(best_match("Naruto", Ids { mal: Some(1735), ..Ids::default() }), Some(2));
        assert_eq!(best_match("Naruto", Ids { anidb: Some(4880), ..Ids::default() }), Some(3));
        assert_eq!(best_match("Naruto Shippuden", Ids { mal: Some(1), ..Ids::default() }), Some(1));
        assert_eq!(best_match("Boruto", Ids::default()), Some(0));
        assert_eq!(super::best_match(&[], &Anime::default()), None);
    }

    #[test]
    fn text_response_is_not_stored() {
        assert!(is_good(b"{\"page\": 1, \"anime\": []}"));
        for body in ["Couldn't find anime with these parameters.", "{}", "{\"anime\": null}", "[]"] {
            assert!(!is_good(body.as_bytes()), "{body}");
        }
    }
}
