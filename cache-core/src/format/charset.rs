//! The text of a body, by the charset that the response names.

use std::borrow::Cow;

use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE};

/// The part of a document in which it may name its charset (HTML, 4.2.5.5).
const PRESCAN: usize = 1024;

/// The text of a decoded body: by its byte order mark, which is left out, else by the charset in the `Content-Type` or
/// in the document, else as UTF-8 or what looks like UTF-16. `None`: it is no text in that charset.
pub fn body_text<'a>(body: &'a [u8], content_type: Option<&str>) -> Option<Cow<'a, str>> {
    if let Some((encoding, length)) = Encoding::for_bom(body) {
        return encoding.decode_without_bom_handling_and_without_replacement(&body[length..]);
    }
    let named = content_type.and_then(|kind| label(kind.as_bytes()));
    if named.is_none()
        && let Ok(text) = std::str::from_utf8(body)
        && utf_16(body).is_none()
    {
        return Some(text.into());
    }
    let is_html = || body.trim_ascii_start().starts_with(b"<");
    let document = || is_html().then(|| label(&body[..body.len().min(PRESCAN)])).flatten();
    let encoding = named.or_else(|| utf_16(body)).or_else(document).unwrap_or(UTF_8);
    let text = encoding.decode_without_bom_handling_and_without_replacement(body)?;
    // A single-byte charset takes any bytes for text.
    (encoding == UTF_8 || !text.contains('\0')).then_some(text)
}

/// The text of the beginning of a body, as [`body_text`]; what is cut or invalid is replaced.
pub(crate) fn start_text<'a>(start: &'a [u8], content_type: Option<&str>) -> Cow<'a, str> {
    let named = content_type.and_then(|kind| label(kind.as_bytes()));
    named.or_else(|| utf_16(start)).unwrap_or(UTF_8).decode(start).0
}

/// The charset that follows `charset=`.
fn label(text: &[u8]) -> Option<&'static Encoding> {
    const NAME: &[u8] = b"charset=";
    let at = text.windows(NAME.len()).position(|window| window.eq_ignore_ascii_case(NAME))?;
    let value = text[at + NAME.len()..].trim_ascii_start();
    let value = value.strip_prefix(b"\"").or_else(|| value.strip_prefix(b"'")).unwrap_or(value);
    let length = value.iter().take_while(|byte| byte.is_ascii_alphanumeric() || b"-_:.".contains(byte)).count();
    Encoding::for_label(&value[..length])
}

/// The byte order in which a body without a mark is UTF-16: its first characters are ASCII.
fn utf_16(body: &[u8]) -> Option<&'static Encoding> {
    let start = &body[..body.len().min(8)];
    let is = |zero: usize| start.chunks(2).all(|pair| pair.len() == 2 && pair[zero] == 0 && pair[1 - zero] != 0);
    match body.len() {
        0..4 => None,
        _ if is(0) => Some(UTF_16BE),
        _ if is(1) => Some(UTF_16LE),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_are_decoded_by_the_charset_that_they_name() {
        let utf_16: Vec<u8> = "{\"a\":1}".encode_utf16().flat_map(u16::to_le_bytes).collect();
        for (body, content_type, text) in [
            (&b"plain"[..], None, "plain"),
            ("é ワ".as_bytes(), None, "é ワ"),
            (b"\xef\xbb\xbf{}", None, "{}"),
            (b"\xff\xfea\0", None, "a"),
            (&utf_16, None, "{\"a\":1}"),
            (&utf_16, Some("application/json; charset=utf-16"), "{\"a\":1}"),
            (b"\x83\x8f", Some("text/html; charset=Shift_JIS"), "ワ"),
            (b"\xe9", Some("text/plain;charset=\"ISO-8859-1\""), "é"),
            (b"<html><meta charset=\"euc-jp\">\xa5\xef", None, "<html><meta charset=\"euc-jp\">ワ"),
            ("é".as_bytes(), Some("text/html; charset=unknown"), "é"),
        ] {
            assert_eq!(body_text(body, content_type).as_deref(), Some(text), "{text}");
        }
    }

    #[test]
    fn bytes_that_are_no_text_in_their_charset_are_none() {
        for (body, content_type) in [
            (&b"\xff\xff"[..], None),
            (b"\xff", Some("text/plain; charset=utf-8")),
            (b"\x89PNG\0\xff", Some("image/png; charset=iso-8859-1")),
            (b"\x83", Some("text/html; charset=Shift_JIS")),
        ] {
            assert_eq!(body_text(body, content_type), None);
        }
    }
}
