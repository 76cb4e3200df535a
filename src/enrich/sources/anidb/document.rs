//! Reads the XML document of an anime. Names and shapes of the data are those of the pipeline, except the official
//! titles: the pipeline searches them without a namespace and finds none.

use roxmltree::Node;
use serde_json::{Map, Value, json};

/// `xml:lang`.
const LANGUAGE: (&str, &str) = (roxmltree::NS_XML_URI, "lang");

/// An anime.
pub(crate) fn anime(root: Node<'_, '_>) -> Value {
    json!({
        "anidb_id": root.attribute("id"),
        "type": text(root, "type"),
        "episodecount": text(root, "episodecount"),
        "startdate": text(root, "startdate"),
        "enddate": text(root, "enddate"),
        "description": text(root, "description"),
        "url": text(root, "url"),
        "picture": text(root, "picture"),
        "titles": titles(root),
        "tags": children(root, "tags", "tag").filter_map(tag).collect::<Vec<_>>(),
        "ratings": ratings(root),
        "categories": children(root, "categories", "category").filter_map(category).collect::<Vec<_>>(),
        "creators": children(root, "creators", "name").map(creator).collect::<Vec<_>>(),
        "characters": children(root, "characters", "character").map(character).collect::<Vec<_>>(),
    })
}

/// The main title, the official ones in English and Japanese, and all synonyms.
fn titles(root: Node<'_, '_>) -> Value {
    let mut titles = Map::new();
    let mut synonyms = Vec::new();
    for title in children(root, "titles", "title") {
        let Some(text) = title.text() else { continue };
        let name = match (title.attribute("type"), title.attribute(LANGUAGE)) {
            (Some("main"), _) => "main",
            (Some("official"), Some("en")) => "english",
            (Some("official"), Some("ja")) => "japanese",
            (Some("synonym"), _) => {
                synonyms.push(text.into());
                continue;
            }
            _ => continue,
        };
        titles.entry(name).or_insert(text.into());
    }
    if !synonyms.is_empty() {
        titles.insert("synonyms".to_owned(), Value::Array(synonyms));
    }
    Value::Object(titles)
}

fn tag(tag: Node<'_, '_>) -> Option<Value> {
    let mut kept = json!({
        "id": tag.attribute("id"),
        "name": child(tag, "name")?.text(),
        "count": count(tag, "count"),
        "weight": count(tag, "weight"),
    });
    if let Some(description) = child(tag, "description") {
        kept["description"] = description.text().into();
    }
    Some(kept)
}

fn ratings(root: Node<'_, '_>) -> Value {
    let Some(ratings) = child(root, "ratings") else { return json!({}) };
    let kinds = ["permanent", "temporary", "review"].into_iter();
    let kept = kinds.filter_map(|kind| {
        let rating = child(ratings, kind)?;
        Some((kind.to_owned(), json!({ "value": decimal(rating), "count": count(rating, "count") })))
    });
    Value::Object(kept.collect())
}

/// Documents before tags were introduced have categories.
fn category(category: Node<'_, '_>) -> Option<Value> {
    Some(json!({
        "id": category.attribute("id"),
        "name": child(category, "name")?.text(),
        "weight": count(category, "weight"),
        "hentai": category.attribute("hentai") == Some("true"),
    }))
}

fn creator(name: Node<'_, '_>) -> Value {
    json!({ "id": name.attribute("id"), "name": name.text(), "type": name.attribute("type") })
}

/// A character; keys of missing fields are missing, too.
fn character(character: Node<'_, '_>) -> Value {
    let mut kept = json!({
        "id": character.attribute("id"),
        "type": character.attribute("type"),
        "update": character.attribute("update"),
    });
    for name in ["name", "gender", "description", "picture"] {
        if let Some(child) = child(character, name) {
            kept[name] = child.text().into();
        }
    }
    if let Some(kind) = child(character, "charactertype") {
        kept["character_type"] = kind.text().into();
        kept["character_type_id"] = kind.attribute("id").into();
    }
    if let Some(rating) = child(character, "rating") {
        kept["rating"] = decimal(rating).into();
        kept["rating_votes"] = count(rating, "votes").into();
    }
    if let Some(voice) = child(character, "seiyuu") {
        kept["seiyuu"] =
            json!({ "name": voice.text(), "id": voice.attribute("id"), "picture": voice.attribute("picture") });
    }
    kept
}

fn child<'a, 'i>(node: Node<'a, 'i>, name: &str) -> Option<Node<'a, 'i>> {
    node.children().find(|child| child.has_tag_name(name))
}

fn text<'a>(node: Node<'a, '_>, name: &str) -> Option<&'a str> {
    child(node, name)?.text()
}

fn children<'a, 'i>(node: Node<'a, 'i>, list: &str, name: &'static str) -> impl Iterator<Item = Node<'a, 'i>> {
    child(node, list).into_iter().flat_map(|list| list.children()).filter(move |child| child.has_tag_name(name))
}

/// A number in an attribute; 0 if it is missing, as in the pipeline.
fn count(node: Node<'_, '_>, name: &str) -> i64 {
    node.attribute(name).and_then(|number| number.trim().parse().ok()).unwrap_or_default()
}

fn decimal(node: Node<'_, '_>) -> Option<f64> {
    node.text()?.trim().parse().ok()
}
