//! The characters of an anime on Anime-Planet: the list of them, and the page of each.

use serde_json::{Value, json};

use crate::enrich::error::FetchFailure;
use crate::enrich::html::{Document, Element, Fields};
use crate::enrich::page::unexpected_page;
use crate::enrich::sources::anime_planet::site::is_search;

/// The sections of the list, in the order of the site.
const ROLES: [&str; 3] = ["Main", "Secondary", "Minor"];

/// The languages of voices, and their flags.
const LANGUAGES: [(&str, &str); 4] = [("jp", ".flagJP"), ("us", ".flagUS"), ("es", ".flagES"), ("fr", ".flagFR")];

/// Shorter paragraphs are not descriptions.
const MIN_DESCRIPTION: usize = 50;

/// All characters on the list.
pub(crate) fn read_list(document: &Document) -> Result<Vec<Value>, FetchFailure> {
    if is_search(document) {
        return Err(FetchFailure::NotFound);
    }
    let headings = document.root().all("h3.sub");
    let is_meant = || {
        let names = [Some(document.title()), document.root().text_of("h1")];
        names.into_iter().flatten().any(|name| name.to_lowercase().contains("characters"))
    };
    if headings.is_empty() && !is_meant() {
        return Err(unexpected_page("character list", document));
    }
    let parts = headings.into_iter().zip(ROLES).filter_map(|(heading, usual)| {
        let text = heading.text();
        let role = ROLES.into_iter().find(|role| text.starts_with(role)).unwrap_or(usual);
        Some((role, heading.next().filter(|next| next.is("table"))?))
    });
    let rows = parts.flat_map(|(role, table)| table.all("tr").into_iter().filter_map(move |row| listed(row, role)));
    Ok(rows.map(Value::from).collect())
}

fn listed(row: Element<'_>, role: &str) -> Option<Fields> {
    let link = row.first("a.name")?;
    let (name, url) = (link.text(), link.attribute("href")?.trim());
    if name.is_empty() || url.is_empty() {
        return None;
    }
    let mut voices = Fields::default();
    for (language, flag) in LANGUAGES {
        let actors = row.links(&format!(".tableActors {flag} a"));
        voices = voices.put_some(language, actors.into_iter().filter(|actor| actor["name"] != "").collect());
    }
    // Until a script has run, lazily loaded images are in `data-src`.
    let shown = row.attribute_of("img", "src").filter(|src| !src.is_empty() && !src.starts_with("/inc/"));
    Some(
        Fields::default()
            .put("name", Some(name))
            .put("url", Some(url))
            .put("role", Some(role))
            .put("image", shown.or_else(|| row.attribute_of("img", "data-src")))
            .put_some("tags", row.texts(".tags a"))
            .put("voice_actors", Some(voices).filter(|voices| !voices.is_empty())),
    )
}

/// The data that the page of a character adds to the list.
pub(crate) fn read_detail(document: &Document) -> Result<Value, FetchFailure> {
    let page = document.root();
    if is_search(document) {
        return Err(FetchFailure::NotFound);
    }
    if page.first("h1[itemprop='name']").is_none() {
        return Err(unexpected_page("character page", document));
    }
    let mut fields = Fields::default();
    for text in page.texts(".entryBar .pure-1") {
        for (label, name) in [("Gender:", "gender"), ("Hair Color:", "hair_color")] {
            fields.set(name, text.contains(label).then(|| known(text.replace(label, "").trim())));
        }
    }
    fields.set("loved_rank", rank(page, ".entryBar .fa-heart + a"));
    fields.set("hated_rank", rank(page, ".entryBar .heartOff + a"));
    for item in page.all(".EntryMetadata__item") {
        let [title, value] = [".EntryMetadata__title", ".EntryMetadata__value"].map(|part| item.text_of(part));
        if let (Some(title), Some(value)) = (title, value)
            && !title.is_empty()
            && !value.is_empty()
        {
            fields.set(&title.to_lowercase().replace(' ', "_"), Some(known(&value)));
        }
    }
    let is_description = |text: &String| text.chars().count() > MIN_DESCRIPTION && !text.contains("Tags");
    fields.set("description", page.texts(".entrySynopsis p").into_iter().find(is_description));
    fields = fields.put_some("alternative_names", page.texts(".entryAltNames li"));
    for kind in ["anime", "manga"] {
        fields = fields.put_some(&format!("{kind}_roles"), roles(page, kind));
    }
    Ok(fields.into())
}

