//! JSON as foldable lines. A lexer finds the range of each pretty-printed line in the stored bytes, so that only
//! visible lines become text.
//!
//! Nothing is validated: truncated or invalid JSON is laid out as far as possible.

use std::collections::HashSet;
use std::ops::Range;

/// More lines are left out: cached data is untrusted.
const LINES: usize = 1_000_000;

/// A line: a member or element, or a closing bracket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line {
    start: u32,
    end: u32,
    /// The nesting depth.
    pub depth: u16,
    /// The line with the closing bracket; 0: this line opens none.
    pub close: u32,
}

impl Line {
    /// The range of its text in the document.
    pub fn range(self) -> Range<usize> {
        self.start as usize..self.end as usize
    }
}

/// A document, by line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Document {
    /// Its lines, from top to bottom.
    pub lines: Vec<Line>,
}

impl Document {
    /// Lays out a document that begins with a bracket.
    pub fn parse(bytes: &[u8]) -> Self {
        let mut document = Self::default();
        let mut open: Vec<u32> = Vec::new();
        let mut start = None;
        let mut at = 0;
        while at < bytes.len() && document.lines.len() < LINES {
            let byte = bytes[at];
            let end = end_of_token(bytes, at);
            match byte {
                b'{' | b'[' => {
                    let inner = skip_blanks(bytes, end);
                    let from = start.take().unwrap_or(at);
                    if matches!((byte, bytes.get(inner)), (b'{', Some(b'}')) | (b'[', Some(b']'))) {
                        // An empty object or array: one line, with the comma after it.
                        at = inner + 1;
                        let end = with_comma(bytes, at);
                        document.push(from, end, open.len());
                        at = end;
                        continue;
                    }
                    open.push(document.lines.len() as u32);
                    document.push(from, end, open.len() - 1);
                }
                b'}' | b']' => {
                    if let Some(from) = start.take() {
                        document.push(from, at, open.len());
                    }
                    let opened = open.pop();
                    let end = with_comma(bytes, end);
                    let closing = document.lines.len() as u32;
                    document.push(at, end, open.len());
                    if let Some(opened) = opened {
                        document.lines[opened as usize].close = closing;
                    }
                    at = end;
                    continue;
                }
                b',' => {
                    let from = start.take().unwrap_or(at);
                    document.push(from, end, open.len());
                }
                blank if blank.is_ascii_whitespace() => {}
                _ => start = start.or(Some(at)),
            }
            at = end;
        }
        if let Some(from) = start {
            document.push(from, bytes.len(), open.len());
        }
        document
    }

    /// The numbers of the lines outside folded ones.
    pub fn visible(&self, folded: &HashSet<u32>) -> Vec<u32> {
        let mut shown = Vec::with_capacity(self.lines.len());
        let mut at = 0;
        while at < self.lines.len() {
            shown.push(at as u32);
            let line = self.lines[at];
            at = if line.close > 0 && folded.contains(&(at as u32)) { line.close as usize + 1 } else { at + 1 };
        }
        shown
    }

    /// All lines that can be folded, except the root.
    pub fn foldable(&self) -> HashSet<u32> {
        let lines = self.lines.iter().enumerate();
        lines.filter(|(_, line)| line.close > 0 && line.depth > 0).map(|(at, _)| at as u32).collect()
    }

    fn push(&mut self, start: usize, end: usize, depth: usize) {
        self.lines.push(Line {
            start: start as u32,
            end: end as u32,
            depth: u16::try_from(depth).unwrap_or(u16::MAX),
            close: 0,
        });
    }
}

/// A token of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Token {
    /// The name of a member.
    Name,
    /// A string.
    Text,
    /// A number.
    Number,
    /// `true`, `false`, `null` and any other text.
    Word,
    /// Brackets, commas, colons.
    Mark,
}

