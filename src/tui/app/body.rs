//! A body, prepared for display as JSON, text or hex. Runs outside the event loop, because a body may be large.

use std::borrow::Cow;
use std::ops::Range;

use cache_core::redact::Secrets;
use cache_core::{body_text, decode_body};

use crate::tui::app::json::Document;

/// The largest stored body that is read for the inspector, in bytes.
pub const PREVIEW: usize = 4 << 20;

/// The largest decoded body that is shown, in bytes.
const DECODED: usize = 16 << 20;

/// The view of a body.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BodyView {
    /// A tree.
    #[default]
    Json,
    /// Lines.
    Text,
    /// Bytes.
    Hex,
}

impl BodyView {
    /// The name on the screen.
    pub fn name(self) -> &'static str {
        match self {
            Self::Json => "JSON",
            Self::Text => "text",
            Self::Hex => "hex",
        }
    }
}

/// A body. Credentials in it are masked once, for all views.
#[derive(Clone, Debug, Default)]
pub struct Body {
    masked: Content,
    /// `None`: nothing is masked.
    revealed: Option<Content>,
    /// The body is longer than what is shown.
    pub is_cut: bool,
    /// The stored body has a content coding.
    pub was_encoded: bool,
}

/// The bytes that are shown, laid out.
#[derive(Clone, Debug, Default)]
pub struct Content {
    /// The decoded bytes: text as UTF-8.
    pub bytes: Vec<u8>,
    json: Option<Document>,
    lines: Vec<Range<usize>>,
}

impl Body {
    /// Prepares the first bytes of a stored body; `stored` is the size of the whole body.
    pub fn new(raw: &[u8], stored: u64, content_encoding: Option<&str>, content_type: Option<&str>) -> Self {
        let decoded = decode_body(raw, content_encoding);
        let was_encoded = *decoded != *raw;
        let is_cut = (raw.len() as u64) < stored || decoded.len() > DECODED;
        let bytes = &decoded[..decoded.len().min(DECODED)];
        let text = body_text(bytes, content_type);
        let bytes = text.as_ref().map_or(bytes, |text| text.as_bytes());
        let (masked, revealed) = match Secrets::Masked.body(bytes) {
            Cow::Borrowed(_) => (bytes.to_vec(), None),
            Cow::Owned(masked) => (masked, Some(Content::new(bytes.to_vec(), is_cut))),
        };
        Self { masked: Content::new(masked, is_cut), revealed, is_cut, was_encoded }
    }

    /// What is shown.
    pub fn content(&self, secrets: Secrets) -> &Content {
        match (secrets, &self.revealed) {
            (Secrets::Revealed, Some(revealed)) => revealed,
            _ => &self.masked,
        }
    }
}

impl Content {
    fn new(bytes: Vec<u8>, is_cut: bool) -> Self {
        let first = bytes.iter().find(|b| !b.is_ascii_whitespace());
        let looks_like_json = matches!(first, Some(b'{' | b'['))
            && (is_cut || serde_json::from_slice::<serde::de::IgnoredAny>(&bytes).is_ok());
        let json = looks_like_json.then(|| Document::parse(&bytes));
        Self { lines: lines(&bytes), json, bytes }
    }

    /// The document, if it is JSON.
    pub fn json(&self) -> Option<&Document> {
        self.json.as_ref()
    }

    /// The ranges of its lines of text.
    pub fn lines(&self) -> &[Range<usize>] {
        &self.lines
    }

    /// The default view.
    pub fn natural_view(&self) -> BodyView {
        if self.json.is_some() {
            BodyView::Json
        } else if std::str::from_utf8(&self.bytes).is_ok_and(|text| !text.contains('\0')) {
            BodyView::Text
        } else {
            BodyView::Hex
        }
    }

    /// The view after this one.
    pub fn next_view(&self, view: BodyView) -> BodyView {
        match view {
            BodyView::Text => BodyView::Hex,
            BodyView::Hex if self.json.is_some() => BodyView::Json,
            BodyView::Json | BodyView::Hex => BodyView::Text,
        }
    }
}

fn lines(bytes: &[u8]) -> Vec<Range<usize>> {
    let mut lines = Vec::new();
    let mut start = 0;
    for line in bytes.split(|b| *b == b'\n') {
        lines.push(start..start + line.len());
        start += line.len() + 1;
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn content(bytes: &[u8], stored: u64) -> Content {
        Body::new(bytes, stored, None, None).content(Secrets::Masked).clone()
    }

    #[test]
    fn each_kind_of_body_has_its_natural_view() {
        let view = |bytes: &[u8]| content(bytes, bytes.len() as u64).natural_view();
        assert_eq!(view(b" {\"a\": 1}"), BodyView::Json);
        assert_eq!(view(b"\xef\xbb\xbf{\"a\": 1}"), BodyView::Json);
        assert_eq!(view(b"{ no json"), BodyView::Text);
        assert_eq!(view(b"<anime id=\"23\"/>"), BodyView::Text);
        assert_eq!(view(b"\x89PNG\0"), BodyView::Hex);
        assert_eq!(content(b"[1, 2", 100).natural_view(), BodyView::Json);
        let japanese = Body::new(b"\x83\x8f", 2, None, Some("text/html; charset=Shift_JIS"));
        assert_eq!(japanese.content(Secrets::Masked).bytes, "ワ".as_bytes());
    }

    #[test]
    fn every_view_comes_round() {
        let json = content(b"[]", 2);
        assert_eq!(json.next_view(json.next_view(json.next_view(BodyView::Json))), BodyView::Json);
        let text = content(b"x\ny", 3);
        assert_eq!(text.next_view(text.next_view(BodyView::Text)), BodyView::Text);
        assert_eq!(text.lines(), [0..1, 2..3]);
    }

    #[test]
    fn credentials_are_masked_once_for_all_views() {
        for body in [&b"{\"token\":\"S3CRET\"}"[..], b"token=S3CRET", b"\xfftoken=S3CRET"] {
            let body = Body::new(body, body.len() as u64, None, None);
            let holds = |secrets| body.content(secrets).bytes.windows(6).any(|part| part == b"S3CRET");
            assert!(!holds(Secrets::Masked) && holds(Secrets::Revealed));
        }
    }
}
