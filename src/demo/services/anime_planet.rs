//! Anime-Planet: the pages of an anime, of its characters, and of one character.
//!
//! The response for an unknown anime is the search page with status 200, as on the real site.

use serde_json::json;

use crate::demo::catalogue::{Anime, CATALOGUE, Character};
use crate::demo::services::exchange::{DemoReply, DemoRequest, end, escape};

pub(crate) fn respond(request: &DemoRequest<'_>) -> DemoReply {
    let parts = request.parts();
    let mut head = String::new();
    let (title, body) = match parts.as_slice() {
        ["anime", slug, rest @ ..] => match CATALOGUE.iter().find(|anime| anime.slug == **slug) {
            Some(anime) if rest.is_empty() => {
                head = facts(anime);
                (format!("{} | Anime-Planet", anime.english), anime_page(anime))
            }
            Some(anime) if rest == ["characters"] => (format!("Characters | {}", anime.english), characters(anime)),
            _ => (format!("Search Results for {slug} | Anime-Planet"), search()),
        },
        ["characters", slug] => match find(slug) {
            Some((anime, character)) => (character.name.clone(), character_page(anime, &character)),
            None => (format!("Search Results for {slug} | Anime-Planet"), search()),
        },
        _ => return DemoReply::new(404, "text/html; charset=utf-8", "<h1>404 Not Found</h1>"),
    };
    let page = format!(
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>{}</title>{head}</head>\n<body>\n{body}</body></html>\n",
        escape(&title)
    );
    DemoReply::new(200, "text/html; charset=utf-8", page)
}

/// The JSON-LD of the page. Absolute URLs are prefixed with the URL of the site, as on the real site.
fn facts(anime: &Anime) -> String {
    let mut facts = json!({
        "@context": "https://schema.org", "@type": if anime.kind == "Movie" { "Movie" } else { "TVSeries" },
        "name": anime.english, "description": escape(&anime.synopsis), "url": format!("https://www.anime-planet.com/anime/{}", anime.slug),
        "image": format!("https://www.anime-planet.comhttps://cdn.invalid/planet/{}.jpg", anime.slug), "startDate": anime.start,
        "numberOfEpisodes": anime.episodes, "genre": anime.genres,
        "aggregateRating": {"@type": "AggregateRating", "ratingValue": 4.4, "bestRating": 5, "worstRating": 0.5, "ratingCount": 4_200},
    });
    if let Some(end) = end(anime) {
        facts["endDate"] = end.to_string().into();
    }
    let facts = facts.to_string().replace('/', "\\/");
    format!(
        "<script type=\"application/ld+json\">\n{facts}\n</script>\n\
         <meta property='og:image' content='https://cdn.invalid/planet/screenshots/{}.jpg' />",
        anime.slug
    )
}

fn anime_page(anime: &Anime) -> String {
    let entry = |kind: &str, name: &str, subtitle: &str, about: &str| {
        let slug = format!("{}-{}", anime.slug, name.to_lowercase().replace(' ', "-"));
        format!(
            "<div class=\"pure-u-1\"><a class=\"RelatedEntry\" href=\"/{kind}/{slug}\">\n\
             <img class=\"RelatedEntry__image\" src=\"https://cdn.invalid/planet/{slug}.jpg\" alt=\"\">\n\
             <p class=\"RelatedEntry__name\">{}: {name}</p><span class=\"RelatedEntry__subtitle\">{subtitle}</span>\n\
             <ul class=\"RelatedEntry__metadata\"><li><time><span data-start-date=\"{1}\">{1}</span></time></li><li>\n{about} </li></ul></a></div>",
            escape(&anime.english),
            anime.start,
        )
    };
    let related = entry("anime", "A Special", "Side Story", "TV Special: 1 ep");
    let manga = entry("manga", "The Manga", "Original Manga", "Vol: 3 - Ch: 45+");
    format!(
        "<h1 itemprop=\"name\">{}</h1>\n<h2 class=\"aka\">\nAlt title: {}\n</h2>\n\
         <section class=\"pure-g entryBar\">\n<div class=\"pure-1 md-1-5\">{} ({} eps)</div>\n\
         <div class=\"pure-1 md-1-5\"><a href=\"/anime/studios/{}\">{}</a></div>\n<div class=\"pure-1 md-1-5\">\nRank #42\n</div>\n</section>\n\
         <div id=\"tabs--relations--anime--same_franchise\">{related}</div>\n<div id=\"tabs--relations--manga\">{manga}</div>\n",
        escape(&anime.english),
        escape(&anime.title),
        anime.kind,
        anime.episodes.map_or_else(|| "?".to_owned(), |count| count.to_string()),
        anime.studio.to_lowercase().replace(' ', "-"),
        escape(&anime.studio),
    )
}

fn slug(character: &Character) -> String {
    let name = character.name.to_lowercase();
    let words: Vec<_> = name.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).collect();
    format!("{}-{}", words.join("-"), character.id)
}

fn find(wanted: &str) -> Option<(&'static Anime, Character)> {
    let mut cast = CATALOGUE.iter().flat_map(|anime| anime.cast().into_iter().map(move |character| (anime, character)));
    cast.find(|(_, character)| slug(character) == wanted)
}

fn characters(anime: &Anime) -> String {
    let row = |character: &Character| {
        format!(
            "<tr><td class=\"tableAvatar\"><img src=\"https://cdn.invalid/planet/{0}.jpg\" alt=\"\"></td>\n\
             <td class=\"tableCharInfo\"><a class=\"name\" href=\"/characters/{1}\">{2}</a><div class=\"tags\"><a>Traveller</a></div></td>\n\
             <td class=\"tableActors\"><div class=\"flagJP\"><a href=\"/people/voice-{0}\">Voice of {2}</a></div></td></tr>\n",
            character.id,
            slug(character),
            escape(&character.name),
        )
    };
    let cast = anime.cast();
    let table = |heading: &str, is_main: bool| {
        let rows = cast.iter().filter(|character| character.is_main == is_main).map(row).collect::<Vec<_>>().concat();
        format!(
            "<h3 class=\"sub\">{heading} Characters</h3>\n<table class=\"pure-table striped\"><tbody>\n{rows}</tbody></table>\n"
        )
    };
    format!("<h1>Characters</h1>\n<div class=\"pure-g\">{}{}</div>\n", table("Main", true), table("Secondary", false))
}

fn character_page(anime: &Anime, character: &Character) -> String {
    format!(
        "<h1 itemprop=\"name\">{0}</h1>\n<section class=\"pure-g entryBar\">\n<div class=\"pure-1 md-1-5\">Gender: ?</div>\n\
         <div class=\"pure-1 md-1-5\">Hair Color: Black</div>\n<div class=\"pure-1\"><span class=\"fa-heart\"></span><a>#1,234</a></div>\n\
         </section>\n<div class=\"EntryMetadata__item\"><span class=\"EntryMetadata__title\">Eye Color</span>\
         <span class=\"EntryMetadata__value\">Brown</span></div>\n<section class=\"entrySynopsis\"><p>{0} appears in every \
         episode. This description is part of the demo data.</p></section>\n<h3>Anime Roles</h3>\n<table><tbody><tr>\
         <td><a href=\"/anime/{2}\">{1}</a></td><td>{3}</td></tr></tbody></table>\n",
        escape(&character.name),
        escape(&anime.english),
        anime.slug,
        if character.is_main { "Main" } else { "Secondary" },
    )
}

fn search() -> String {
    "<h1>Anime</h1>\n<form class=\"search\" action=\"/anime/all\"><input name=\"name\"></form>\n<p>No results found.</p>\n".to_owned()
}
