//! The related anime and manga on the page of an anime.

use std::sync::LazyLock;

use regex::{Captures, Regex};
use serde_json::Value;

use crate::enrich::html::{Element, Fields};
use crate::enrich::sources::anime_planet::site::{SITE, year};

static KIND: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"(?i)(Web|TV Special|TV|OVA|Movie|Special|ONA|Music\s*Video)(?:\s*:\s*(\d+)\+?\s*ep)?"));

static VOLUMES: LazyLock<Regex> = LazyLock::new(|| pattern(r"(?i)Vol:\s*(\d+)"));

static CHAPTERS: LazyLock<Regex> = LazyLock::new(|| pattern(r"(?i)Ch:\s*(\d+)"));

/// All related `anime` or `manga` at `selector`, without those that have no name or URL.
pub(crate) fn related(page: Element<'_>, selector: &str, kind: &str) -> Vec<Fields> {
    page.all(selector).into_iter().filter_map(|entry| read(entry, kind)).collect()
}

fn read(entry: Element<'_>, kind: &str) -> Option<Fields> {
    let title = entry.text_of(".RelatedEntry__name").filter(|title| !title.is_empty())?;
    let url = entry.attribute_of("a.RelatedEntry", "href")?.trim();
    let (_, behind) = url.split_once(&format!("/{kind}/"))?;
    let slug = behind.split(['/', '?']).next().filter(|slug| !slug.is_empty())?;
    let date = |name: &str| {
        entry.attribute_of(&format!("time span[{name}]"), name).map(str::trim).filter(|date| !date.is_empty())
    };
    let (start, end) = (date("data-start-date"), date("data-end-date"));
    let fields = Fields::default()
        .put("title", Some(title))
        .put("slug", Some(slug))
        .put("url", Some(if url.starts_with("http") { url.to_owned() } else { format!("{SITE}{url}") }))
        .put("relation_type", Some("same_franchise"))
        .put(
            "relation_subtype",
            entry.text_of(".RelatedEntry__subtitle").filter(|text| !text.is_empty()).map(|text| text.to_uppercase()),
        )
        .put("image", entry.attribute_of(".RelatedEntry__image", "src"))
        .put("start_date", start)
        .put("end_date", end)
        .put("year", start.or(end).and_then(year));
    let about = entry.text_of(".RelatedEntry__metadata").unwrap_or_default();
    Some(if kind == "anime" {
        let kind = KIND.captures(&about);
        fields
            .put("type", kind.as_ref().map(|kind| kind[1].to_uppercase()))
            .put("episodes", kind.and_then(|kind| number(&kind, 2)))
    } else {
        let first = |pattern: &Regex| number(&pattern.captures(&about)?, 1);
        fields.put("volumes", first(&VOLUMES)).put("chapters", first(&CHAPTERS))
    })
}

fn number(captures: &Captures<'_>, group: usize) -> Option<Value> {
    Some(captures.get(group)?.as_str().parse::<u64>().ok()?.into())
}

fn pattern(pattern: &str) -> Regex {
    Regex::new(pattern).expect("the pattern is a constant")
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;
    use crate::enrich::html::Document;

    #[rstest]
    #[case::episodes("anime", "2009-08-26 - 2010-08-25 <i></i> DVD Special: 4 ep", json!({"type": "SPECIAL", "episodes": 4}))]
    #[case::more_than("anime", "TV: 12+ ep", json!({"type": "TV", "episodes": 12}))]
    #[case::special("anime", "TV Special: 1 ep", json!({"type": "TV SPECIAL", "episodes": 1}))]
    #[case::no_number("anime", "Movie", json!({"type": "MOVIE"}))]
    #[case::both("manga", "Vol: 27 - Ch: 108", json!({"volumes": 27, "chapters": 108}))]
    #[case::still_running("manga", "Vol: ? - Ch: 45+", json!({"chapters": 45}))]
    #[case::neither("manga", "One Shot", json!({}))]
    fn metadata_of_related_entry_is_read(#[case] kind: &str, #[case] about: &str, #[case] expected: Value) {
        let page = Document::new(&format!(
            "<a class='RelatedEntry' href='/{kind}/x?a'><p class='RelatedEntry__name'>X</p>\
             <ul class='RelatedEntry__metadata'>{about}</ul></a>"
        ))
        .unwrap();
        let mut read = Value::from(read(page.root(), kind).unwrap());
        for common in ["title", "slug", "url", "relation_type"] {
            assert!(read.as_object_mut().unwrap().remove(common).is_some(), "{common}");
        }
        assert_eq!(read, expected);
    }

    #[test]
    fn related_entries_without_name_or_url_are_skipped() {
        let page = Document::new(
            "<p class='x'><a class='RelatedEntry' href='/manga/x'><b class='RelatedEntry__name'>X</b></a></p>\
             <p class='x'><a class='RelatedEntry' href='/anime/x'></a></p><p class='x'></p>",
        )
        .unwrap();
        assert!(related(page.root(), ".x", "anime").is_empty());
    }
}
