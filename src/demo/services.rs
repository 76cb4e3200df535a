//! What the seven services answer, in the shape of their own answers: one file each.
//!
//! A few titles meet what real services do on bad days: see [`Trouble`].

pub(crate) mod anidb;
pub(crate) mod anilist;
pub(crate) mod anime_planet;
pub(crate) mod animeschedule;
pub(crate) mod anisearch;
pub(crate) mod exchange;
pub(crate) mod jikan;
pub(crate) mod kitsu;

use std::time::Duration;

use cache_core::Service;

use crate::demo::services::exchange::{Asked, Reply};

/// What a service answers.
pub(crate) fn answer(service: Service, asked: &Asked<'_>) -> Reply {
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
pub(crate) fn delay(service: Service) -> Duration {
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

#[cfg(test)]
mod tests {
    use crate::demo::catalogue::Anime;

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
