//! Cache keys of function results, in the format of the pipeline's `@cached_result`, and in one without collisions
//! between different arguments.

use serde::Serialize;

use crate::format::hex::sha256_hex;
use crate::format::python::json;
use crate::format::python::json::{JsonStyle, Kind};
use crate::model::key::RESULT_PREFIX;

/// How arguments are written in a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KeyFormat {
    /// The pipeline's: texts, numbers and bools as Python's `str()`, anything else as its `json.dumps(sort_keys=True)`.
    /// Different arguments may have the same key.
    Pipeline,
    /// All arguments as JSON: quotes distinguish text from numbers, and colons in text from those between arguments.
    Distinct,
}

/// An argument of a cached function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Argument {
    text: String,
    /// Python's `None`, which is written `null` only as a positional argument.
    is_none: bool,
}

impl Argument {
    pub(crate) fn new(value: &(impl Serialize + ?Sized), format: KeyFormat) -> Result<Self, serde_json::Error> {
        let style = JsonStyle { ascii: format == KeyFormat::Pipeline, compact: false, sorted: true };
        let (text, is_none) = match format {
            KeyFormat::Pipeline => json::plain(value, style).map(|(text, kind)| (text, kind == Kind::None))?,
            KeyFormat::Distinct => (json::dumps(value, style)?.0, false),
        };
        Ok(Self { text, is_none })
    }
}

impl From<&str> for Argument {
    fn from(text: &str) -> Self {
        Self { text: text.to_owned(), is_none: false }
    }
}

/// The Redis key of a function's result: `result_cache:{prefix}:{schema}:{arguments joined with ":"}`.
///
/// `None` is written `null` as a positional argument and `None` as a keyword argument. If prefix, schema and arguments
/// together have more than 200 characters, their SHA-256 replaces the arguments.
pub(crate) fn result_key(prefix: &str, schema: &str, positional: &[Argument], keyword: &[(&str, Argument)]) -> String {
    let mut keyword: Vec<_> = keyword.iter().collect();
    keyword.sort_by_key(|(name, _)| *name);
    let mut whole = format!("{prefix}:{schema}");
    for argument in positional {
        whole.extend([":", &argument.text]);
    }
    for (name, argument) in keyword {
        whole.extend([":", name, "=", if argument.is_none { "None" } else { &argument.text }]);
    }
    if whole.chars().count() > 200 {
        format!("{RESULT_PREFIX}:{prefix}:{schema}:{}", sha256_hex(whole.as_bytes()))
    } else {
        format!("{RESULT_PREFIX}:{whole}")
    }
}

#[cfg(test)]
mod tests {
    use crate::model::key::ResultKey;

    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    fn of(value: impl Serialize) -> Argument {
        Argument::new(&value, KeyFormat::Pipeline).unwrap()
    }

    #[test]
    fn result_keys_equal_recorded_ones() {
        // The right sides are keys of fixtures/pipeline.ndjson.
        let key = |positional: &[Argument], keyword: &[(&str, Argument)]| {
            result_key("no_prefix", "ace6d8c92ebc96ea", positional, keyword)
        };
        assert_eq!(
            key(&[of(1), of(2.0), of(true), of(Value::Null)], &[]),
            "result_cache:no_prefix:ace6d8c92ebc96ea:1:2.0:True:null"
        );
        assert_eq!(key(&[of(json!(["t", 1]))], &[]), r#"result_cache:no_prefix:ace6d8c92ebc96ea:["t", 1]"#);
        assert_eq!(
            key(&[of(f64::INFINITY), of(1e22), of(-0.0), of(1e-7)], &[]),
            "result_cache:no_prefix:ace6d8c92ebc96ea:inf:1e+22:-0.0:1e-07"
        );
        assert_eq!(
            key(&["x".into()], &[("tags", of(json!(["a", "é"]))), ("deep", of(true)), ("opts", of(Value::Null))]),
            r#"result_cache:no_prefix:ace6d8c92ebc96ea:x:deep=True:opts=None:tags=["a", "\u00e9"]"#
        );
        assert_eq!(
            key(&["ワンピース:colon".into()], &[("z", of(1)), ("a", of(2))]),
            "result_cache:no_prefix:ace6d8c92ebc96ea:ワンピース:colon:a=2:z=1"
        );
    }

    #[test]
    fn long_keys_are_hashed_by_characters_not_bytes() {
        let exactly_200 = "ワ".repeat(200 - "p:ace6d8c92ebc96ea:".len());
        let key = result_key("p", "ace6d8c92ebc96ea", &[exactly_200.as_str().into()], &[]);
        assert!(key.ends_with(&exactly_200));
        let longer = result_key("p", "ace6d8c92ebc96ea", &[format!("{exactly_200}x").as_str().into()], &[]);
        assert_eq!(longer.len(), "result_cache:p:ace6d8c92ebc96ea:".len() + 64);
    }

    #[test]
    fn result_key_is_parsed() {
        let parse = |key: &'static str| {
            let parsed = ResultKey::parse(key.as_bytes()).expect("a result key");
            (std::str::from_utf8(parsed.prefix).unwrap(), parsed.schema, parsed.arguments_text().into_owned())
        };
        assert_eq!(
            parse("result_cache:crawled_page:82fce6a05e45281a:18878:x"),
            ("crawled_page", Some("82fce6a05e45281a"), "18878:x".to_owned())
        );
        assert_eq!(parse("result_cache:crawled_page:18878"), ("crawled_page", None, "18878".to_owned()));
        assert_eq!(parse("result_cache:p"), ("p", None, String::new()));
        assert_eq!(ResultKey::parse(b"result_cachet:p:1"), None);
    }