/// `?` means unknown on the site.
fn known(value: &str) -> Value {
    if value == "?" { Value::Null } else { json!(value) }
}

fn rank(page: Element<'_>, selector: &str) -> Option<u64> {
    page.text_of(selector)?.replace(['#', ','], "").parse().ok()
}

/// Other anime or manga with the character: the table after the heading.
fn roles(page: Element<'_>, kind: &str) -> Vec<Fields> {
    let heading = format!("{kind} roles");
    let headings = page.all("h3").into_iter().filter(|h3| h3.text().to_lowercase().contains(&heading));
    let tables = headings.filter_map(|h3| h3.next().filter(|next| next.is("table")));
    let rows = tables.flat_map(|table| table.all("tr")).filter_map(|row| {
        let link = row.first("td:nth-child(1) a")?;
        let (title, url) = (link.text(), link.attribute("href")?);
        let role = row.text_of("td:nth-child(2)").filter(|role| !role.is_empty());
        (!title.is_empty() && !url.is_empty()).then(|| {
            Fields::default()
                .put(&format!("{kind}_title"), Some(title))
                .put(&format!("{kind}_url"), Some(url))
                .put("role", role)
        })
    });
    rows.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn list_has_roles_and_voice_actors() {
        let list = "<h1>Characters</h1><div><h3 class='sub'>Main Characters</h3><table><tr>\
            <td><img src='/inc/img/blank.gif' data-src='https://cdn.invalid/1.jpg'></td>\
            <td><a class='name' href='/characters/spike'>Spike</a><div class='tags'><a>Smoker</a> <a></a></div></td>\
            <td class='tableActors'><div class='flagJP'><a href='/people/k'>K</a></div><div class='flagUS'><a></a></div></td></tr>\
            <tr><td>Nobody</td></tr></table>\
            <h3 class='sub'>Minor Characters</h3><table><tr><td><a class='name' href='/characters/x'>X</a></td></tr></table></div>";
        let expected = json!([
            {"name": "Spike", "url": "/characters/spike", "role": "Main", "image": "https://cdn.invalid/1.jpg",
             "tags": ["Smoker"], "voice_actors": {"jp": [{"name": "K", "url": "/people/k"}]}},
            {"name": "X", "url": "/characters/x", "role": "Minor"},
        ]);
        assert_eq!(json!(read_list(&Document::new(list).unwrap()).unwrap()), expected);
    }

    #[test]
    fn search_and_other_pages_are_errors() {
        let read_list = |page| read_list(&Document::new(page).unwrap());
        let read_detail = |page| read_detail(&Document::new(page).unwrap());
        assert!(matches!(read_list("<title>Anime search</title><h1>Anime</h1>"), Err(FetchFailure::NotFound)));
        for other in ["<p>Sorry</p>", "<title>Log in</title><h1>Please log in</h1>"] {
            assert!(matches!(read_list(other), Err(FetchFailure::Unexpected(_))), "{other}");
        }
        assert!(matches!(read_detail("<h1>Characters</h1>"), Err(FetchFailure::Unexpected(_))));
        assert!(read_list("<h1>X Characters</h1>").unwrap().is_empty());
    }

    #[test]
    fn character_page_has_roles_in_other_anime() {
        let page = "<h1 itemprop='name'>Spike</h1><div class='entryBar'><div class='pure-1'>Gender: Male</div>\
            <div class='pure-1'>Hair Color: ?</div><div class='pure-1'><i class='fa-heart'></i><a>#1,234</a></div></div>\
            <div class='EntryMetadata__item'><b class='EntryMetadata__title'>Eye Color</b><b class='EntryMetadata__value'>Brown</b></div>\
            <div class='entrySynopsis'><p>Short.</p><p>He flies a ship, smokes too much, and waits for a past that comes back.</p></div>\
            <ul class='entryAltNames'><li>S</li></ul>\
            <h3>Anime Roles</h3><table><tr><td><a href='/anime/cowboy-bebop'>Cowboy Bebop</a></td><td>Main</td></tr></table>\
            <h3>Manga Roles</h3><p></p>";
        let expected = json!({"gender": "Male", "hair_color": null, "loved_rank": 1_234, "eye_color": "Brown",
            "description": "He flies a ship, smokes too much, and waits for a past that comes back.",
            "alternative_names": ["S"],
            "anime_roles": [{"anime_title": "Cowboy Bebop", "anime_url": "/anime/cowboy-bebop", "role": "Main"}]});
        assert_eq!(read_detail(&Document::new(page).unwrap()).unwrap(), expected);
    }
}
