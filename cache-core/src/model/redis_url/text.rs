//! Reading the text of a URL as Python does.

use std::borrow::Cow;
use std::str::FromStr;

use percent_encoding::percent_decode_str;

/// Both sides of the first `at`; `None`: there is none.
pub(crate) fn split(text: &str, at: char) -> (&str, Option<&str>) {
    text.split_once(at).map_or((text, None), |(before, after)| (before, Some(after)))
}

/// Digits alone: Rust also reads a sign, and Python also reads underscores and spaces.
pub(crate) fn number<T: FromStr>(text: &str) -> Option<T> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}

/// Undoes percent-encoding; a `%` that begins no escape stays, as in Python. `None`: the result is not UTF-8.
pub(crate) fn decode(text: &str) -> Option<String> {
    percent_decode_str(text).decode_utf8().ok().map(Cow::into_owned)
}
