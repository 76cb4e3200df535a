//! TODO

use serde::Serialize;
use serde_json::Value;
use sha2::Digest;

use crate::format::python::json::Dumps;
use crate::format::python::{json, repr};

/// The JSON that the pipeline makes keys of.
pub(crate) fn compact(value: &impl Serialize) -> String {
    let (text, _) = json::dumps(value, Dumps { ascii: false, compact: true, sorted: true })
        .expect("JSON values and lists of texts have no names but texts");
    text
}

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

impl From<&str> for Form {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Form {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<Vec<u8>> for Form {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Bytes(bytes)
    }
}

impl From<i64> for Form {
    fn from(number: i64) -> Self {
        Self::Int(number)
    }
}

impl<K: Into<String>, V: Into<Self>, const N: usize> From<[(K, V); N]> for Form {
    fn from(members: [(K, V); N]) -> Self {
        members.into_iter().collect()
    }
}

impl<K: Into<String>, V: Into<Self>> FromIterator<(K, V)> for Form {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(members: I) -> Self {
        Self::Map(members.into_iter().map(|(name, value)| (name.into(), value.into())).collect())
    }
}
