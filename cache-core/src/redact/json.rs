//! Members with secret names in text that need not be valid JSON: cut off, nested deep, several documents, the output
//! of Python, JSON within the strings of JSON.

use std::borrow::Cow;
use std::ops::Range;

use crate::redact::mask::{MASK, MaskText, Places};
use crate::redact::names;

/// The longest name that is looked for, escapes included.
const MAX_NAME: usize = 256;

/// How far the value of `{"name": …, "value": …}` may be from the name.
const MAX_DISTANCE: usize = 512;

/// How strings are quoted: within the strings of JSON, quotes have backslashes.
#[derive(Clone, Copy)]
struct Quoting {
    quote: u8,
    backslashes: usize,
}

impl Quoting {
    /// The quotation mark at a position, with the backslashes that end there.
    fn ending_at(text: &[u8], at: usize) -> Option<Self> {
        let quote = *text.get(at).filter(|byte| matches!(byte, b'"' | b'\''))?;
        Some(Self { quote, backslashes: backslashes_before(text, at) })
    }

    /// The string that begins at a position, and where it ends.
    fn string_at(text: &[u8], start: usize) -> Option<(Self, Range<usize>)> {
        let prefix = text[start..].iter().take(2).take_while(|byte| b"bruBRU".contains(byte)).count();
        let quote = start + prefix + text[start + prefix..].iter().take_while(|byte| **byte == b'\\').count();
        let quoting = Self::ending_at(text, quote)?;
        Some((quoting, quote + 1..quoting.end(text, quote + 1)))
    }

    /// The end of the string whose content begins at `from`: its closing mark, that of an outer string, or the end.
    fn end(self, text: &[u8], from: usize) -> usize {
        let mut at = from;
        while at < text.len() {
            if text[at] == self.quote {
                let before = backslashes_before(&text[from..], at - from);
                let escaped = before.saturating_sub(self.backslashes);
                if before <= self.backslashes || escaped.is_multiple_of(2 * (self.backslashes + 1)) {
                    return at - before.min(self.backslashes);
                }
            }
            at += 1;
        }
        text.len()
    }

    /// The mask as a string.
    fn mask(self) -> Cow<'static, str> {
        let quote = format!("{}{}", "\\".repeat(self.backslashes), char::from(self.quote));
        format!("{quote}{MASK}{quote}").into()
    }
}

/// Adds the values of members with secret names, whatever their type.
pub(crate) fn find_members(text: &str, places: &mut Places) {
    let bytes = text.as_bytes();
    let mut from = 0;
    let mut paired_until = 0;
    while let Some(colon) = text[from..].find(':').map(|at| at + from) {
        from = colon + 1;
        let Some((quoting, name)) = name_before(bytes, colon) else { continue };
        let Some(name) = text.get(name) else { continue };
        let name = unescaped(name);
        let start = skip_blanks(bytes, colon + 1);
        let is_paired = colon < paired_until && matches!(&*name.to_ascii_lowercase(), "value" | "values" | "content");
        if is_paired || names::is_secret(&name) {
            from = from.max(mask_value(text, start, quoting, places));
        }
        if matches!(&*name.to_ascii_lowercase(), "name" | "key" | "header" | "field" | "id")
            && let Some((_, value)) = Quoting::string_at(bytes, start)
            && value.len() < MAX_NAME
            && text.get(value.clone()).is_some_and(|value| names::is_certain(&unescaped(value)))
        {
            paired_until = value.end + MAX_DISTANCE;
        }
    }
}

/// Adds the values of fields without quotation marks: `token: "…"` anywhere, and `Authorization: …` as a line.
pub(crate) fn find_fields(text: &str, places: &mut Places) {
    let bytes = text.as_bytes();
    let mut from = 0;
    while let Some(colon) = text[from..].find(':').map(|at| at + from) {
        from = colon + 1;
        let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_".contains(byte);
        let length = bytes[..colon].iter().rev().take(MAX_NAME).take_while(|byte| is_part(byte)).count();
        let name = &text[colon - length..colon];
        if name.is_empty() || !names::is_secret(name) {
            continue;
        }
        let start = skip_blanks(bytes, colon + 1);
        if let Some((_, content)) = Quoting::string_at(bytes, start) {
            places.add(content.clone());
            from = content.end;
            continue;
        }
        let line = text[..colon - length].rfind('\n').map_or(0, |at| at + 1);
        let is_start = colon - length - line < MAX_NAME
            && bytes[line..colon - length].iter().all(|byte| b" \t\r-*<>#".contains(byte));
        let end = text[colon..].find('\n').map_or(text.len(), |at| at + colon);
        if is_start && names::is_certain(name) && start < end && bytes[colon + 1] != b':' {
            places.add(start..text[..end].trim_end().len().max(start));
            from = end;
        }
    }
}

