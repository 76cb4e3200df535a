//! AniSearch: the pages of an anime, of its episodes and of its characters.

use serde_json::Value;

use crate::demo::catalogue::{Anime, CATALOGUE};
use crate::demo::services::exchange::{CHALLENGE_COOKIE, DemoReply, DemoRequest, Misbehavior, end, escape};

pub(crate) fn respond(request: &DemoRequest<'_>) -> DemoReply {
    let parts = request.parts();
    let ["anime", id, rest @ ..] = parts.as_slice() else { return not_found() };
    // `18878` and `18878,dandadan` are the same page.
    let id = id.split(',').next().unwrap_or_default();
    let Some(anime) = CATALOGUE.iter().find(|anime| anime.anisearch.to_string() == id) else { return not_found() };
    if Misbehavior::of(anime) == Some(Misbehavior::Challenge) && !request.is_browser {
        return html("Just a moment...", "challenge", &challenge());
    }
    match rest {
        [] => anime_page(anime, &information(anime)),
        ["episodes"] => anime_page(anime, &episodes(anime)),
        ["characters"] => anime_page(anime, &characters(anime)),
        ["screenshots"] => anime_page(anime, &screenshots(anime)),
        ["relations"] => anime_page(anime, &relations(anime)),
        _ => not_found(),
    }
}

fn anime_page(anime: &Anime, body: &str) -> DemoReply {
    html(&anime.english, "anime-details", body)
}

fn html(title: &str, kind: &str, body: &str) -> DemoReply {
    let page = format!(
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><base href=\"/\">\
         <title>{} - aniSearch</title></head>\n<body data-pagetype=\"{kind}\">\n{body}</body></html>\n",
        escape(title)
    );
    DemoReply::new(200, "text/html; charset=UTF-8", page)
}

/// The challenge page: a browser passes it by running its script.
fn challenge() -> String {
    format!(
        "<div id=\"challenge-running\">Checking your browser before accessing the site.</div>\n\
         <script>setTimeout(() => {{ document.cookie = '{CHALLENGE_COOKIE}; path=/'; location.reload(); }}, 300);</script>\n"
    )
}

fn not_found() -> DemoReply {
    DemoReply { status: 404, ..html("404", "error", "<h1>Page not found</h1>\n") }
}

fn information(anime: &Anime) -> String {
    let mut published = day(&anime.start);
    if let Some(end) = end(anime) {
        published.extend([" &#8209; ", &day(&end.to_string())]);
    }
    let genres = anime
        .genres
        .iter()
        .map(|name| format!("<li><a class=\"gg\" href=\"anime/genre\">{}</a></li>", escape(name)))
        .collect::<Vec<_>>()
        .concat();
    format!(
        "<section id=\"information\"><img id=\"details-cover\" src=\"https://cdn.invalid/search/{}.webp\" alt=\"\">\n\
         <ul class=\"xlist\"><li><div class=\"title\" lang=\"ja\"><strong class=\"f16\">{}</strong><div class=\"grey\">{}</div></div>\n\
         <div class=\"type\"><span class=\"header\">Type:</span> {}</div>\n<div class=\"status\"><span class=\"header\">Status:</span> {}</div>\n\
         <div class=\"released\"><span class=\"header\">Published:</span> {}</div>\n\
         <div class=\"company\"><span class=\"header\">Studio:</span> <a href=\"company/1\">{}</a></div>\n\
         <div class=\"creators\"><span class=\"header\">Staff:</span> <a href=\"person/1\">Director of {}</a></div>\n\
         <div class=\"adapted\"><span class=\"header\">Adapted From:</span> Original Work</div>\n\
         <div class=\"websites\"><span class=\"header\">Websites:</span> <a href=\"https://www.invalid/{0}\">Official website</a></div></li>\n\
         <li><div class=\"title\" lang=\"en\"><strong class=\"f16\">{7}</strong></div>\n\
         <div class=\"company\"><span class=\"header\">Publisher:</span> <a href=\"company/2\">Demo Publishing</a></div></li>\n\
         <li><div class=\"synonyms\"><span class=\"header\">Synonyms:</span> {}</div></li></ul></section>\n\
         <section id=\"description\"><div class=\"textblock details-text\">{}</div></section>\n\
         <section id=\"genres-tags\"><ul class=\"cloud\">{genres}<li><a class=\"gt\" href=\"anime/tag\">Travel</a></li></ul></section>\n\
         <nav><a href=\"anime/{0}/screenshots\">Screenshots</a> <a href=\"anime/{0}/relations\">Relations</a></nav>\n",
        anime.anisearch,
        escape(&anime.title),
        escape(&anime.native),
        anime.kind,
        if anime.is_airing() { "Ongoing" } else { "Completed" },
        published,
        escape(&anime.studio),
        escape(&anime.english),
        escape(&anime.english),
        escape(&anime.synopsis),
    )
}

