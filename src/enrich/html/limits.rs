//! HTML parsing within limits: a hostile page of a megabyte can keep a parser busy for hours.

use std::collections::HashMap;

use html5ever::driver::{ParseOpts, parse_document};
use html5ever::tendril::{StrTendril, TendrilSink as _};
use scraper::{Html, HtmlTreeSink};

use crate::enrich::error::FetchFailure;

/// The longest pages of the sites come to a few MB.
const MAX_BYTES: usize = 16 << 20;

/// Nesting of elements; pages of the sites have some dozen levels.
const MAX_DEPTH: usize = 1_000;

/// Elements and texts; few bytes can make many of them.
const MAX_NODES: usize = 1_000_000;

/// Bytes that are parsed between two checks of the limits.
const CHUNK_BYTES: usize = 8 << 10;

/// Parses a page; fails if it exceeds the limits, or if the caller was canceled.
pub(crate) fn parse(html: &str, is_wanted: impl Fn() -> bool) -> Result<Html, FetchFailure> {
    let refused = |why: &str| FetchFailure::Unexpected(why.to_owned());
    if html.len() > MAX_BYTES {
        return Err(refused("page too large"));
    }
    let mut parser = parse_document(HtmlTreeSink::new(Html::new_document()), ParseOpts::default());
    let mut depths = HashMap::new();
    let mut rest = html;
    while !rest.is_empty() {
        let mut ends = CHUNK_BYTES.min(rest.len())..rest.len();
        let (piece, behind) = rest.split_at(ends.find(|end| rest.is_char_boundary(*end)).unwrap_or(rest.len()));
        rest = behind;
        parser.process(StrTendril::from_slice(piece));
        let page = parser.tokenizer.sink.sink.0.borrow();
        let nodes = page.tree.nodes();
        if nodes.len() > MAX_NODES {
            return Err(refused("page has too many elements"));
        }
        if !is_wanted() {
            return Err(refused("canceled"));
        }
        let fresh: Vec<_> = nodes.rev().take(page.tree.nodes().len() - depths.len()).collect();
        // In order of creation: a parent comes before its children.
        for node in fresh.into_iter().rev() {
            let depth = node.parent().and_then(|parent| depths.get(&parent.id())).map_or(0, |depth| depth + 1);
            if depth > MAX_DEPTH {
                return Err(refused("page nested too deeply"));
            }
            depths.insert(node.id(), depth);
        }
    }
    Ok(parser.finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(html: &str) -> String {
        parse(html, || true).expect_err("it exceeds the limits").to_string()
    }

    #[test]
    fn page_parsed_in_chunks_equals_page_parsed_at_once() {
        let page = format!("<title>Ä</title>{}", "<p>ワン <b>ピース</b>\r\n</p>".repeat(2_000));
        assert_eq!(parse(&page, || true).unwrap(), Html::parse_document(&page));
    }

    #[test]
    fn page_above_limits_is_refused() {
        for tag in ["<div>", "<b>", "<div><object></div></object>", "<span><div></span>"] {
            assert_eq!(problem(&tag.repeat(300_000)), "page nested too deeply", "{tag}");
        }
        assert_eq!(problem(&"<p>".repeat(MAX_NODES + 1)), "page has too many elements");
        assert_eq!(problem(&" ".repeat(MAX_BYTES + 1)), "page too large");
        assert!(parse(&"<div>".repeat(MAX_DEPTH / 2), || true).is_ok());
    }

    #[test]
    fn parsing_for_canceled_caller_stops_early() {
        assert!(parse(&"<p>".repeat(100_000), || false).is_err());
    }
}