/// Adds strings in whose escapes a secret hides: `"a\u0026key=…"`, `"https:\/\/u:p@h"`.
pub(crate) fn find_escaped(text: &str, field: MaskText, places: &mut Places) {
    let bytes = text.as_bytes();
    let mut from = 0;
    while let Some(escape) = ["\\u00", "\\/"].iter().filter_map(|escape| text[from..].find(escape)).min() {
        let escape = from + escape;
        let start = text[from..escape].rfind('"').map_or(from, |at| at + from + 1);
        let quoting = Quoting { quote: b'"', backslashes: 0 };
        let end = quoting.end(bytes, escape);
        from = (end + 1).min(text.len());
        while !text.is_char_boundary(from) {
            from += 1;
        }
        // A string that is cut off may end within an escape.
        let whole = &text[start..end];
        let cut = whole.rfind('\\').map_or(whole, |at| &whole[..at]);
        let decoded = [whole, cut].iter().find_map(|text| serde_json::from_str::<String>(&format!("\"{text}\"")).ok());
        if let Some(decoded) = decoded
            && let Cow::Owned(masked) = field(&decoded)
            && let Ok(masked) = serde_json::to_string(&masked)
        {
            places.replace(start..end, masked[1..masked.len() - 1].to_owned().into());
        }
    }
}

/// Adds the value at `start`; returns where it ends.
fn mask_value(text: &str, start: usize, quoting: Quoting, places: &mut Places) -> usize {
    let bytes = text.as_bytes();
    if let Some((_, content)) = Quoting::string_at(bytes, start) {
        places.add(content.clone());
        return content.end;
    }
    if matches!(bytes.get(start), Some(b'{' | b'[' | b'(')) {
        let end = end_of_brackets(bytes, start, quoting);
        let is_empty = bytes[start + 1..end].iter().all(|byte| byte.is_ascii_whitespace() || b"}])".contains(byte));
        if !is_empty {
            places.replace(start..end, quoting.mask());
        }
        return end;
    }
    let is_end = |byte: &u8| byte.is_ascii_whitespace() || b",}])\"'\\;&<".contains(byte);
    let end = bytes[start..].iter().position(is_end).map_or(bytes.len(), |at| at + start);
    if !matches!(&bytes[start..end], b"null" | b"true" | b"false" | b"None" | b"True" | b"False") {
        places.replace(start..end, quoting.mask());
    }
    end
}

/// The name before the colon of a member.
fn name_before(text: &[u8], colon: usize) -> Option<(Quoting, Range<usize>)> {
    let blanks = text[..colon].iter().rev().take(MAX_NAME).take_while(|byte| byte.is_ascii_whitespace()).count();
    let close = (colon - blanks).checked_sub(1)?;
    let quoting = Quoting::ending_at(text, close)?;
    let end = close - quoting.backslashes;
    let earliest = end.saturating_sub(MAX_NAME);
    let is_open = |at: &usize| text[*at] == quoting.quote && backslashes_before(text, *at) == quoting.backslashes;
    let open = (earliest..end).rev().find(is_open)?;
    Some((quoting, open + 1..end))
}

/// The end of the object, array or tuple that begins here.
fn end_of_brackets(text: &[u8], start: usize, quoting: Quoting) -> usize {
    let mut depth = 0_usize;
    let mut at = start;
    while at < text.len() {
        match text[at] {
            b'{' | b'[' | b'(' => depth += 1,
            b'}' | b']' | b')' => depth -= 1,
            byte if byte == quoting.quote => at = quoting.end(text, at + 1) + quoting.backslashes,
            _ => {}
        }
        at += 1;
        if depth == 0 {
            break;
        }
    }
    at.min(text.len())
}

fn skip_blanks(text: &[u8], from: usize) -> usize {
    from + text[from..].iter().take_while(|byte| byte.is_ascii_whitespace()).count()
}

fn backslashes_before(text: &[u8], at: usize) -> usize {
    text[..at].iter().rev().take_while(|byte| **byte == b'\\').count()
}

fn unescaped(name: &str) -> Cow<'_, str> {
    let decoded = name.contains('\\').then(|| serde_json::from_str::<String>(&format!("\"{name}\"")).ok()).flatten();
    decoded.map_or(name.into(), Into::into)
}