/// The tokens of a line, without blanks.
pub fn tokens(line: &[u8]) -> Vec<(Token, Range<usize>)> {
    let mut tokens = Vec::new();
    let mut at = skip_blanks(line, 0);
    while at < line.len() {
        let end = end_of_token(line, at);
        let token = match line[at] {
            b'"' if line.get(skip_blanks(line, end)) == Some(&b':') => Token::Name,
            b'"' => Token::Text,
            b'-' | b'0'..=b'9' => Token::Number,
            b'{' | b'}' | b'[' | b']' | b',' | b':' => Token::Mark,
            _ => Token::Word,
        };
        tokens.push((token, at..end));
        at = skip_blanks(line, end);
    }
    tokens
}

fn end_of_token(bytes: &[u8], at: usize) -> usize {
    match bytes[at] {
        b'"' => {
            let mut at = at + 1;
            while at < bytes.len() {
                match bytes[at] {
                    b'\\' => at += 2,
                    b'"' => return at + 1,
                    _ => at += 1,
                }
            }
            bytes.len()
        }
        b'{' | b'}' | b'[' | b']' | b',' | b':' => at + 1,
        blank if blank.is_ascii_whitespace() => at + 1,
        _ => {
            let is_end = |b: &u8| b.is_ascii_whitespace() || b"\"{}[],:".contains(b);
            bytes[at..].iter().position(is_end).map_or(bytes.len(), |length| at + length)
        }
    }
}

fn skip_blanks(bytes: &[u8], from: usize) -> usize {
    bytes[from.min(bytes.len())..].iter().position(|b| !b.is_ascii_whitespace()).map_or(bytes.len(), |skip| from + skip)
}

fn with_comma(bytes: &[u8], end: usize) -> usize {
    let next = skip_blanks(bytes, end);
    if bytes.get(next) == Some(&b',') { next + 1 } else { end }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn layout(text: &str) -> Vec<String> {
        let document = Document::parse(text.as_bytes());
        let lines = document.lines.iter();
        lines.map(|line| format!("{}{}", "  ".repeat(line.depth.into()), &text[line.range()])).collect()
    }

    #[test]
    fn a_document_is_laid_out_by_member() {
        assert_eq!(
            layout(r#"{"a":1,"b":{"c":[1,2],"d":{}},"e":[ ] , "f":"x,]"}"#),
            [
                "{",
                r#"  "a":1,"#,
                r#"  "b":{"#,
                r#"    "c":["#,
                "      1,",
                "      2",
                "    ],",
                r#"    "d":{}"#,
                "  },",
                r#"  "e":[ ] ,"#,
                r#"  "f":"x,]""#,
                "}"
            ]
        );
    }

    #[test]
    fn what_is_cut_off_is_shown_as_far_as_it_goes() {
        assert_eq!(layout(r#"{"a":[1,"b"#), ["{", r#"  "a":["#, "    1,", r#"    "b"#]);
    }

    #[test]
    fn folding_hides_what_is_inside() {
        let text = br#"{"a":{"b":1},"c":2}"#;
        let document = Document::parse(text);
        assert_eq!(document.visible(&HashSet::new()), [0, 1, 2, 3, 4, 5]);
        assert_eq!(document.visible(&HashSet::from([1])), [0, 1, 4, 5]);
        assert_eq!(document.foldable(), HashSet::from([1]));
    }

    #[test]
    fn a_line_comes_apart_into_tokens() {
        let line = br#""a" : [ -1.5e3, true, "x" "#;
        let kinds: Vec<_> = tokens(line).into_iter().map(|(token, range)| (token, &line[range])).collect();
        assert_eq!(
            kinds,
            [
                (Token::Name, &b"\"a\""[..]),
                (Token::Mark, b":"),
                (Token::Mark, b"["),
                (Token::Number, b"-1.5e3"),
                (Token::Mark, b","),
                (Token::Word, b"true"),
                (Token::Mark, b","),
                (Token::Text, b"\"x\""),
            ]
        );
    }

    proptest! {
        #[test]
        fn any_bytes_are_laid_out(bytes in proptest::collection::vec(any::<u8>(), 0..200), text in r#"[\[\]{},:"\\ a1]{0,200}"#) {
            for bytes in [&bytes[..], text.as_bytes()] {
                let document = Document::parse(bytes);
                for line in &document.lines {
                    tokens(&bytes[line.range()]);
                }
                document.visible(&document.foldable());
            }
        }
    }
}
