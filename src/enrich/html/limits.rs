//! Parsing within bounds. A parser follows the rules whatever it is given, and they let a page of a megabyte keep it
//! busy for hours: what is nested or repeated like that is no page of any of these sites.

use std::collections::HashMap;

use html5ever::driver::{ParseOpts, parse_document};
use html5ever::tendril::{StrTendril, TendrilSink as _};
use scraper::{Html, HtmlTreeSink};

use crate::enrich::error::Problem;

/// The longest pages of the sites come to a few MB.
const LARGEST: usize = 16 << 20;

/// How deep elements may be in others; pages of the sites come to some dozen.
const DEEPEST: usize = 1_000;

/// Elements and texts; few bytes can make many of them.
const MOST_NODES: usize = 1_000_000;

/// So many bytes are parsed between two looks at what came of them.
const PIECE: usize = 8 << 10;

/// The page, unless it breaks the bounds or nobody wants it any more.
pub(crate) fn parse(html: &str, is_wanted: impl Fn() -> bool) -> Result<Html, Problem> {
    let refused = |why: &str| Problem::Unexpected(why.to_owned());
    if html.len() > LARGEST {
        return Err(refused("page too large"));
    }
    let mut parser = parse_document(HtmlTreeSink::new(Html::new_document()), ParseOpts::default());
    let mut depths = HashMap::new();
    let mut rest = html;
    while !rest.is_empty() {
        let mut ends = PIECE.min(rest.len())..rest.len();
        let (piece, behind) = rest.split_at(ends.find(|end| rest.is_char_boundary(*end)).unwrap_or(rest.len()));
        rest = behind;
        parser.process(StrTendril::from_slice(piece));
        let page = parser.tokenizer.sink.sink.0.borrow();
        let nodes = page.tree.nodes();
        if nodes.len() > MOST_NODES {
            return Err(refused("page has too many elements"));
        }
        if !is_wanted() {
            return Err(refused("canceled"));
        }
        let fresh: Vec<_> = nodes.rev().take(page.tree.nodes().len() - depths.len()).collect();
        // In the order in which they were made: what a node is in comes first.
        for node in fresh.into_iter().rev() {
            let depth = node.parent().and_then(|parent| depths.get(&parent.id())).map_or(0, |depth| depth + 1);
            if depth > DEEPEST {
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
        parse(html, || true).expect_err("it breaks the bounds").to_string()
    }

    #[test]
    fn a_page_in_pieces_is_the_page() {
        let page = format!("<title>Ä</title>{}", "<p>ワン <b>ピース</b>\r\n</p>".repeat(2_000));
        assert_eq!(parse(&page, || true).unwrap(), Html::parse_document(&page));
    }

    #[test]
    fn what_would_keep_a_parser_busy_is_refused() {
        for tag in ["<div>", "<b>", "<div><object></div></object>", "<span><div></span>"] {
            assert_eq!(problem(&tag.repeat(300_000)), "page nested too deeply", "{tag}");
        }
        assert_eq!(problem(&"<p>".repeat(MOST_NODES + 1)), "page has too many elements");
        assert_eq!(problem(&" ".repeat(LARGEST + 1)), "page too large");
        assert!(parse(&"<div>".repeat(DEEPEST / 2), || true).is_ok());
    }

    #[test]
    fn what_nobody_wants_is_not_parsed_to_its_end() {
        assert!(parse(&"<p>".repeat(100_000), || false).is_err());
    }
}
