//! Whether credentials are shown, and the only maker of [`Redacted`] text.

use std::borrow::Cow;

use crate::redact::redacted::Redacted;
use crate::redact::{body, header, key, text, url};

/// What happens to credentials in shown text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Secrets {
    /// They are replaced by [`MASK`](super::MASK).
    #[default]
    Masked,
    /// They are shown, because the user asked for it.
    Revealed,
}

impl Secrets {
    /// `Revealed` if the user asked for it.
    pub fn revealed_if(reveal: bool) -> Self {
        if reveal { Self::Revealed } else { Self::Masked }
    }

    fn apply<'a>(self, given: &'a str, mask: impl FnOnce(&'a str) -> Cow<'a, str>) -> Redacted<'a> {
        Redacted::new(match self {
            Self::Masked => mask(given),
            Self::Revealed => given.into(),
        })
    }

    /// A URL, or a reference to one.
    pub fn url(self, url: &str) -> Redacted<'_> {
        self.apply(url, |url| url::url(url, text::field))
    }

    /// A Redis key, the cache key of a response, or the arguments in the key of a result.
    pub fn key(self, key: &str) -> Redacted<'_> {
        self.apply(key, key::key)
    }

    /// A key; bytes that are not UTF-8 become `\xNN`.
    pub fn key_bytes(self, key: &[u8]) -> Redacted<'_> {
        match escaped(key) {
            Cow::Borrowed(text) => self.key(text),
            Cow::Owned(text) => self.key(&text).into_owned(),
        }
    }

    /// The value of a header field.
    pub fn header<'a>(self, name: &str, value: &'a str) -> Redacted<'a> {
        self.apply(value, |value| header::header(name, value))
    }

    /// Any other text: a title, a content type, a message, text of a body.
    pub fn text(self, text: &str) -> Redacted<'_> {
        self.apply(text, text::text)
    }

    /// A body. One that is not UTF-8 is searched for names and values in ASCII.
    pub fn body(self, body: &[u8]) -> Cow<'_, [u8]> {
        match self {
            Self::Masked => body::body(body),
            Self::Revealed => body.into(),
        }
    }
}

/// The bytes as text, those that are not UTF-8 as `\xNN`.
fn escaped(bytes: &[u8]) -> Cow<'_, str> {
    use std::fmt::Write as _;

    if let Ok(text) = std::str::from_utf8(bytes) {
        return text.into();
    }
    let mut out = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        out.push_str(chunk.valid());
        for byte in chunk.invalid() {
            // Writing to a String cannot fail.
            let _ = write!(out, "\\x{byte:02x}");
        }
    }
    out.into()
}
