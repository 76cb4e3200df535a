//! The responses of the simulated services, one file each, in the shape of real ones.
//!
//! A few titles show errors of real services: see [`exchange::Misbehavior`].

pub(crate) mod anidb;
pub(crate) mod anilist;
pub(crate) mod anime_planet;
pub(crate) mod animeschedule;
pub(crate) mod anisearch;
pub(crate) mod exchange;
pub(crate) mod jikan;
pub(crate) mod kitsu;

use std::time::Duration;

use cache_core::ServiceName;

use crate::demo::services::exchange::{DemoReply, DemoRequest};

/// The response of a service.
pub(crate) fn respond(service: ServiceName, request: &DemoRequest<'_>) -> DemoReply {
    match service.name() {
        "jikan" => jikan::respond(request),
        "anilist" => anilist::respond(request),
        "anidb" => anidb::respond(request),
        "kitsu" => kitsu::respond(request),
        "animeschedule" => animeschedule::respond(request),
        "anime_planet" => anime_planet::respond(request),
        "anisearch" => anisearch::respond(request),
        _ => DemoReply::new(404, "text/plain", "Unknown service"),
    }
}

/// The usual delay of a service, for the crawled sites with rendering.
pub(crate) fn delay(service: ServiceName) -> Duration {
    Duration::from_millis(match service.name() {
        "jikan" => 150,
        "anilist" => 450,
        "anidb" => 700,
        "kitsu" => 250,
        "animeschedule" => 300,
        "anime_planet" => 1_800,
        "anisearch" => 2_200,
        _ => 0,
    })
}

#[cfg(test)]
mod tests {
    use crate::demo::catalogue::Anime;

    use std::collections::BTreeMap;

    use scraper::{Html, Selector};
    use url::Url;

    use super::*;
    use crate::demo::catalogue::CATALOGUE;

    /// Elements and attributes with URLs.
    const LINKS: [(&str, &str); 6] =
        [("a", "href"), ("link", "href"), ("img", "src"), ("script", "src"), ("iframe", "src"), ("form", "action")];

    /// The URLs that a page links to or loads.
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
    fn pages_link_to_their_own_site_only() {
        let site = Url::parse("http://127.0.0.1:8106").unwrap();
        for (service, parts) in [
            (crate::services::anisearch(), ["", "/screenshots", "/relations"].as_slice()),
            (crate::services::anime_planet(), &[""]),
        ] {
            let name = |anime: &Anime| match service.name() {
                "anisearch" => anime.anisearch.to_string(),
                _ => anime.slug.clone(),
            };
            let first: Vec<_> = CATALOGUE.iter().map(|anime| format!("/anime/{}", name(anime))).collect();
            let mut open: Vec<_> = first.iter().map(|path| site.join(path).unwrap()).collect();
            let mut seen = BTreeMap::new();
            while let Some(at) = open.pop() {
                let reply = respond(service, &DemoRequest { is_browser: true, ..DemoRequest::get(at.path()) });
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
