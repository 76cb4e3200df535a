//! `json.loads` of Python: JSON, with `NaN`, `Infinity` and `-Infinity`, which Python writes for numbers that JSON lacks.

use serde::Serialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::Value;

use crate::format::python::json::{JsonStyle, dumps};

/// The longest one first.
const WORDS: [&[u8]; 3] = [b"-Infinity", b"Infinity", b"NaN"];

/// The outcome of reading a text.
#[derive(Debug, PartialEq)]
pub(crate) enum Loaded<T> {
    Value(T),
    /// Python can read it, but the type cannot hold it.
    OtherType,
    /// Not JSON.
    Invalid,
}

/// Reads a text that Python wrote. A number that the type would change is of another type.
pub(crate) fn loads<T: Serialize + DeserializeOwned>(text: &[u8]) -> Loaded<T> {
    if let Ok(value) = serde_json::from_slice(text) {
        return if has_exact_integers(text) { Loaded::Value(value) } else { Loaded::OtherType };
    }
    let (standard, words) = without_words(text);
    match std::str::from_utf8(text) {
        Ok(text) if serde_json::from_slice::<IgnoredAny>(&standard).is_ok() => {
            with_words(text, &standard, words).map_or(Loaded::OtherType, Loaded::Value)
        }
        _ => Loaded::Invalid,
    }
}

/// Reads a text with some of the words. `standard`: the same text without them.
fn with_words<T: Serialize + DeserializeOwned>(text: &str, standard: &[u8], words: usize) -> Option<T> {
    // The parser of the words has no limit of depth.
    let is_flat = words > 0 && serde_json::from_slice::<Value>(standard).is_ok();
    let value: T = is_flat.then(|| json5::from_str(text).ok()).flatten()?;
    // Some types, such as `Value`, replace the numbers by `null`.
    let written = dumps(&value, JsonStyle { ascii: false, compact: false, sorted: false }).ok()?.0;
    (without_words(written.as_bytes()).1 == words && has_exact_integers(text.as_bytes())).then_some(value)
}

/// The text with an empty list in place of each word, and the number of words.
fn without_words(text: &[u8]) -> (Vec<u8>, usize) {
    let (mut standard, outside) = (text.to_vec(), outside_strings(text));
    let (mut at, mut words) = (0, 0);
    while let Some(rest) = outside.get(at..).filter(|rest| !rest.is_empty()) {
        let Some(word) = WORDS.iter().find(|word| rest.starts_with(word)) else {
            at += 1;
            continue;
        };
        // Unlike a number, a list cannot join the text beside it.
        standard[at..at + word.len()].fill(b' ');
        standard[at..at + 2].copy_from_slice(b"[]");
        at += word.len();
        words += 1;
    }
    (standard, words)
}

/// Whether every integer fits into 64 bits. Python writes any; others would be rounded.
fn has_exact_integers(text: &[u8]) -> bool {
    let is_part = |byte: &u8| byte.is_ascii_digit() || matches!(byte, b'-' | b'+' | b'.' | b'e' | b'E');
    outside_strings(text).split(|byte| !is_part(byte)).all(|token| {
        let Ok(token) = std::str::from_utf8(token) else { return false };
        let is_integer = token.trim_start_matches('-').bytes().all(|byte| byte.is_ascii_digit());
        token.len() < 19 || !is_integer || token.parse::<i64>().is_ok() || token.parse::<u64>().is_ok()
    })
}

/// The text with spaces in place of its strings.
fn outside_strings(text: &[u8]) -> Vec<u8> {
    let (mut is_string, mut is_escaped) = (false, false);
    let mut outside = Vec::with_capacity(text.len());
    for byte in text {
        let was_string = is_string;
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' if is_string => is_escaped = true,
            b'"' => is_string = !is_string,
            _ => {}
        }
        outside.push(if was_string || is_string { b' ' } else { *byte });
    }
    outside
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use rstest::rstest;

    use super::*;

    type Scores = BTreeMap<u32, Option<f64>>;

    #[test]
    fn words_of_python_are_numbers() {
        let text = br#"{"1": NaN, "2": -Infinity, "3": Infinity, "4": 1e22, "5": null, "6": 3}"#;
        let Loaded::Value(scores) = loads::<Scores>(text) else { panic!("not read") };
        assert!(scores[&1].unwrap().is_nan());
        let rest = [f64::NEG_INFINITY, f64::INFINITY, 1e22];
        assert_eq!([2, 3, 4].map(|key| scores[&key].unwrap().to_bits()), rest.map(f64::to_bits));
        assert_eq!((scores[&5], scores[&6]), (None, Some(3.0)));
        let quoted = r#"["NaN \\\" \ud83d\ude00 é", -Infinity]"#;
        assert_eq!(loads(quoted.as_bytes()), Loaded::Value(("NaN \\\" 😀 é".to_owned(), f64::NEG_INFINITY)));
    }

    #[rstest]
    #[case(r#"{"a": NaN}"#, true)]
    #[case("[1, {\"b\": -Infinity}]", true)]
    #[case("123456789012345678901234567890", true)]
    #[case("[NaN, 123456789012345678901234567890]", true)]
    #[case("1e999", true)]
    #[case("", false)]
    #[case("nan", false)]
    #[case("1NaN", false)]
    #[case("NaNNaN", false)]
    #[case("--Infinity", false)]
    #[case("{NaN: 1}", false)]
    #[case("['NaN', NaN]", false)]
    #[case("[NaN,]", false)]
    #[case("[NaN] // a comment", false)]
    fn value_that_python_alone_reads_is_of_another_type(#[case] text: &str, #[case] is_json: bool) {
        let expected = if is_json { Loaded::OtherType } else { Loaded::Invalid };
        assert_eq!(loads::<Value>(text.as_bytes()), expected);
    }

    #[test]
    fn deeply_nested_text_is_no_overflow() {
        let text = ["[".repeat(200_000), "NaN".to_owned(), "]".repeat(200_000)].concat();
        assert_eq!(loads::<Value>(text.as_bytes()), Loaded::OtherType);
    }

    #[rstest]
    #[case(r#"{"id": 18446744073709551615, "low": -9223372036854775808}"#, true)]
    #[case(r#"{"id": 18446744073709551616}"#, false)]
    #[case("[123456789012345678901234567890]", false)]
    #[case("-9223372036854775809", false)]
    #[case("[1.234567890123456789012345, 1e30]", true)]
    #[case(r#"{"text": "\" 123456789012345678901234567890"}"#, true)]
    fn integers_beyond_64_bits_are_recognized(#[case] json: &str, #[case] is_exact: bool) {
        assert_eq!(has_exact_integers(json.as_bytes()), is_exact);
    }
}
