//! Reading of HTML pages by CSS selectors, by the rules of the pipeline's crawler.
//!
//! The text of an element is all its text nodes, each trimmed, joined without a space; a selector that matches nothing
//! leaves its field out.

pub(crate) mod limits;

use std::sync::Arc;

use scraper::{ElementRef, Html, Selector};
use serde_json::{Map, Value};
use tokio::sync::oneshot;

use crate::enrich::error::FetchFailure;

/// A page, or a part of one.
pub(crate) struct Document(Html);

/// An element of a page.
#[derive(Clone, Copy)]
pub(crate) struct Element<'a>(ElementRef<'a>);

/// A JSON object of the fields that were found.
#[derive(Default)]
pub(crate) struct Fields(Map<String, Value>);

/// Parses a page and reads it with `understand`. Parsing runs on a blocking thread, and stops early if the caller is
/// canceled.
pub(crate) async fn read<T: Send + 'static>(
    html: Arc<str>,
    understand: impl FnOnce(&Document) -> Result<T, FetchFailure> + Send + 'static,
) -> Result<T, FetchFailure> {
    let (transport, receiver) = oneshot::channel();
    tokio::task::spawn_blocking(move || {
        let page = limits::parse(&html, || !transport.is_closed());
        // The caller may have been canceled.
        let _ = transport.send(page.and_then(|page| understand(&Document(page))));
    });
    receiver.await.unwrap_or_else(|_| Err(FetchFailure::Unexpected("cannot parse the page".to_owned())))
}

impl Document {
    /// Markup from an attribute or text of a page; `None`: it exceeds the limits.
    pub(crate) fn new(html: &str) -> Option<Self> {
        limits::parse(html, || true).ok().map(Self)
    }

    pub(crate) fn root(&self) -> Element<'_> {
        Element(self.0.root_element())
    }

    pub(crate) fn title(&self) -> String {
        self.root().text_of("head > title").unwrap_or_default()
    }
}

impl<'a> Element<'a> {
    /// Everything in it that matches.
    pub(crate) fn all(self, selector: &str) -> Vec<Self> {
        let selector = Selector::parse(selector).expect("selectors are constants");
        self.0.select(&selector).map(Self).collect()
    }

    /// The first thing in it that matches.
    pub(crate) fn first(self, selector: &str) -> Option<Self> {
        self.all(selector).into_iter().next()
    }

    /// The next sibling element.
    pub(crate) fn next(self) -> Option<Self> {
        self.0.next_siblings().find_map(ElementRef::wrap).map(Self)
    }

    /// Whether it is an element of this name.
    pub(crate) fn is(self, name: &str) -> bool {
        self.0.value().name() == name
    }

    pub(crate) fn text(self) -> String {
        let is_code = |name: &str| matches!(name, "script" | "style" | "template");
        let texts = self.0.descendants().filter(|node| {
            !node.parent().and_then(ElementRef::wrap).is_some_and(|parent| is_code(parent.value().name()))
        });
        texts.filter_map(|node| node.value().as_text()).map(|text| text.trim()).collect()
    }

    /// The texts of all matches that are not empty.
    pub(crate) fn texts(self, selector: &str) -> Vec<String> {
        self.all(selector).into_iter().map(Self::text).filter(|text| !text.is_empty()).collect()
    }

    pub(crate) fn text_of(self, selector: &str) -> Option<String> {
        self.first(selector).map(Self::text)
    }

    /// Its text, untrimmed: of a script.
    pub(crate) fn source(self) -> String {
        self.0.text().collect()
    }

    pub(crate) fn attribute(self, name: &str) -> Option<&'a str> {
        self.0.attr(name)
    }

    pub(crate) fn attribute_of(self, selector: &str, name: &str) -> Option<&'a str> {
        self.first(selector)?.attribute(name)
    }

    /// Names and URLs of the links that match.
    pub(crate) fn links(self, selector: &str) -> Vec<Value> {
        let link = |a: Self| Fields::default().put("name", Some(a.text())).put("url", a.attribute("href"));
        self.all(selector).into_iter().map(|a| link(a).into()).collect()
    }
}

impl Fields {
    pub(crate) fn put(mut self, name: &str, value: Option<impl Into<Value>>) -> Self {
        self.set(name, value);
        self
    }

    /// Puts the field unless the list is empty.
    pub(crate) fn put_some(self, name: &str, values: Vec<impl Into<Value>>) -> Self {
        let values = Some(values).filter(|values| !values.is_empty());
        self.put(name, values.map(|values| values.into_iter().map(Into::into).collect::<Vec<Value>>()))
    }

    pub(crate) fn set(&mut self, name: &str, value: Option<impl Into<Value>>) {
        if let Some(value) = value {
            self.0.insert(name.to_owned(), value.into());
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl From<Fields> for Value {
    fn from(fields: Fields) -> Self {
        Self::Object(fields.0)
    }
}

/// Text with its character references (`&amp;`) resolved, and its tags left as they are.
pub(crate) fn unescaped(text: &str) -> String {
    // A parser resolves references in a title, and reads tags in it as text.
    let text = text.replace("</title", "&lt;/title");
    let page = Document::new(&format!("<title>{text}</title>"));
    page.and_then(|page| Some(page.root().first("title")?.source())).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn element_text_joins_trimmed_text_nodes() {
        let page = Document::new(
            "<title>A page</title><div><b> Type: </b> Movie, 1 <i>(<time>83 min</time>)</i>\n<script>var x;</script></div>",
        )
        .unwrap();
        assert_eq!(page.title(), "A page");
        assert_eq!(page.root().text_of("div").unwrap(), "Type:Movie, 1(83 min)");
        assert_eq!(page.root().text_of("div.grey"), None);
        assert!(page.root().texts("li").is_empty());
    }

    #[test]
    fn links_without_url_have_name_only() {
        let page = Document::new("<p><a href='/x?a=1&amp;b=2'>X</a> <a>Y</a></p>").unwrap();
        assert_eq!(json!(page.root().links("p a")), json!([{"name": "X", "url": "/x?a=1&b=2"}, {"name": "Y"}]));
    }

    #[test]
    fn unescaped_resolves_references_and_keeps_tags() {
        assert_eq!(unescaped("Al&#039;s <br> &amp; Ed </title> &quot;"), "Al's <br> & Ed </title> \"");
    }
}
