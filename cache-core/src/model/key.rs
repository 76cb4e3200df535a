//! Every recipe that turns a request or a function call into a cache key. Pure.
//!
//! The HTTP recipes are the pipeline's and hishel's; the result recipe is the pipeline's `@cached_result`.

use std::borrow::Cow;
use std::fmt;

use sha2::Digest;

use crate::format::hex::sha256_hex;
use crate::format::http_key::{Payload, compact};

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
            parts.extend_from_slice(compact(json).as_bytes());
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
}

impl fmt::Display for CacheKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&String::from_utf8_lossy(&self.0))
    }
}

#[cfg(test)]
mod tests {
    use crate::format::hex::{hex, unhex};
    use crate::format::http_key::Form;

    use super::*;
    use proptest::prelude::*;

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
    fn hex_goes_there_and_back() {
        assert_eq!(hex(&[0, 171, 255]), "00abff");
        assert_eq!(unhex(b"00abff"), Some(vec![0, 171, 255]));
        assert_eq!(unhex(b"0"), None);
        assert_eq!(unhex(b"zz"), None);
    }

    proptest! {
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
        fn hex_digits_give_the_bytes_back(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            prop_assert_eq!(unhex(hex(&bytes).as_bytes()), Some(bytes));
        }
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
