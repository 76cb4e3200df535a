//! The values of header fields.

use std::borrow::Cow;

use crate::redact::mask::MASK;
use crate::redact::value::is_credential;
use crate::redact::{names, text};

/// The value of a header field with its credentials masked.
pub(crate) fn header<'a>(name: &str, value: &'a str) -> Cow<'a, str> {
    if value.is_empty() {
        return value.into();
    }
    if names::is_plain_field(name) {
        return text::field(value);
    }
    if names::is_secret(name) || is_credential(value) { MASK.into() } else { text::field(value) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn header_fields_are_masked_by_name_or_look() {
        for (name, value, shown) in [
            ("set-cookie", "a=1", "***"),
            ("x-anything", "82fce6a05e45281a9b1c2d3e4f5a6b7c", "***"),
            ("x-anything", "Bearer x", "***"),
            ("x-anything", "plain", "plain"),
            ("etag", "\"82fce6a05e45281a9b1c2d3e4f5a6b7c\"", "\"82fce6a05e45281a9b1c2d3e4f5a6b7c\""),
            ("www-authenticate", "Basic realm=\"x\"", "Basic realm=\"x\""),
            ("content-type", "text/html; charset=utf-8", "text/html; charset=utf-8"),
            ("location", "/next?token=abc", "/next?token=***"),
            (
                "link",
                "<https://h/a?token=abc&p=2>; rel=\"next\", <b>",
                "<https://h/a?token=***&p=2>; rel=\"next\", <b>",
            ),
            ("warning", "see https://u:p@h/x?a=1 me@h", "see https://***@h/x?a=1 me@h"),
            ("location", "//u:p@h/x", "//***@h/x"),
            ("refresh", "0; url=https://h/x;jsessionid=A1?a=1", "0; url=https://h/x;jsessionid=***?a=1"),
        ] {
            assert_eq!(header(name, value), shown, "{name}: {value}");
        }
    }
}