fn episodes(anime: &Anime) -> String {
    let row = |number: u64| {
        format!(
            "<tr data-episode=\"true\"><th itemprop=\"episodeNumber\">{number}</th>\
             <td data-title=\"Runtime\"><div lang=\"en\">24 min</div></td>\
             <td data-title=\"Date of Original Release\"><div lang=\"en\">{}</div></td>\
             <td data-title=\"Title\"><span itemprop=\"name\" lang=\"en\">Episode {number}</span></td></tr>\n",
            anime.start
        )
    };
    format!(
        "<table><tbody>\n{}</tbody></table>\n",
        (1..=anime.displayed_titles()).map(row).collect::<Vec<_>>().concat()
    )
}

fn characters(anime: &Anime) -> String {
    let cast = anime.cast();
    let section = |id: u8, heading: &str, is_main: bool| {
        let items = cast
            .iter()
            .filter(|character| character.is_main == is_main)
            .map(|character| {
                format!(
                    "<li><a href=\"character/{0}\" style=\"background-image: url('https://cdn.invalid/search/{0}.webp')\">\
                     <span class=\"title\">{1}</span><span class=\"favorites\">42</span></a></li>\n",
                    character.id,
                    escape(&character.name)
                )
            })
            .collect::<Vec<_>>().concat();
        format!("<section id=\"chara{id}\"><h2>{heading} Character</h2><ul>\n{items}</ul></section>\n")
    };
    section(1, "Main", true) + &section(2, "Secondary", false)
}

fn screenshots(anime: &Anime) -> String {
    let one = |n| format!("<a class=\"zoom\" href=\"https://cdn.invalid/shot/{}-{n}.webp\"></a>\n", anime.anisearch);
    format!("<div id=\"screenshots\">\n{}</div>\n", (1..=3).map(one).collect::<Vec<_>>().concat())
}

/// The relations to manga are loaded by the script of the page once all relations are selected.
fn relations(anime: &Anime) -> String {
    let row = |kind: &str, name: &str, id: u64, about: &str| {
        format!(
            "<tr><th scope=\"row\" data-tooltip=\"&lt;img src=&quot;https://cdn.invalid/search/{id}.webp&quot;&gt;\">\
             <a href=\"{kind}/{id}\">{}: {name}</a><br><span>{name}</span></th>\
             <td data-title=\"Type / Episodes / Year\">{about}</td><td data-title=\"Main genres\">{}</td>\
             <td class=\"rating\"><div class=\"star0\" title=\"4.2 Excellent\"></div></td></tr>",
            escape(&anime.english),
            escape(&anime.genres.join(", ")),
        )
    };
    let manga = row("manga", "Adaptation", anime.anisearch + 2, "Manga, 3");
    let manga = format!("<section id=\"relations_manga\"><table><tbody>{manga}</tbody></table></section>");
    format!(
        "<select class=\"ofilter\" data-param=\"show\"><option value=\"single\" selected>Show anime only</option>\
         <option value=\"overall\">Extended View</option></select>\n\
         <section id=\"relations_anime\"><table><tbody>{}</tbody></table></section>\n\
         <script>document.querySelector('select').addEventListener('change', event => {{\
         if (event.target.value === 'overall') document.body.insertAdjacentHTML('beforeend', {});}});</script>\n",
        row("anime", "Special", anime.anisearch + 1, "TV-Special, 1"),
        Value::from(manga).to_string().replace("</", "<\\/"),
    )
}

/// A day as the site writes it.
fn day(date: &str) -> String {
    date.rsplit('-').collect::<Vec<_>>().join(".")
}
