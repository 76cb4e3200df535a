//! AnimeSchedule: one search by title.

use async_trait::async_trait;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;

use crate::anime::Anime;
use crate::enrich::error::Problem;
use crate::enrich::network::USUAL_TIME_LIMIT;
use crate::enrich::response::take;
use crate::enrich::service_client::Way;
use crate::enrich::source::Source;
use crate::services;

/// AnimeSchedule.
pub struct AnimeSchedule;

#[async_trait]
impl Source for AnimeSchedule {
    async fn fetch(&self, anime: &Anime, way: &Way) -> Result<Value, Problem> {
        way.meter().expect(1);
        let mut request =
            way.get(format!("{}/anime?q={}", way.url(), parameter(&anime.title))).timeout(USUAL_TIME_LIMIT);
        // Of all that a request holds, credentials alone are not stored with its answer.
        if let Some(token) = way.services().token(services::animeschedule()) {
            request = request.header("authorization", format!("Bearer {}", token.secret()));
        }
        let body = way.ask(request, is_good).await?.whole()?;
        let mut answer: Value = serde_json::from_slice(&body).map_err(|_| no_json(&body))?;
        let Value::Array(mut found) = take(&mut answer, "/anime") else { return Err(Problem::NotFound) };
        match the_one(&found, anime) {
            Some(place) => Ok(found.swap_remove(place)),
            None => Err(Problem::NotFound),
        }
    }
}

/// What an answer comes to that is not JSON. What it did not find it tells in words.
fn no_json(body: &[u8]) -> Problem {
    if body.trim_ascii_start().starts_with(b"Couldn't find") {
        Problem::NotFound
    } else {
        Problem::Unexpected("invalid JSON in the response".to_owned())
    }
}

/// A title as the value of a parameter, but not encoded: the pipeline writes it into the URL as it is, so that is what
/// the key is made of. Only what would end or change the value there must be encoded; of these titles the pipeline asks
/// for a part, and its entries are of no use.
fn parameter(title: &str) -> String {
    title.replace('%', "%25").replace('&', "%26").replace('+', "%2B").replace('#', "%23")
}

/// Which of those that were found is meant: the one with an id of the anime, or else with its title. Else the first, as
/// the pipeline has it.
fn the_one(found: &[Value], anime: &Anime) -> Option<usize> {
    let by_id = || found.iter().position(|entry| has_id(entry, anime));
    let by_title = || found.iter().position(|entry| has_title(entry, &anime.title));
    by_id().or_else(by_title).or(if found.is_empty() { None } else { Some(0) })
}

fn has_id(entry: &Value, anime: &Anime) -> bool {
    let ids = [("mal", anime.ids.mal), ("aniList", anime.ids.anilist), ("anidb", anime.ids.anidb)];
    ids.iter().any(|(site, id)| id.is_some() && number(&entry["websites"][site]) == *id)
}

/// The id in a link such as `myanimelist.net/anime/1735/Naruto__Shippuuden`.
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

/// A list, be it empty.
fn is_good(body: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct Answer {
        #[serde(rename = "anime")]
        _anime: Vec<IgnoredAny>,
    }
    serde_json::from_slice::<Answer>(body).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::anime::Ids;
    use serde_json::json;

    #[test]
    fn what_would_change_the_question_is_encoded() {
        assert_eq!(parameter("Cowboy Bebop"), "Cowboy Bebop");
        assert_eq!(parameter("ぼっち・ざ・ろっく!"), "ぼっち・ざ・ろっく!");
        assert_eq!(parameter("Tiger & Bunny #2 100% +"), "Tiger %26 Bunny %232 100%25 %2B");
    }

    #[test]
    fn ids_come_before_titles_and_titles_before_the_first() {
        let found = [
            json!({"title": "Naruto"}),
            json!({"title": "Naruto (2)", "names": {"synonyms": ["NARUTO SHIPPUDEN"]}}),
            json!({"title": "?", "websites": {"mal": "myanimelist.net/anime/1735/Naruto__Shippuuden"}}),
            json!({"title": "?", "websites": {"anidb": "anidb.net/anime/4880"}}),
        ];
        let the_one = |title: &str, ids| the_one(&found, &Anime { title: title.to_owned(), ids, ..Anime::default() });
        assert_eq!(the_one("Naruto", Ids { mal: Some(1735), ..Ids::default() }), Some(2));
        assert_eq!(the_one("Naruto", Ids { anidb: Some(4880), ..Ids::default() }), Some(3));
        assert_eq!(the_one("Naruto Shippuden", Ids { mal: Some(1), ..Ids::default() }), Some(1));
        assert_eq!(the_one("Boruto", Ids::default()), Some(0));
        assert_eq!(super::the_one(&[], &Anime::default()), None);
    }

    #[test]
    fn an_answer_in_words_is_not_good() {
        assert!(is_good(b"{\"page\": 1, \"anime\": []}"));
        for body in ["Couldn't find anime with these parameters.", "{}", "{\"anime\": null}", "[]"] {
            assert!(!is_good(body.as_bytes()), "{body}");
        }
    }
}
