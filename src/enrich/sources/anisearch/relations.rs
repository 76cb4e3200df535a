//! The relations of an anime on AniSearch to other anime, and to manga.

use serde_json::Value;

use crate::enrich::error::FetchFailure;
use crate::enrich::html::{Document, Element, Fields};
use crate::enrich::page::unexpected_page;
use crate::enrich::sources::anisearch::site::is_expected_page;

/// Related anime and manga.
#[derive(Default)]
pub(crate) struct Relations {
    pub(crate) anime: Vec<Value>,
    pub(crate) manga: Vec<Value>,
}

/// Found on the page of relations only.
const MARKS: &str = "section#relations, section#relations_anime, section#relations_manga, select.ofilter";

/// The data of the page.
pub(crate) fn read(document: &Document) -> Result<Relations, FetchFailure> {
    if !is_expected_page(document, MARKS) {
        return Err(unexpected_page("relations page", document));
    }
    let rows = |selector: &str| document.root().all(selector).into_iter().map(related).collect();
    Ok(Relations { anime: rows("section#relations_anime tbody tr"), manga: rows("section#relations_manga tbody tr") })
}

fn related(row: Element<'_>) -> Value {
    // The tooltip is markup.
    let shown = row.attribute_of("th[scope='row']", "data-tooltip").and_then(Document::new);
    let image = shown.as_ref().and_then(|shown| shown.root().attribute_of("img", "src"));
    let fields = Fields::default()
        .put("type", row.text_of("th span"))
        .put("title", row.text_of("th a"))
        .put("url", row.attribute_of("th a", "href"))
        .put("details", row.text_of("td[data-title='Type / Episodes / Year']"))
        .put("genres", row.text_of("td[data-title='Main genres']"))
        .put("rating", row.attribute_of("td.rating div.star0", "title"))
        .put("image", image);
    fields.into()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn relation_rows_are_read_with_images() {
        let page = "<section id='relations_anime'><table><tbody><tr><th scope='row'
            data-tooltip='&lt;img src=&quot;https://cdn.invalid/2.webp&quot;&gt;&lt;div&gt;X&lt;/div&gt;'>
            <a href='anime/2,x'>X</a><br><span>Sequel</span></th>
            <td data-title='Type / Episodes / Year'>Movie, 1<span></span> (2004)</td><td data-title='Main genres'>Drama</td>
            <td class='rating'><div class='star0' title='3.81 Excellent'></div></td></tr>
            <tr><th><a href='anime/3'>Y</a></th></tr></tbody></table></section>";
        let relations = read(&Document::new(page).unwrap()).unwrap();
        let expected = json!([
            {"type": "Sequel", "title": "X", "url": "anime/2,x", "details": "Movie, 1(2004)", "genres": "Drama",
             "rating": "3.81 Excellent", "image": "https://cdn.invalid/2.webp"},
            {"title": "Y", "url": "anime/3"},
        ]);
        assert_eq!(json!(relations.anime), expected);
        assert!(relations.manga.is_empty());
    }
}
