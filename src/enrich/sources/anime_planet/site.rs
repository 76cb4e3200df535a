//! Rules of all pages of Anime-Planet.

use crate::enrich::html::Document;

/// The base of URLs in the data, also if the site is simulated.
pub(crate) const SITE: &str = "https://www.anime-planet.com";

/// Whether it is a search page, which the site sends with status 200 for a page that is not found.
pub(crate) fn is_search(document: &Document) -> bool {
    let title = document.title().to_lowercase();
    title.starts_with("search results") || title.ends_with(" search")
}

/// The first year in a date.
pub(crate) fn year(date: &str) -> Option<u64> {
    let digits = |at: usize| date.get(at..at + 4).filter(|part| part.bytes().all(|byte| byte.is_ascii_digit()));
    (0..date.len()).find_map(digits)?.parse().ok()
}
