//! JSON for scripts, one object a line, without characters that affect a terminal.

use std::fmt::Write as _;
use std::io;

use base64::Engine as _;
use serde::de::IgnoredAny;
use serde::ser::{Serialize, SerializeMap as _, Serializer};
use serde_json::ser::Formatter;

use crate::output::safe;

/// Appends a value and a line break to the buffer.
pub fn line(out: &mut Vec<u8>, value: &impl Serialize) -> serde_json::Result<()> {
    value.serialize(&mut serde_json::Serializer::with_formatter(&mut *out, Visible))?;
    out.push(b'\n');
    Ok(())
}

/// Bytes as a string, or as `{"base64": …}` if they are not UTF-8.
pub struct Text<'a>(pub &'a [u8]);

impl Serialize for Text<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if let Ok(text) = std::str::from_utf8(self.0) {
            return serializer.serialize_str(text);
        }
        let mut map = serializer.serialize_map(Some(1))?;
        map.serialize_entry("base64", &base64::engine::general_purpose::STANDARD.encode(self.0))?;
        map.end()
    }
}

/// Deeper JSON is written as a string: few parsers read it.
const MAX_DEPTH: usize = 100;

/// Deeper lines are not indented any more.
const MAX_INDENT: usize = 64;

/// JSON in one line without characters that affect a terminal, its numbers, names and their order as they are. `None`:
/// it is no JSON, or nested too deep.
pub fn compact(text: &str) -> Option<String> {
    let mut out = String::with_capacity(text.len());
    let mut depth = 0;
    for token in tokens(text)? {
        match token {
            "{" | "[" => depth += 1,
            "}" | "]" => depth -= 1,
            _ => {}
        }
        if depth > MAX_DEPTH {
            return None;
        }
        for c in token.chars() {
            if safe::is_harmless(c) {
                out.push(c);
            } else {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    let _ = write!(out, "\\u{unit:04x}");
                }
            }
        }
    }
    Some(out)
}

/// JSON with a line for each member, its numbers, names and their order as they are; texts without needless escapes.
/// `None`: it is no JSON.
pub fn indented(text: &str) -> Option<String> {
    let tokens = tokens(text)?;
    let mut out = String::with_capacity(text.len() * 2);
    let mut depth = 0_usize;
    let line = |out: &mut String, depth: usize| {
        out.push('\n');
        out.extend(std::iter::repeat_n("  ", depth.min(MAX_INDENT)));
    };
    for (at, token) in tokens.iter().enumerate() {
        let (before, after) = (at.checked_sub(1).map(|at| tokens[at]), tokens.get(at + 1));
        match *token {
            "{" | "[" => {
                out.push_str(token);
                depth += 1;
                if !matches!(after, Some(&("}" | "]"))) {
                    line(&mut out, depth);
                }
            }
            "}" | "]" => {
                depth -= 1;
                if !matches!(before, Some("{" | "[")) {
                    line(&mut out, depth);
                }
                out.push_str(token);
            }
            "," => {
                out.push(',');
                line(&mut out, depth);
            }
            ":" => out.push_str(": "),
            text if text.starts_with('"') => {
                let decoded = serde_json::from_str::<String>(text).and_then(|text| serde_json::to_string(&text));
                out.push_str(decoded.as_deref().unwrap_or(text));
            }
            other => out.push_str(other),
        }
    }
    Some(out)
}

/// The tokens of valid JSON, without blanks.
fn tokens(text: &str) -> Option<Vec<&str>> {
    serde_json::from_str::<IgnoredAny>(text).ok()?;
    let bytes = text.as_bytes();
    let mut tokens = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let start = at;
        at += 1;
        match bytes[start] {
            b'"' => {
                while bytes[at] != b'"' {
                    at += if bytes[at] == b'\\' { 2 } else { 1 };
                }
                at += 1;
            }
            byte if byte.is_ascii_whitespace() => continue,
            b'{' | b'}' | b'[' | b']' | b',' | b':' => {}
            _ => {
                let is_part = |byte: &u8| !byte.is_ascii_whitespace() && !b"{}[],:".contains(byte);
                at += bytes[at..].iter().take_while(|byte| is_part(byte)).count();
            }
        }
        tokens.push(&text[start..at]);
    }
    Some(tokens)
}

/// Compact JSON in which characters that affect a terminal are escaped. `serde_json` escapes only what JSON requires,
/// and neither C1 controls nor bidirectional overrides.
struct Visible;

impl Formatter for Visible {
    fn write_string_fragment<W: ?Sized + io::Write>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        // Most text is plain: many bytes are checked at once.
        if fragment.is_ascii() && !fragment.as_bytes().contains(&0x7f) {
            return writer.write_all(fragment.as_bytes());
        }
        let mut written = 0;
        for (at, c) in fragment.char_indices().filter(|(_, c)| !safe::is_harmless(*c)) {
            writer.write_all(&fragment.as_bytes()[written..at])?;
            for unit in c.encode_utf16(&mut [0; 2]) {
                write!(writer, "\\u{unit:04x}")?;
            }
            written = at + c.len_utf8();
        }
        writer.write_all(&fragment.as_bytes()[written..])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_reads_back_and_holds_no_control_character() {
        let text = "a\x1b[31m\u{9b}\u{202e}\u{e0001}\x7fワ\"\\\n";
        let mut out = Vec::new();
        line(&mut out, &text).unwrap();
        let json = String::from_utf8(out).unwrap();
        assert_eq!(serde_json::from_str::<String>(&json).unwrap(), text);
        assert!(json.trim_end().chars().all(safe::is_harmless), "{json:?}");
    }

    #[test]
    fn bytes_that_are_no_text_are_base64() {
        let mut out = Vec::new();
        line(&mut out, &[Text(b"k"), Text(b"\xff")]).unwrap();
        assert_eq!(out, b"[\"k\",{\"base64\":\"/w==\"}]\n");
    }
}
