//! What the seven services answer, in the shape of their own answers: one file each.
//!
//! A few titles meet what real services do on bad days: see [`Trouble`].

mod anidb;
mod anilist;
mod anime_planet;
mod animeschedule;
mod anisearch;
mod jikan;
mod kitsu;

use std::time::Duration;

use cache_core::Service;
use jiff::ToSpan as _;
use jiff::civil::Date;
use serde_json::Value;

use super::catalogue::Anime;

/// The cookie of those who have met a challenge.
pub(super) const MET: &str = "demo_challenge=met";

/// A request, as far as answers depend on it.
pub(super) struct Asked<'a> {
    /// Behind the service's own base, with its leading slash.
    pub(super) path: &'a str,
    /// Decoded.
    pub(super) query: &'a [(String, String)],
    /// A GraphQL request.
    pub(super) body: Option<&'a Value>,
    /// How often this very request was made before.
    pub(super) before: u64,
    /// The challenge was met: its cookie came along.
    pub(super) is_browser: bool,
}

/// An answer. Bodies are plain; whoever sends them compresses them.
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: Vec<u8>,
}

/// What goes wrong, and with which title: each service has one to show.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Trouble {
    /// Jikan does not know the title: 404.
    NotFound,
    /// Jikan first answers 429 with `Retry-After: 1`.
    TooMany,
    /// AniDB answers `<error>Banned</error>`, with status 200.
    Banned,
    /// AniSearch shows a challenge page, with status 200, until a browser has run what is on it.
    Challenge,
}

impl Trouble {
    /// What awaits this title.
    pub(super) fn of(anime: &Anime) -> Option<Self> {
        match anime.slug.as_str() {
            "shirobako" => Some(Self::NotFound),
            "mushishi" => Some(Self::TooMany),
            "hunter-x-hunter-2011" => Some(Self::Banned),
            "spirited-away" => Some(Self::Challenge),
            _ => None,
        }
    }
}

impl Reply {
    fn new(status: u16, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        Self { status, headers: vec![("content-type", content_type.to_owned())], body: body.into() }
    }

    fn json(body: &Value) -> Self {
        Self::new(200, "application/json", body.to_string())
    }

    fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

impl<'a> Asked<'a> {
    /// A plain GET.
    pub(super) fn get(path: &'a str) -> Self {
        Self { path, query: &[], body: None, before: 0, is_browser: false }
    }

    fn param(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    fn number(&self, name: &str) -> Option<u64> {
        self.param(name)?.parse().ok()
    }

    /// The parts of the path.
    fn parts(&self) -> Vec<&str> {
        self.path.split('/').filter(|part| !part.is_empty()).collect()
    }
}

/// What a service answers.
pub(super) fn answer(service: Service, asked: &Asked<'_>) -> Reply {
    match service {
        Service::Jikan => jikan::answer(asked),
        Service::AniList => anilist::answer(asked),
        Service::AniDb => anidb::answer(asked),
        Service::Kitsu => kitsu::answer(asked),
        Service::AnimeSchedule => animeschedule::answer(asked),
        Service::AnimePlanet => anime_planet::answer(asked),
        Service::AniSearch => anisearch::answer(asked),
        Service::Other => Reply::new(404, "text/plain", "Unknown service"),
    }
}

/// About how long a service takes to answer. The crawled sites are rendered by a browser, too.
pub(super) fn delay(service: Service) -> Duration {
    Duration::from_millis(match service {
        Service::Jikan => 150,
        Service::AniList => 450,
        Service::AniDb => 700,
        Service::Kitsu => 250,
        Service::AnimeSchedule => 300,
        Service::AnimePlanet => 1_800,
        Service::AniSearch => 2_200,
        Service::Other => 0,
    })
}

/// The day of the last episode, of what has one: they come weekly.
fn end(anime: &Anime) -> Option<Date> {
    let start: Date = anime.start.parse().ok()?;
    start.checked_add(i64::try_from(anime.episodes?.saturating_sub(1)).ok()?.weeks()).ok()
}

/// Text as HTML and XML have it.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// One page of a list: from `from`, at most `size`.
fn page<T>(items: Vec<T>, from: u64, size: u64) -> (Vec<T>, bool) {
    let has_more = items.len() as u64 > from + size;
    (items.into_iter().skip(from as usize).take(size as usize).collect(), has_more)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use scraper::{Html, Selector};
    use url::Url;

    use super::*;
    use crate::demo::catalogue::CATALOGUE;

    /// What of a page names another address.
    const LINKS: [(&str, &str); 6] =
        [("a", "href"), ("link", "href"), ("img", "src"), ("script", "src"), ("iframe", "src"), ("form", "action")];

    /// The addresses that a page leads to, or loads.
    fn links(at: &Url, page: &str) -> Vec<Url> {
        let page = Html::parse_document(page);
        let named = |element: &str, attribute: &str| -> Vec<String> {
            let selector = Selector::parse(element).unwrap();
            page.select(&selector).filter_map(|element| element.attr(attribute)).map(ToOwned::to_owned).collect()
        };
        let base = named("base", "href").first().map_or_else(|| at.clone(), |base| at.join(base).unwrap());
        let all = LINKS.iter().flat_map(|(element, attribute)| named(element, attribute));
        all.map(|link| base.join(&link).unwrap()).collect()
    }

    #[test]
    fn pages_lead_to_their_own_site_and_to_no_real_one() {
        let site = Url::parse("http://127.0.0.1:8106").unwrap();
        for (service, parts) in
            [(Service::AniSearch, ["", "/screenshots", "/relations"].as_slice()), (Service::AnimePlanet, &[""])]
        {
            let name = |anime: &Anime| match service {
                Service::AniSearch => anime.anisearch.to_string(),
                _ => anime.slug.clone(),
            };
            let first: Vec<_> = CATALOGUE.iter().map(|anime| format!("/anime/{}", name(anime))).collect();
            let mut open: Vec<_> = first.iter().map(|path| site.join(path).unwrap()).collect();
            let mut seen = BTreeMap::new();
            while let Some(at) = open.pop() {
                let reply = answer(service, &Asked { is_browser: true, ..Asked::get(at.path()) });
                seen.insert(at.path().to_owned(), reply.status);
                for link in links(&at, &String::from_utf8(reply.body).unwrap()) {
                    let is_own = link.origin() == site.origin();
                    assert!(
                        is_own || link.host_str().unwrap().ends_with(".invalid"),
                        "{service}: {at} leads to {link}"
                    );
                    if is_own && !seen.contains_key(link.path()) {
                        open.push(link);
                    }
                }
            }
            for path in first.iter().flat_map(|path| parts.iter().map(move |part| format!("{path}{part}"))) {
                assert_eq!(seen.get(&path), Some(&200), "{path} is not found by its link");
            }
        }
    }
}
