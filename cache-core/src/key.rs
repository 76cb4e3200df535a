//! Every recipe that turns a request or a function call into a cache key. Pure.
//!
//! The HTTP recipes are the pipeline's and hishel's; the result recipe is the pipeline's `@cached_result`.

use std::borrow::Cow;
use std::fmt;

use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::python::{self, Dumps};

/// What the result cache puts before every key.
pub const RESULT_PREFIX: &str = "result_cache";
/// What the HTTP cache puts before every key.
pub const HTTP_PREFIX: &str = "hishel_cache";

/// The key under which responses to one request are stored. Any bytes; usually text.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CacheKey(Box<[u8]>);

impl CacheKey {
    /// A key from its bytes.
    pub fn new(bytes: impl Into<Box<[u8]>>) -> Self {
        Self(bytes.into())
    }

    /// The bytes of the key.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The pipeline's key of a request: `METHOD:` and the SHA-256 of method, URL and payload.
    ///
    /// `url` is the URL as the caller wrote it, without the parameters given separately.
    pub fn pipeline(method: &str, url: &str, payload: &Payload<'_>) -> Self {
        let mut parts = format!("{method}:{url}").into_bytes();
        if let Some(json) = payload.json {
            parts.push(b':');
            parts.extend_from_slice(python::dumps(json, COMPACT).as_bytes());
        }
        for (name, value) in [("params", payload.params), ("data", payload.data)] {
            if let Some(value) = value {
                parts.extend_from_slice(format!(":{name}={}", value.text()).as_bytes());
            }
        }
        Self::new(format!("{method}:{}", sha256_hex(&parts)).into_bytes())
    }

    /// hishel 1.x's key: SHA-256 of the URL, or of the request body where body keys are on.
    pub fn hishel1(url_or_body: &[u8]) -> Self {
        Self::new(sha256_hex(url_or_body).into_bytes())
    }

    /// hishel 2's key of a request under the RFC 9111 policy: SHA-256 of `RFC ` and the URL.
    pub fn hishel2_rfc(url: &str) -> Self {
        Self::new(sha256_hex(format!("RFC {url}").as_bytes()).into_bytes())
    }

    /// hishel 2's key of a request under a filter policy: SHA-256 of the method, a space and the URL.
    pub fn hishel2_filter(method: &str, url: &str) -> Self {
        Self::new(sha256_hex(format!("{method} {url}").as_bytes()).into_bytes())
    }
}

impl fmt::Display for CacheKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&String::from_utf8_lossy(&self.0))
    }
}

const COMPACT: Dumps = Dumps { ascii: false, compact: true };

/// What a request sends besides its URL, as far as the pipeline's key depends on it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Payload<'a> {
    /// A JSON body.
    pub json: Option<&'a Value>,
    /// Query parameters given separately from the URL.
    pub params: Option<&'a Form>,
    /// Form or raw body.
    pub data: Option<&'a Form>,
}

/// A value given as `params` or `data`.
#[derive(Clone, Debug, PartialEq)]
pub enum Form {
    /// Raw bytes; those that are not UTF-8 are left out of the key.
    Bytes(Vec<u8>),
    /// Text.
    Text(String),
    /// A mapping, in any order.
    Map(Vec<(String, Form)>),
    /// A list, a tuple or a set.
    List(Vec<Form>),
    /// A Python int.
    Int(i64),
    /// A Python float.
    Float(f64),
    /// A Python bool.
    Bool(bool),
    /// Python's `None`.
    None,
}

