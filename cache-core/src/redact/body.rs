//! Bodies, which may be text of any kind or none.

use std::borrow::Cow;

use crate::redact::text;

/// The body with its credentials masked. Names and the mask are ASCII, so bytes that are not UTF-8 are kept.
pub(crate) fn body(body: &[u8]) -> Cow<'_, [u8]> {
    if let Ok(text) = std::str::from_utf8(body) {
        return match text::text(text) {
            Cow::Borrowed(_) => body.into(),
            Cow::Owned(masked) => masked.into_bytes().into(),
        };
    }
    // One character a byte, and back.
    let text: String = body.iter().copied().map(char::from).collect();
    match text::text(&text) {
        Cow::Borrowed(_) => body.into(),
        Cow::Owned(masked) => masked.chars().map(|c| u8::try_from(c).unwrap_or(b'?')).collect::<Vec<_>>().into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_that_are_no_text_are_searched_too() {
        assert_eq!(&*body(b"\xff\x00{\"token\":\"S3CRET\"}\xfe"), b"\xff\x00{\"token\":\"***\"}\xfe");
        assert_eq!(&*body(b"\xef\xbb\xbf{\"token\":1}"), b"\xef\xbb\xbf{\"token\":\"***\"}");
        assert!(matches!(body(b"\x89PNG\0"), Cow::Borrowed(_)));
    }
}
