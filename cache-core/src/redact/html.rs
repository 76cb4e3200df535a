//! Secrets in HTML and XML: `<input name="csrf_token" value="…">`, `<session>…</session>`, attributes.

use std::ops::Range;

use crate::redact::mask::Places;
use crate::redact::names;

/// Attributes whose value is the name of what the element holds.
const NAMING: [&str; 8] = ["name", "id", "key", "property", "itemprop", "http-equiv", "type", "autocomplete"];

/// Attributes that hold the value of an element.
const HOLDING: [&str; 3] = ["value", "content", "data-value"];

/// A start tag.
struct Tag<'a> {
    name: &'a str,
    attributes: Vec<(&'a str, Range<usize>)>,
    end: usize,
    is_closed: bool,
}

/// Adds the secret values of elements and attributes.
pub(crate) fn find(text: &str, places: &mut Places) {
    let mut from = 0;
    while let Some(open) = text[from..].find('<').map(|at| at + from) {
        from = open + 1;
        if !text.as_bytes().get(from).is_some_and(u8::is_ascii_alphabetic) {
            continue;
        }
        let tag = Tag::parse(text, from);
        // `<https://…>` is none.
        let after = &text[from + tag.name.len()..];
        if !after.is_empty()
            && !after.starts_with(|c: char| c == '>' || c.is_ascii_whitespace())
            && !after.starts_with("/>")
        {
            continue;
        }
        from = tag.end;
        if tag.find(text, places) {
            let local = tag.name.rsplit(':').next().unwrap_or(tag.name);
            // An element that names a secret holds it until it ends; one that is never closed, in the rest.
            let close = if names::is_secret(local) { format!("</{}", tag.name) } else { "</".to_owned() };
            let end = text[from..].find(&close).map_or(text.len(), |at| at + from);
            if !text[from..end].trim().is_empty() {
                places.add(from..end);
            }
            from = end;
        }
    }
}

impl<'a> Tag<'a> {
    /// The tag whose name begins here.
    fn parse(text: &'a str, start: usize) -> Self {
        let bytes = text.as_bytes();
        let run = |from: usize, ends: &[u8]| {
            let is_end = |byte: &u8| byte.is_ascii_whitespace() || ends.contains(byte);
            bytes[from..].iter().position(is_end).map_or(bytes.len(), |at| at + from)
        };
        let blanks = |from: usize| from + bytes[from..].iter().take_while(|byte| byte.is_ascii_whitespace()).count();
        let mut at = run(start, b"/><=\"'");
        let mut tag = Self { name: &text[start..at], attributes: Vec::new(), end: at, is_closed: false };
        loop {
            at = blanks(at);
            match bytes.get(at) {
                None | Some(b'<') => break,
                Some(b'>') => {
                    at += 1;
                    break;
                }
                Some(b'/') => {
                    tag.is_closed = true;
                    at += 1;
                    continue;
                }
                Some(_) => tag.is_closed = false,
            }
            let name_end = run(at, b"=/><").max(at + 1);
            let Some(name) = text.get(at..name_end) else { break };
            at = blanks(name_end);
            if bytes.get(at) != Some(&b'=') {
                continue;
            }
            let value = quoted(text, blanks(at + 1)).unwrap_or_else(|| blanks(at + 1)..run(blanks(at + 1), b">"));
            at = value.end;
            // The closing quotation mark.
            at += bytes[at..].iter().take_while(|byte| b"\\\"'".contains(byte)).count();
            tag.attributes.push((name, value));
        }
        tag.end = at.min(text.len());
        tag
    }

    /// Adds its attributes; returns whether its content is a secret, too.
    fn find(&self, text: &str, places: &mut Places) -> bool {
        let value = |range: &Range<usize>| text.get(range.clone()).unwrap_or_default();
        let is = |names: &[&str], name: &str| names.iter().any(|known| name.eq_ignore_ascii_case(known));
        let naming = || self.attributes.iter().filter(|(name, _)| is(&NAMING, name)).map(|(_, at)| value(at));
        let is_named = naming().any(names::is_secret);
        for (name, at) in &self.attributes {
            let is_holding = is(&HOLDING, name) || name.starts_with("data-");
            if is_named && is_holding || !is(&NAMING, name) && names::is_secret(name) {
                places.add(at.clone());
            }
        }
        let local = self.name.rsplit(':').next().unwrap_or(self.name);
        // `code` is an element of HTML.
        let is_element = names::is_secret(local) && !local.eq_ignore_ascii_case("code");
        let is_void = ["input", "meta", "link", "img", "form", "html", "body", "head"].contains(&self.name);
        !self.is_closed && (is_element || !is_void && naming().any(names::is_certain))
    }
}

/// The content of the quoted text that begins here; its marks may have backslashes, within a string of JSON.
fn quoted(text: &str, start: usize) -> Option<Range<usize>> {
    let bytes = text.as_bytes();
    let backslashes = bytes[start..].iter().take_while(|byte| **byte == b'\\').count();
    let quote = start + backslashes;
    let mark = text.get(start..=quote).filter(|mark| mark.ends_with(['"', '\'']))?;
    let end = text[quote + 1..].find(mark).map(|at| at + quote + 1);
    // A mark that is never closed: the tag ends where it seems to.
    let end = end.or_else(|| text[quote..].find('>').map(|at| at + quote)).unwrap_or(text.len());
    Some(quote + 1..end.max(quote + 1))
}
