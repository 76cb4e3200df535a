//! The page of an anime and the page of its screenshots on AniSearch.

use std::sync::LazyLock;

use regex::Regex;
use serde_json::Value;

use crate::enrich::error::FetchFailure;
use crate::enrich::html::{Document, Element, Fields};
use crate::enrich::page::unexpected_page;
use crate::enrich::sources::anisearch::site::is_expected_page;

/// A day, or two with a dash between them: the site writes U+2011.
static DATES: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(\d{2}\.\d{2}\.\d{4})(?:\s*[-\u{2010}-\u{2015}]\s*(\d{2}\.\d{2}\.\d{4}))?")
        .expect("the pattern is a constant")
});

/// The other pages that an anime has.
pub(crate) struct Parts {
    pub(crate) has_screenshots: bool,
    pub(crate) has_relations: bool,
}

/// The data of the page.
pub(crate) fn read(document: &Document, url: &str) -> Result<(Fields, Parts), FetchFailure> {
    let page = document.root();
    let Some(information) = page.first("section#information") else {
        return Err(unexpected_page(&format!("anime page {url}"), document));
    };
    let (start, end) = dates(&labelled(information, "div.released").unwrap_or_default());
    let fields = Fields::default()
        .put("cover_image", information.attribute_of("img#details-cover", "src"))
        .put("japanese_title", information.text_of("div.title[lang='ja'] strong.f16"))
        .put("japanese_title_alt", information.text_of("div.title[lang='ja'] div.grey"))
        .put("type", labelled(information, "div.type"))
        .put("status", labelled(information, "div.status"))
        .put("studio", information.text_of("div.company a[href*='company']"))
        .put("staff", Some(information.links("div.creators a")))
        .put("source_material", labelled(information, "div.adapted"))
        .put("websites", Some(information.links("div.websites a")))
        .put("publishers", Some(information.links("ul.xlist > li:nth-child(2) div.company a")))
        .put("synonyms", labelled(information, "div.synonyms"))
        .put("description", page.text_of("section#description div.textblock.details-text"))
        .put("genres", Some(page.texts("section#genres-tags ul.cloud a.gg, section#genres-tags ul.cloud a.gc")))
        .put("tags", Some(page.texts("section#genres-tags ul.cloud a.gt")))
        .put("start_date", Some(Value::from(start)))
        .put("end_date", Some(Value::from(end)));
    // Links to empty pages have the class `empty`.
    let has = |name: &str| page.first(&format!("a[href*='/{name}']:not(.empty)")).is_some();
    Ok((fields, Parts { has_screenshots: has("screenshots"), has_relations: has("relations") }))
}

/// The URLs of the screenshots.
pub(crate) fn screenshots(document: &Document) -> Result<Vec<Value>, FetchFailure> {
    if !is_expected_page(document, "div#screenshots") {
        return Err(unexpected_page("screenshots page", document));
    }
    let links = document.root().all("div#screenshots a.zoom, div#screenshots a.loupe");
    Ok(links.into_iter().filter_map(|link| link.attribute("href")).map(Value::from).collect())
}

/// The text of an element after its label (`Status:`).
fn labelled(page: Element<'_>, selector: &str) -> Option<String> {
    let element = page.first(selector)?;
    let text = element.text();
    let label = element.text_of("span.header").unwrap_or_default();
    Some(text.strip_prefix(&label).unwrap_or(&text).trim().to_owned())
}

/// First and last day, as on the page: `04.10.2006`.
fn dates(published: &str) -> (Option<String>, Option<String>) {
    let Some(found) = DATES.captures(published) else { return (None, None) };
    let day = |group| found.get(group).map(|day| day.as_str().to_owned());
    (day(1), day(2))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("04.10.2006 ‑ 27.06.2007", Some("04.10.2006"), Some("27.06.2007"))]
    #[case("04.10.2006 - 27.06.2007", Some("04.10.2006"), Some("27.06.2007"))]
    #[case("04.10.2006 – 27.06.2007", Some("04.10.2006"), Some("27.06.2007"))]
    #[case("12.07.2008", Some("12.07.2008"), None)]
    #[case("04.10.2024 ‑ ?", Some("04.10.2024"), None)]
    #[case("?", None, None)]
    fn date_ranges_are_read(#[case] published: &str, #[case] start: Option<&str>, #[case] end: Option<&str>) {
        let (first, last) = dates(published);
        assert_eq!((first.as_deref(), last.as_deref()), (start, end));
    }

    #[test]
    fn labelled_text_has_no_label() {
        let page = Document::new("<div class='synonyms'><span class='header'>Synonyms:</span> Re: Zero</div>").unwrap();
        assert_eq!(labelled(page.root(), "div.synonyms").unwrap(), "Re: Zero");
        assert_eq!(labelled(page.root(), "div.type"), None);
    }

    #[test]
    fn unexpected_page_is_an_error() {
        let page = Document::new("<title>Log in - aniSearch</title>").unwrap();
        let Err(problem) = read(&page, "https://x/anime/1") else { panic!("no anime") };
        assert!(problem.to_string().contains("'Log in - aniSearch'"), "{problem}");
    }

    #[test]
    fn missing_fields_are_left_out() {
        let (fields, parts) = read(&Document::new("<section id='information'></section>").unwrap(), "").unwrap();
        let expected = serde_json::json!({"staff": [], "websites": [], "publishers": [], "genres": [], "tags": [],
            "start_date": null, "end_date": null});
        assert_eq!(Value::from(fields), expected);
        assert!(!parts.has_screenshots && !parts.has_relations);
    }
}
