//! The part of a function's code that is hashed for its schema hash.
//!
//! Different code must have different fingerprints. Formatting must not change them, or every run of rustfmt would
//! empty the cache.

use std::fmt::Write as _;

use proc_macro2::{Delimiter, TokenStream, TokenTree};
use sha2::{Digest as _, Sha256};

/// Hexadecimal digits of a SHA-256 of the tokens: without spaces, comments and trailing commas.
pub fn fingerprint(tokens: TokenStream) -> String {
    let mut canonical = String::new();
    write(&mut canonical, tokens);
    Sha256::digest(canonical).iter().fold(String::new(), |mut digits, byte| {
        // Writing to a String cannot fail.
        let _ = write!(digits, "{byte:02x}");
        digits
    })
}

fn write(out: &mut String, tokens: TokenStream) {
    let mut tokens = tokens.into_iter().peekable();
    while let Some(token) = tokens.next() {
        match token {
            TokenTree::Punct(mark) if mark.as_char() == '#' && tokens.peek().is_some_and(is_documentation) => {
                tokens.next();
                continue;
            }
            TokenTree::Punct(mark) if mark.as_char() == ',' && tokens.peek().is_none() => continue,
            // Without the spacing of punctuation: `= -1` and `=-1` are the same.
            TokenTree::Punct(mark) => out.push(mark.as_char()),
            TokenTree::Group(group) => {
                let (open, close) = match group.delimiter() {
                    Delimiter::Parenthesis => ("(", ")"),
                    Delimiter::Brace => ("{", "}"),
                    Delimiter::Bracket => ("[", "]"),
                    Delimiter::None => ("", ""),
                };
                out.push_str(open);
                write(out, group.stream());
                out.push_str(close);
            }
            TokenTree::Ident(name) => out.push_str(&name.to_string()),
            TokenTree::Literal(literal) => out.push_str(&literal.to_string()),
        }
        out.push(' ');
    }
}

/// `[doc = …]`, the tokens of a documentation comment.
fn is_documentation(token: &TokenTree) -> bool {
    let TokenTree::Group(group) = token else { return false };
    group.delimiter() == Delimiter::Bracket
        && matches!(group.stream().into_iter().next(), Some(TokenTree::Ident(name)) if name == "doc")
}

#[cfg(test)]
mod tests {
    use super::fingerprint;

    fn of(code: &str) -> String {
        fingerprint(code.parse().expect("tokens"))
    }

    #[test]
    fn layout_and_comments_do_not_count() {
        let plain = of("fn f(a: u32, b: &str) -> Option<u32> { let x = -1; g(a, b) }");
        let laid_out = of("fn f(
                a: u32, // first
                b: &str,
            ) -> Option<u32> {
                /// inside
                let x =-1;
                /* call */ g(
                    a,
                    b,
                )
            }");
        assert_eq!(plain, laid_out);
    }

    #[test]
    fn everything_else_counts() {
        let codes = [
            "fn f(a: u32) { g(a, 1) }",
            "fn f(a: u64) { g(a, 1) }",
            "fn f(a: u32) { g(a, 2) }",
            "fn f(a: u32) { g(a, \"1\") }",
            "fn f(a: u32) { g(a, \" 1\") }",
            "fn f(a: u32) { g(a); 1 }",
            "fn f(a: u32) { g(1, a) }",
            "fn f(a: u32) { g[a, 1] }",
        ];
        let mut all: Vec<_> = codes.into_iter().map(of).collect();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), codes.len());
    }
}