impl Form {
    /// A mapping of texts, as most requests have it.
    pub fn pairs<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        Self::Map(pairs.into_iter().map(|(name, value)| (name.to_owned(), Self::Text(value.to_owned()))).collect())
    }

    fn text(&self) -> String {
        match self {
            Self::Bytes(bytes) => bytes.utf8_chunks().map(|chunk| chunk.valid()).collect(),
            Self::Text(text) => text.clone(),
            Self::Map(members) => {
                let mut pairs: Vec<[String; 2]> = members.iter().map(|(k, v)| [k.clone(), v.text()]).collect();
                pairs.sort_unstable();
                python::dumps(&serde_json::json!(pairs), COMPACT)
            }
            Self::List(items) => {
                let items: Vec<String> = items.iter().map(Self::text).collect();
                python::dumps(&serde_json::json!(items), COMPACT)
            }
            Self::Int(number) => number.to_string(),
            Self::Float(number) => python::float(*number),
            Self::Bool(flag) => python::boolean(*flag).to_owned(),
            Self::None => "None".to_owned(),
        }
    }
}

/// An argument of a function whose result is cached.
#[derive(Clone, Debug, PartialEq)]
pub enum Argument {
    /// A Python float; JSON cannot hold infinities, arguments can.
    Float(f64),
    /// Any JSON value: text, numbers, bools, null, lists and mappings.
    Json(Value),
}

impl<T: Into<Value>> From<T> for Argument {
    fn from(value: T) -> Self {
        Self::Json(value.into())
    }
}

impl Argument {
    fn text(&self, none: &str) -> String {
        match self {
            Self::Float(number) => python::float(*number),
            Self::Json(Value::String(text)) => text.clone(),
            Self::Json(Value::Number(n)) => python::number(n),
            Self::Json(Value::Bool(flag)) => python::boolean(*flag).to_owned(),
            Self::Json(Value::Null) => none.to_owned(),
            Self::Json(value) => python::dumps(value, Dumps { ascii: true, compact: false }),
        }
    }
}

/// The Redis key of a function's result: `result_cache:{prefix}:{schema}:{arguments joined with ":"}`.
///
/// Positional `None` is written `null`, as a keyword argument `None`. Where prefix, schema and arguments together
/// have more than 200 characters, their SHA-256 stands in for the arguments.
pub fn result_key(prefix: &str, schema: &str, positional: &[Argument], keyword: &[(&str, Argument)]) -> String {
    let mut keyword: Vec<_> = keyword.iter().collect();
    keyword.sort_by_key(|(name, _)| *name);
    let arguments = positional
        .iter()
        .map(|argument| argument.text("null"))
        .chain(keyword.into_iter().map(|(name, argument)| format!("{name}={}", argument.text("None"))));
    let whole = [prefix.to_owned(), schema.to_owned()].into_iter().chain(arguments).collect::<Vec<_>>().join(":");
    if whole.chars().count() > 200 {
        format!("{RESULT_PREFIX}:{prefix}:{schema}:{}", sha256_hex(whole.as_bytes()))
    } else {
        format!("{RESULT_PREFIX}:{whole}")
    }
}

/// The parts of a result key that can be told apart for certain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResultKey<'a> {
    /// The key prefix or function name.
    pub prefix: &'a [u8],
    /// The 16 hexadecimal digits of the schema hash; older keys have none.
    pub schema: Option<&'a str>,
    /// The arguments, joined with `:`, or their SHA-256.
    pub arguments: &'a [u8],
}

impl<'a> ResultKey<'a> {
    /// Takes a Redis key apart; `None` where it is not one of the result cache.
    pub fn parse(key: &'a [u8]) -> Option<Self> {
        let rest = key.strip_prefix(RESULT_PREFIX.as_bytes())?.strip_prefix(b":")?;
        let (prefix, rest) = split_colon(rest);
        let (first, arguments) = split_colon(rest);
        match std::str::from_utf8(first) {
            Ok(schema) if is_schema_hash(schema) => Some(Self { prefix, schema: Some(schema), arguments }),
            _ => Some(Self { prefix, schema: None, arguments: rest }),
        }
    }

    /// The arguments as text, bytes that are not UTF-8 replaced.
    pub fn arguments_text(&self) -> Cow<'a, str> {
        String::from_utf8_lossy(self.arguments)
    }
}

