//! AniDB's HTTP API: XML. Its errors come with status 200.

use crate::demo::catalogue::{Anime, CATALOGUE};
use crate::demo::services::exchange::{DemoReply, DemoRequest, Misbehavior, escape};

pub(crate) fn respond(request: &DemoRequest<'_>) -> DemoReply {
    let is_known =
        request.param("request") == Some("anime") && request.param("client").is_some_and(|client| !client.is_empty());
    let body = match CATALOGUE.iter().find(|anime| request.number("aid") == Some(anime.anidb)) {
        _ if request.path != "/httpapi" => return DemoReply::new(404, "text/html", "<h1>404</h1>"),
        _ if !is_known => error("Parameter missing or unknown client"),
        None => error("Anime not found"),
        Some(anime) if Misbehavior::of(anime) == Some(Misbehavior::Banned) => error("Banned"),
        Some(anime) => document(anime),
    };
    DemoReply::new(200, "text/xml; charset=UTF-8", body)
}

fn error(text: &str) -> String {
    format!("<error>{text}</error>")
}

fn document(anime: &Anime) -> String {
    let synonym = format!("{} (demo)", anime.english);
    let titles = [
        ("x-jat", "main", &anime.title),
        ("en", "synonym", &synonym),
        ("ja", "official", &anime.native),
        ("en", "official", &anime.english),
    ];
    let titles = titles
        .map(|(lang, kind, title)| format!("<title xml:lang=\"{lang}\" type=\"{kind}\">{}</title>\n", escape(title)));
    let tags = anime.genres.iter().zip(1..).map(|(name, id)| {
        format!(
            "<tag id=\"{id}\" weight=\"400\" localspoiler=\"false\">\n<name>{}</name>\n\
             <description>Sample tag.</description>\n</tag>\n",
            escape(name)
        )
    });
    let characters = anime.cast().into_iter().map(|character| {
        let kind = if character.is_main { "main character in" } else { "secondary cast in" };
        format!(
            "<character id=\"{}\" type=\"{kind}\" update=\"2024-01-01\">\n<rating votes=\"42\">8.4</rating>\n<name>{}</name>\n\
             <gender>unknown</gender>\n<charactertype id=\"1\">Character</charactertype>\n\
             <description>{1} appears in this anime.</description>\n<picture>{}.jpg</picture>\n\
             <seiyuu id=\"{}\" picture=\"{0}.jpg\">Voice of {1}</seiyuu>\n</character>\n",
            character.id,
            escape(&character.name),
            character.id,
            character.id + 7,
        )
    });
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<anime id=\"{}\" restricted=\"false\">\n<type>{}</type>\n\
         <episodecount>{}</episodecount>\n<startdate>{}</startdate>\n{}<titles>\n{}</titles>\n<creators>\n\
         <name id=\"1\" type=\"Animation Work\">{}</name>\n</creators>\n<description>{}</description>\n\
         <url>https://demo.invalid/</url>\n<ratings>\n\
         <permanent count=\"4200\">8.40</permanent>\n<temporary count=\"4210\">8.50</temporary>\n\
         <review count=\"7\">9.00</review>\n</ratings>\n\
         <picture>{}.jpg</picture>\n<tags>\n{}</tags>\n<characters>\n{}</characters>\n</anime>\n",
        anime.anidb,
        if anime.kind == "TV" { "TV Series" } else { &anime.kind },
        anime.episodes.unwrap_or(0),
        anime.start,
        anime.end().map(|end| format!("<enddate>{end}</enddate>\n")).unwrap_or_default(),
        titles.concat(),
        escape(&anime.studio),
        escape(&anime.synopsis),
        anime.anidb,
        tags.collect::<Vec<_>>().concat(),
        characters.collect::<Vec<_>>().concat(),
    )
}
