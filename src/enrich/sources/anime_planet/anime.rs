//! The page of an anime on Anime-Planet: its JSON-LD, and fields that only its text has.

use std::sync::LazyLock;

use cache_core::clock;
use jiff::Timestamp;
use regex::Regex;
use serde_json::Value;

use crate::enrich::error::FetchFailure;
use crate::enrich::html::{Document, Element, Fields, unescaped};
use crate::enrich::page::unexpected_page;
use crate::enrich::sources::anime_planet::related::related;
use crate::enrich::sources::anime_planet::site::{SITE, is_search, year};

/// Members of the JSON-LD, and their names in the data.
const FACTS: [(&str, &str); 10] = [
    ("@type", "type"),
    ("name", "title"),
    ("description", "description"),
    ("url", "url"),
    ("image", "image"),
    ("startDate", "start_date"),
    ("endDate", "end_date"),
    ("numberOfEpisodes", "episodes"),
    ("genre", "genres"),
    ("aggregateRating", "aggregate_rating"),
];

/// Types of an anime in JSON-LD: the other pages of the site have other types.
const KINDS: [&str; 8] = [
    "TVSeries",
    "Movie",
    "TVEpisode",
    "TVSeason",
    "CreativeWork",
    "CreativeWorkSeries",
    "VideoObject",
    "MusicVideoObject",
];

/// Studios that are kept: those that only contributed come last.
const STUDIOS: usize = 5;

static RANK: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"#([\d,]+)").expect("the pattern is a constant"));

/// The data of the page; fails for another page: for an unknown title the site sends its search page.
pub(crate) fn read(document: &Document, slug: &str) -> Result<Value, FetchFailure> {
    let page = document.root();
    let facts = facts(page);
    if is_search(document) {
        return Err(FetchFailure::NotFound);
    }
    if facts.is_null() && page.first("h1[itemprop='name']").is_none() {
        return Err(unexpected_page(&format!("anime page {slug}"), document));
    }
    let mut fields = Fields::default()
        .put(
            "title_japanese",
            page.text_of("h2.aka").map(|text| text.trim_start_matches("Alt title:").trim().to_owned()),
        )
        .put("poster", page.attribute_of("meta[property='og:image']", "content"));
    for (fact, name) in FACTS {
        fields.set(name, Some(facts[fact].clone()).filter(is_present));
    }
    fields.set("slug", Some(slug));
    fields.set("rank", page.texts(".entryBar .pure-1").iter().find_map(|text| rank(text)));
    let mut studios = page.texts("a[href*='/studios/']");
    let mut seen = std::collections::BTreeSet::new();
    studios.retain(|studio| seen.insert(studio.clone()));
    studios.truncate(STUDIOS);
    let anime = related(page, "#tabs--relations--anime--same_franchise .pure-u-1", "anime");
    let manga = related(page, "#tabs--relations--manga .pure-u-1", "manga");
    let related_count = Some(anime.len()).filter(|count| *count > 0);
    fields = fields
        .put_some("studios", studios)
        .put_some("related_anime", anime)
        .put("related_count", related_count)
        .put_some("related_manga", manga);

    let [start, end] = ["startDate", "endDate"].map(|date| facts[date].as_str().filter(|date| !date.is_empty()));
    let today = Timestamp::from_second(clock::now() as i64).unwrap_or_default().to_string();
    Ok(fields
        .put("year", start.and_then(year))
        .put("season", start.and_then(season))
        .put("status", Some(status(start, end, &today)))
        .into())
}

/// The JSON-LD of the anime; null if there is none.
fn facts(page: Element<'_>) -> Value {
    let scripts = page.all("script[type='application/ld+json']").into_iter();
    let stated = scripts.filter_map(|script| serde_json::from_str::<Value>(&script.source()).ok());
    let Some(mut facts) = stated.into_iter().find(is_of_anime) else { return Value::Null };
    if let Some(Value::String(description)) = facts.get_mut("description") {
        *description = unescaped(description);
    }
    // The site prefixes absolute URLs with its own.
    if let Some(Value::String(image)) = facts.get_mut("image")
        && let Some(whole) = image.strip_prefix(SITE).filter(|rest| rest.starts_with("https://"))
    {
        *image = whole.to_owned();
    }
    facts
}

fn is_of_anime(stated: &Value) -> bool {
    stated["@type"].as_str().is_some_and(|kind| KINDS.contains(&kind))
}

fn is_present(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::String(text) => !text.is_empty(),
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::Array(all) => !all.is_empty(),
        _ => true,
    }
}

fn rank(text: &str) -> Option<u64> {
    RANK.captures(text)?[1].replace(',', "").parse().ok()
}

fn season(date: &str) -> Option<&'static str> {
    let (_, behind_year) = date.split_once('-')?;
    Some(match behind_year.get(..2)? {
        "12" | "01" | "02" => "WINTER",
        "03" | "04" | "05" => "SPRING",
        "06" | "07" | "08" => "SUMMER",
        "09" | "10" | "11" => "FALL",
        _ => return None,
    })
}

/// Dates are compared as text: year, month and day, in this order.
fn status(start: Option<&str>, end: Option<&str>, today: &str) -> &'static str {
    let today = today.get(..10).unwrap_or(today);
    match (start, end) {
        (None, _) => "UNKNOWN",
        (Some(_), Some(end)) if end < today => "COMPLETED",
        (Some(start), _) if start > today => "UPCOMING",
        _ => "AIRING",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn status_depends_on_start_and_end_dates() {
        let on = |start, end| status(start, end, "2026-11-23T04:00:00Z");
        assert_eq!(on(None, None), "UNKNOWN");
        assert_eq!(on(Some("2009-04-05"), Some("2010-07-04")), "COMPLETED");
        assert_eq!(on(Some("2026-10-01"), Some("2026-12-24")), "AIRING");
        assert_eq!(on(Some("2026-10-01"), None), "AIRING");
        assert_eq!(on(Some("2027-01-01"), Some("2027-03-24")), "UPCOMING");
    }

    #[test]
    fn year_and_season_are_read_from_date() {
        assert_eq!((year("2009-04-05"), season("2009-04-05")), (Some(2009), Some("SPRING")));
        assert_eq!((year("in 1998"), season("1998")), (Some(1998), None));
        assert_eq!((year("ü199"), season("199ü-1ü")), (None, None));
    }

    #[test]
    fn page_without_json_ld_is_read_from_text() {
        let page =
            Document::new("<h1 itemprop='name'>X</h1><div class='entryBar'><p class='pure-1'>Rank #1,234</p></div>");
        let read = read(&page.unwrap(), "x");
        assert_eq!(read.unwrap(), serde_json::json!({"slug": "x", "rank": 1_234, "status": "UNKNOWN"}));
    }

    #[test]
    fn search_and_other_pages_are_errors() {
        let read = |page: &str, slug| read(&Document::new(page).unwrap(), slug);
        let search = read("<title>Search Results for x | Anime-Planet</title><h1>You searched for x</h1>", "x");
        assert!(matches!(search, Err(FetchFailure::NotFound)));
        let site = "<script type='application/ld+json'>{\"@type\": \"WebSite\", \"name\": \"Anime-Planet\"}</script>";
        let search =
            read(&format!("<title>Search Results for x | Anime-Planet</title>{site}<h1 itemprop='name'>x</h1>"), "x");
        assert!(matches!(search, Err(FetchFailure::NotFound)));
        let other = read(&format!("<title>Moved</title>{site}"), "x").unwrap_err().to_string();
        assert!(other.contains("anime page x") && other.contains("'Moved'"), "{other}");
    }
}
