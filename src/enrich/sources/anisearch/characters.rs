//! The list of an anime's characters on AniSearch.

use serde_json::{Value, json};

use crate::enrich::error::FetchFailure;
use crate::enrich::html::{Document, Element, Fields};
use crate::enrich::page::unexpected_page;
use crate::enrich::sources::anisearch::site::is_expected_page;

/// The sections of the list: the fourth has no characters.
const PARTS: &str = "#chara1, #chara2, #chara3, #chara5, #chara6, #chara7";

/// Found on the list only.
const MARKS: &str = "#chara1, #chara2, #chara3, #chara4, #chara5, #chara6, #chara7";

/// The base of URLs of characters.
const SITE: &str = "https://www.anisearch.com/";

/// The base of URLs of images in `data-bg`, which a script turns into styles.
const IMAGES: &str = "https://cdn.anisearch.com/images/";

/// All characters on the list.
pub(crate) fn read(document: &Document) -> Result<Value, FetchFailure> {
    if !is_expected_page(document, MARKS) {
        return Err(unexpected_page("character list", document));
    }
    let characters = document.root().all(PARTS).into_iter().flat_map(|part| {
        let role = part
            .text_of("h2")
            .map(|heading| heading.replace("Characters", "").replace("Character", "").trim().to_owned());
        part.all("li").into_iter().map(move |item| Value::from(listed(item).put("role", role.clone())))
    });
    Ok(json!({ "characters": characters.collect::<Vec<_>>() }))
}

fn listed(item: Element<'_>) -> Fields {
    let image = item.attribute_of("a", "style").and_then(image).map(ToOwned::to_owned);
    Fields::default()
        .put("name", item.text_of("span.title"))
        .put("url", item.attribute_of("a", "href").map(|url| format!("{SITE}{}", url.trim_start_matches('/'))))
        .put("favorites", item.text_of("span.favorites").and_then(|text| number(&text)))
        .put("image", image.or_else(|| item.attribute_of("a", "data-bg").map(|path| format!("{IMAGES}{path}"))))
}

/// The URL in a style.
fn image(style: &str) -> Option<&str> {
    let (_, behind) = style.split_once("url(")?;
    let (address, _) = behind.split_once(')')?;
    Some(address.trim_matches(['"', '\'', '\\', ' ']))
}

/// The first number in a text.
pub(crate) fn number(text: &str) -> Option<u64> {
    text.split(|c: char| !c.is_ascii_digit()).find(|digits| !digits.is_empty())?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_have_role_of_their_section() {
        let page = "<section id='chara1'><h2>Main Character</h2><ul><li>
              <a href='character/1,x' style='background-image: url(\"https://cdn.invalid/1.webp\")'>
              <span class='title'>X</span><span class='favorites'>1 ❤</span></a></li></ul></section>
            <section id='chara2'><h2>Secondary Character</h2><ul><li><a href='character/2,y' data-bg='character/2.webp'>
              <span class='title'>Y</span><span class='favorites'>❤</span></a></li></ul></section>
            <section id='chara4'><h2>Staff</h2><ul><li><a href='person/3'><span class='title'>Z</span></a></li></ul></section>";
        let expected = json!({"characters": [
            {"name": "X", "url": "https://www.anisearch.com/character/1,x", "favorites": 1,
             "image": "https://cdn.invalid/1.webp", "role": "Main"},
            {"name": "Y", "url": "https://www.anisearch.com/character/2,y",
             "image": "https://cdn.anisearch.com/images/character/2.webp", "role": "Secondary"},
        ]});
        let read = |page| read(&Document::new(page).unwrap());
        assert_eq!(read(page).unwrap(), expected);
        let nobody = "<body data-pagetype='anime-details'><p>Nobody.</p>";
        assert_eq!(read(nobody).unwrap(), json!({"characters": []}));
        assert!(matches!(read("<h1>Please log in</h1>"), Err(FetchFailure::Unexpected(_))));
    }
}
