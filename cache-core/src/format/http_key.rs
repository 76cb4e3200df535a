//! Cache keys of HTTP requests: the pipeline's and hishel's.

use serde::Serialize;
use serde_json::Value;

use crate::format::hex::sha256_hex;
use crate::format::python::json::JsonStyle;
use crate::format::python::{json, repr};
use crate::model::key::CacheKey;

/// The pipeline's key of a request: `METHOD:` and the SHA-256 of method, URL and payload.
///
/// `url` is the URL as the caller wrote it, without the parameters given separately.
pub fn pipeline_key(method: &str, url: &str, payload: &RequestPayload<'_>) -> CacheKey {
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
    CacheKey::new(format!("{method}:{}", sha256_hex(&parts)).into_bytes())
}

/// hishel 1.x's key: the SHA-256 of the URL, or of the request body where body keys are on.
pub fn hishel1_key(url_or_body: &[u8]) -> CacheKey {
    CacheKey::new(sha256_hex(url_or_body).into_bytes())
}

/// JSON in the format of the pipeline's keys.
pub(crate) fn compact(value: &impl Serialize) -> String {
    let (text, _) = json::dumps(value, JsonStyle { ascii: false, compact: true, sorted: true })
        .expect("JSON values and lists of texts have no names but texts");
    text
}

/// Parts of a request that the pipeline's key depends on.
#[derive(Clone, Copy, Debug, Default)]
pub struct RequestPayload<'a> {
    /// A JSON body.
    pub json: Option<&'a Value>,
    /// Query parameters given separately from the URL.
    pub params: Option<&'a FormValue>,
    /// Form or raw body.
    pub data: Option<&'a FormValue>,
}

/// A form or query value.
#[derive(Clone, Debug, PartialEq)]
pub enum FormValue {
    /// Raw bytes; those that are not UTF-8 are not part of the key.
    Bytes(Vec<u8>),
    /// Text.
    Text(String),
    /// A mapping, in any order.
    Map(Vec<(String, FormValue)>),
    /// A list, a tuple or a set.
    List(Vec<FormValue>),
    /// A Python int.
    Int(i64),
    /// A Python float.
    Float(f64),
    /// A Python bool.
    Bool(bool),
    /// Python's `None`.
    None,
}

impl FormValue {
    /// A mapping of texts, as most requests have it.
    pub fn pairs<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        Self::Map(pairs.into_iter().map(|(name, value)| (name.to_owned(), Self::Text(value.to_owned()))).collect())
    }

    /// Whether Python counts it as false.
    pub(crate) fn is_empty(&self) -> bool {
        match self {
            Self::Bytes(bytes) => bytes.is_empty(),
            Self::Text(text) => text.is_empty(),
            Self::Map(members) => members.is_empty(),
            Self::List(items) => items.is_empty(),
            Self::Int(number) => *number == 0,
            Self::Float(number) => *number == 0.0,
            Self::Bool(flag) => !flag,
            Self::None => true,
        }
    }

    /// A mapping, or a list of pairs, as a query or a form body has it.
    pub(crate) fn to_pairs(&self) -> Vec<(String, String)> {
        match self {
            Self::Map(members) => members.iter().map(|(name, value)| (name.clone(), value.text())).collect(),
            Self::List(items) => items
                .iter()
                .filter_map(|item| match item {
                    Self::List(pair) => Some((pair.first()?.text(), pair.get(1)?.text())),
                    _ => None,
                })
                .collect(),
            _ => Vec::new(),
        }
    }

    pub(crate) fn text(&self) -> String {
        match self {
            Self::Bytes(bytes) => bytes.utf8_chunks().map(|chunk| chunk.valid()).collect(),
            Self::Text(text) => text.clone(),
            Self::Map(members) => {
                let mut pairs: Vec<[String; 2]> = members.iter().map(|(k, v)| [k.clone(), v.text()]).collect();
                pairs.sort_unstable();
                compact(&pairs)
            }
            Self::List(items) => {
                let items: Vec<String> = items.iter().map(Self::text).collect();
                compact(&items)
            }
            Self::Int(number) => number.to_string(),
            Self::Float(number) => repr::float(*number),
            Self::Bool(flag) => repr::boolean(*flag).to_owned(),
            Self::None => "None".to_owned(),
        }
    }
}

impl From<&str> for FormValue {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for FormValue {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<Vec<u8>> for FormValue {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Bytes(bytes)
    }
}

impl From<i64> for FormValue {
    fn from(number: i64) -> Self {
        Self::Int(number)
    }
}

impl<K: Into<String>, V: Into<Self>, const N: usize> From<[(K, V); N]> for FormValue {
    fn from(members: [(K, V); N]) -> Self {
        members.into_iter().collect()
    }
}

impl<K: Into<String>, V: Into<Self>> FromIterator<(K, V)> for FormValue {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(members: I) -> Self {
        Self::Map(members.into_iter().map(|(name, value)| (name.into(), value.into())).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn pipeline_key_ignores_the_order_of_parameters(
            url in ".{0,40}",
            mut pairs in proptest::collection::vec((".{0,8}", ".{0,8}"), 1..6),
        ) {
            let key = |pairs: &[(String, String)]| {
                let form = FormValue::pairs(pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())));
                pipeline_key("GET", &url, &RequestPayload { params: Some(&form), ..RequestPayload::default() })
            };
            let before = key(&pairs);
            pairs.reverse();
            prop_assert_eq!(&before, &key(&pairs));
            prop_assert_eq!(before.as_bytes().len(), "GET:".len() + 64);
            pairs.push(("one".into(), "more".into()));
            prop_assert_ne!(before, key(&pairs));
        }
    }
}