    #[test]
    fn distinct_arguments_have_distinct_keys() {
        let key = |positional: &[Argument], keyword: &[(&str, Argument)]| {
            result_key("f", "ace6d8c92ebc96ea", positional, keyword)
        };
        let of = |value: Value| Argument::new(&value, KeyFormat::Distinct).unwrap();
        let text = |text: &str| of(text.into());
        for (written, expected) in [
            (key(&[text("a:b")], &[]), r#""a:b""#),
            (key(&[text("a"), text("b")], &[]), r#""a":"b""#),
            (key(&[text("a\":\"b")], &[]), r#""a\":\"b""#),
            (key(&[text("x=1")], &[]), r#""x=1""#),
            (key(&[], &[("x", of(json!(1)))]), "x=1"),
            (key(&[], &[("x", text("1"))]), r#"x="1""#),
            (key(&[], &[("x", of(json!(1))), ("y", of(json!(2)))]), "x=1:y=2"),
            (key(&[of(json!(9))], &[]), "9"),
            (key(&[of(json!(9.0))], &[]), "9.0"),
            (key(&[text("9")], &[]), r#""9""#),
            (key(&[of(json!(true))], &[]), "true"),
            (key(&[text("True")], &[]), r#""True""#),
            (key(&[of(Value::Null)], &[]), "null"),
            (key(&[text("null")], &[]), r#""null""#),
            (key(&[], &[("x", of(Value::Null))]), "x=null"),
            (key(&[text("ワンピース")], &[]), r#""ワンピース""#),
        ] {
            assert_eq!(written, format!("result_cache:f:ace6d8c92ebc96ea:{expected}"));
        }
    }

    proptest! {
        #[test]
        fn result_key_is_parsed_for_any_arguments(
            prefix in "[a-z_]{1,20}",
            schema in "[0-9a-f]{16}",
            positional in proptest::collection::vec(".{0,60}", 0..6),
            keyword in ".{0,60}",
        ) {
            let arguments: Vec<Argument> = positional.iter().map(|text| text.as_str().into()).collect();
            let key = result_key(&prefix, &schema, &arguments, &[("name", keyword.as_str().into())]);
            let parts = ResultKey::parse(key.as_bytes()).expect("a result key");
            prop_assert_eq!(parts.prefix, prefix.as_bytes());
            prop_assert_eq!(parts.schema, Some(schema.as_str()));
            prop_assert!(key.chars().count() <= RESULT_PREFIX.len() + 1 + 200);
        }

        #[test]
        fn any_bytes_are_parsed_or_rejected(key in proptest::collection::vec(any::<u8>(), 0..80)) {
            let ours = [b"result_cache:", &key[..]].concat();
            prop_assert!(ResultKey::parse(&ours).is_some());
            prop_assert_eq!(ResultKey::parse(&key).is_some(), key.starts_with(b"result_cache:"));
        }
    }
}