fn split_colon(bytes: &[u8]) -> (&[u8], &[u8]) {
    match bytes.iter().position(|b| *b == b':') {
        Some(at) => (&bytes[..at], &bytes[at + 1..]),
        None => (bytes, &[]),
    }
}

fn is_schema_hash(text: &str) -> bool {
    text.len() == 16 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

/// The schema hash of a function: the first 16 hexadecimal digits of the SHA-256 of its source text.
pub fn schema_hash(source: &str) -> String {
    let mut hex = sha256_hex(source.as_bytes());
    hex.truncate(16);
    hex
}

/// SHA-256 in lower-case hexadecimal digits.
pub fn sha256_hex(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// Lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    bytes.iter().flat_map(|b| [DIGITS[(b >> 4) as usize] as char, DIGITS[(b & 15) as usize] as char]).collect()
}

/// The bytes behind lower-case hexadecimal digits; `None` where they are none.
pub fn unhex(digits: &[u8]) -> Option<Vec<u8>> {
    let nibble = |b: u8| match b {
        b'0'..=b'9' => Some(b - b'0'),
        b'a'..=b'f' => Some(b - b'a' + 10),
        _ => None,
    };
    if !digits.len().is_multiple_of(2) {
        return None;
    }
    digits.chunks_exact(2).map(|pair| Some(nibble(pair[0])? << 4 | nibble(pair[1])?)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn pipeline_keys_are_the_recorded_ones() {
        // The worked keys of the pipeline, computed with its own code.
        let get = |url: &str, params: &[(&str, &str)]| {
            let form = Form::pairs(params.iter().copied());
            let payload = Payload { params: (!params.is_empty()).then_some(&form), ..Payload::default() };
            CacheKey::pipeline("GET", url, &payload).to_string()
        };
        assert_eq!(
            get("https://api.jikan.moe/v4/anime/1/full", &[]),
            "GET:444dfee7563f94510277001649c36877b0832ca404d0cce8ebe7c498dd633bae"
        );
        assert_eq!(
            get("https://kitsu.io/api/edge/anime/1/episodes", &[("page[offset]", "0"), ("page[limit]", "20")]),
            "GET:1ee6ae4830b093817b18840667b839a063484e7f1a9dc3806487874ad2ee5582"
        );
        assert_eq!(
            get(
                "http://api.anidb.net:9001/httpapi",
                &[
                    ("request", "anime"),
                    ("client", "animeenrichment"),
                    ("clientver", "1.0"),
                    ("protover", "1"),
                    ("aid", "23")
                ]
            ),
            "GET:45fd4be866ff306bb7cc30eb66d95353bc984b69ab483da731723f60a9175c16"
        );
        assert_eq!(
            get("https://animeschedule.net/api/v3/anime?q=Cowboy Bebop", &[]),
            "GET:fe580aee8a614dce869ab732d55a11eb5e80d1c6eeae9de1f62bc1d8a6420348"
        );
    }

    #[test]
    fn result_keys_are_the_recorded_ones() {
        // The right sides are keys of fixtures/pipeline.ndjson.
        let key = |positional: &[Argument], keyword: &[(&str, Argument)]| {
            result_key("no_prefix", "ace6d8c92ebc96ea", positional, keyword)
        };
        let null = || Argument::Json(Value::Null);
        assert_eq!(
            key(&[1.into(), Argument::Float(2.0), true.into(), null()], &[]),
            "result_cache:no_prefix:ace6d8c92ebc96ea:1:2.0:True:null"
        );
        assert_eq!(key(&[json!(["t", 1]).into()], &[]), r#"result_cache:no_prefix:ace6d8c92ebc96ea:["t", 1]"#);
        assert_eq!(
            key(&[Argument::Float(f64::INFINITY), 1e22.into(), Argument::Float(-0.0), 1e-7.into()], &[]),
            "result_cache:no_prefix:ace6d8c92ebc96ea:inf:1e+22:-0.0:1e-07"
        );
        assert_eq!(
            key(&["x".into()], &[("tags", json!(["a", "é"]).into()), ("deep", true.into()), ("opts", null())]),
            r#"result_cache:no_prefix:ace6d8c92ebc96ea:x:deep=True:opts=None:tags=["a", "\u00e9"]"#
        );
        assert_eq!(
            key(&["ワンピース:colon".into()], &[("z", 1.into()), ("a", 2.into())]),
            "result_cache:no_prefix:ace6d8c92ebc96ea:ワンピース:colon:a=2:z=1"
        );
    }

    #[test]
    fn long_result_keys_are_hashed_by_characters_not_bytes() {
        let exactly_200 = "ワ".repeat(200 - "p:ace6d8c92ebc96ea:".len());
        let key = result_key("p", "ace6d8c92ebc96ea", &[exactly_200.as_str().into()], &[]);
        assert!(key.ends_with(&exactly_200));
        let longer = result_key("p", "ace6d8c92ebc96ea", &[format!("{exactly_200}x").as_str().into()], &[]);
        assert_eq!(longer.len(), "result_cache:p:ace6d8c92ebc96ea:".len() + 64);
    }

    #[test]
    fn a_result_key_comes_apart() {
        let parse = |key: &'static str| {
            let parsed = ResultKey::parse(key.as_bytes()).expect("a result key");
            (std::str::from_utf8(parsed.prefix).unwrap(), parsed.schema, parsed.arguments_text().into_owned())
        };
        assert_eq!(
            parse("result_cache:anisearch_anime:82fce6a05e45281a:18878:x"),
            ("anisearch_anime", Some("82fce6a05e45281a"), "18878:x".to_owned())
        );
        assert_eq!(parse("result_cache:anisearch_anime:18878"), ("anisearch_anime", None, "18878".to_owned()));
        assert_eq!(parse("result_cache:p"), ("p", None, String::new()));
        assert_eq!(ResultKey::parse(b"result_cachet:p:1"), None);
    }

    #[test]
    fn hex_goes_there_and_back() {
        assert_eq!(hex(&[0, 171, 255]), "00abff");
        assert_eq!(unhex(b"00abff"), Some(vec![0, 171, 255]));
        assert_eq!(unhex(b"0"), None);
        assert_eq!(unhex(b"zz"), None);
    }

    proptest! {
        #[test]
        fn a_result_key_tells_its_prefix_and_schema_whatever_its_arguments(
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
        fn a_pipeline_key_does_not_depend_on_the_order_of_its_parameters(
            url in ".{0,40}",
            mut pairs in proptest::collection::vec((".{0,8}", ".{0,8}"), 1..6),
        ) {
            let key = |pairs: &[(String, String)]| {
                let form = Form::pairs(pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())));
                CacheKey::pipeline("GET", &url, &Payload { params: Some(&form), ..Payload::default() })
            };
            let before = key(&pairs);
            pairs.reverse();
            prop_assert_eq!(&before, &key(&pairs));
            prop_assert_eq!(before.as_bytes().len(), "GET:".len() + 64);
            pairs.push(("one".into(), "more".into()));
            prop_assert_ne!(before, key(&pairs));
        }

        #[test]
        fn any_key_comes_apart_or_is_none_of_ours(key in proptest::collection::vec(any::<u8>(), 0..80)) {
            let ours = [b"result_cache:", &key[..]].concat();
            prop_assert!(ResultKey::parse(&ours).is_some());
            prop_assert_eq!(ResultKey::parse(&key).is_some(), key.starts_with(b"result_cache:"));
        }

        #[test]
        fn hex_digits_give_the_bytes_back(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            prop_assert_eq!(unhex(hex(&bytes).as_bytes()), Some(bytes));
        }
    }
}
