//! The list of an anime's episodes on AniSearch.

use serde_json::Value;

use crate::enrich::error::FetchFailure;
use crate::enrich::html::{Document, Fields};
use crate::enrich::page::unexpected_page;
use crate::enrich::sources::anisearch::characters::number;
use crate::enrich::sources::anisearch::site::is_expected_page;

/// A row of an episode.
const ROW: &str = "tr[data-episode='true']";

/// All episodes with data. The list may be empty: movies have none.
pub(crate) fn read(document: &Document) -> Result<Value, FetchFailure> {
    if !is_expected_page(document, ROW) {
        return Err(unexpected_page("episode list", document));
    }
    let episodes = document.root().all(ROW).into_iter().map(|row| {
        let counted = row.text_of("th[itemprop='episodeNumber']");
        let counted = counted.map(|text| number(&text).map_or_else(|| Value::from(text), Value::from));
        Fields::default()
            .put("episodeNumber", counted)
            .put("runtime", row.text_of("td[data-title='Runtime'] div[lang='en']"))
            .put("releaseDate", row.text_of("td[data-title='Date of Original Release'] div[lang='en']"))
            .put("title", row.text_of("td[data-title='Title'] span[itemprop='name'][lang='en']"))
    });
    Ok(episodes.filter(|episode| !episode.is_empty()).map(Value::from).collect())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn episode_rows_are_read() {
        let page = "<table><tbody>
            <tr data-episode='true'><th itemprop='episodeNumber'>01</th><td data-title='Runtime'><div lang='en'>23 min</div></td>
              <td data-title='Date of Original Release'><div lang='de'>x</div><div lang='en'>04.10.2006</div></td>
              <td data-title='Title'><span itemprop='name' lang='ja'>新生</span><span itemprop='name' lang='en'>Rebirth</span></td></tr>
            <tr data-episode='true'><td></td></tr><tr><th itemprop='episodeNumber'>2</th></tr></tbody></table>";
        let expected =
            json!([{"episodeNumber": 1, "runtime": "23 min", "releaseDate": "04.10.2006", "title": "Rebirth"}]);
        let read = |page| read(&Document::new(page).unwrap());
        assert_eq!(read(page).unwrap(), expected);
        assert_eq!(read("<body data-pagetype='anime-details'><p>None.</p>").unwrap(), json!([]));
        for other in ["", "<title>Log in - aniSearch</title><h1>Please log in</h1>"] {
            assert!(matches!(read(other), Err(FetchFailure::Unexpected(_))), "{other}");
        }
    }
}
