//! An entry as its storage keeps it, to the byte, for files that outlive it. Names of fields are those of the file.

use std::collections::BTreeMap;
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use uuid::Uuid;

use crate::model::entry::{EntryId, StorageLayout};
use crate::model::layout_name;

/// One record of a file, without the body that may follow it.
#[derive(Clone, Debug, PartialEq)]
pub enum Record {
    /// A response.
    Http(Box<HttpRecord>),
    /// A result.
    Result(ResultRecord),
    /// What is no whole entry: an orphan, or a part of a corrupt entry.
    Raw(RawRecord),
    /// When an entry was to expire before its TTL was changed; the entry itself stays where it is.
    Expiry(ExpiryRecord),
}

impl Record {
    /// When the record loses its meaning, in Unix seconds; `None`: never.
    pub fn expires_at(&self) -> Option<f64> {
        match self {
            Self::Http(http) => http.expires_at,
            Self::Result(result) => result.expires_at,
            Self::Raw(raw) => raw.expires_at,
            Self::Expiry(expiry) => expiry.expires_at,
        }
    }

    /// Whether elements of a body follow the record.
    pub(crate) fn has_body(&self) -> bool {
        match self {
            Self::Http(_) => true,
            Self::Result(result) => result.value.is_none(),
            Self::Raw(_) | Self::Expiry(_) => false,
        }
    }
}

/// A response as it is stored.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HttpRecord {
    /// The ID.
    pub id: Uuid,
    /// The layout of [`Self::stored`].
    #[serde(with = "layout_name")]
    pub layout: StorageLayout,
    /// The key of the index that names the entry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_key: Option<Octets>,
    /// When it was stored, if that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_at: Option<f64>,
    /// When it expires; `None`: never.
    pub expires_at: Option<f64>,
    /// When its body expires, and in hishel's own Redis layouts its head, which are kept longer; `None`: never.
    pub body_expires_at: Option<f64>,
    /// Whether the body has the mark of its end.
    #[serde(default = "yes", skip_serializing_if = "Clone::clone")]
    pub is_complete: bool,
    /// Whether the index names it.
    #[serde(default = "yes", skip_serializing_if = "Clone::clone")]
    pub is_indexed: bool,
    /// When the index expires, if there is one; `None`: never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub index_expires_at: Option<f64>,
    /// The method, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// The URL, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// The status code, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// The fields, keys or columns of the head by name.
    pub stored: Stored,
}

/// Fields, keys or columns by name.
pub type Stored = BTreeMap<String, StoredValue>;

/// A result as it is stored.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ResultRecord {
    /// The whole Redis key.
    pub key: Octets,
    /// When it was stored; only SQLite records it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_at: Option<f64>,
    /// When it expires; `None`: never.
    pub expires_at: Option<f64>,
    /// The value; `None`: it is long, and follows as a body.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<Octets>,
}

/// A Redis key as `DUMP` returns it, or a row of SQLite that has no valid ID.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RawRecord {
    /// The key, which for a row has the number of the row.
    pub key: Octets,
    /// The type of the key, for people; `row` for a row.
    #[serde(rename = "type")]
    pub kind: String,
    /// When it expires; `None`: never.
    pub expires_at: Option<f64>,
    /// The version of the payload's format: a server restores its own and older ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rdb: Option<u16>,
    /// The payload of `DUMP`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dump: Option<Base64>,
    /// The columns of the row.
    #[serde(default, skip_serializing_if = "Stored::is_empty")]
    pub row: Stored,
}

/// The expiry of an entry whose TTL was changed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ExpiryRecord {
    /// The layout of a response; `None`: the entry is a key.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        serialize_with = "layout_name::serialize_optional",
        deserialize_with = "layout_name::deserialize_optional"
    )]
    pub layout: Option<StorageLayout>,
    /// The ID of a response, or the whole key.
    pub id: Octets,
    /// When it was to expire before the change; `None`: never.
    pub expires_at: Option<f64>,
    /// What it was before the change: an entry that has another version now is another one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<u64>,
    /// The length of a result.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
}

impl ExpiryRecord {
    /// The entry; `None`: the ID is not valid.
    pub fn entry_id(&self) -> Option<EntryId> {
        match self.layout {
            Some(layout) => Some(EntryId::Http(layout, Uuid::try_parse_ascii(&self.id.0).ok()?)),
            None => Some(EntryId::key(&self.id.0[..])),
        }
    }
}

/// A stored value: the types of SQLite. Redis has byte strings only.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum StoredValue {
    /// `null`
    Null,
    /// `12`
    Integer(i64),
    /// `12.5`
    Real(f64),
    /// `"MTIuNQ=="`
    Bytes(Base64),
    /// `{"text": "12.5"}`
    Text {
        /// The text.
        text: String,
    },
}

impl StoredValue {
    /// A byte string.
    #[cfg(any(test, feature = "redis", feature = "sqlite"))]
    pub(crate) fn bytes(bytes: impl Into<Vec<u8>>) -> Self {
        Self::Bytes(Base64(bytes.into()))
    }

    /// The bytes of a byte string or text.
    #[cfg(any(feature = "redis", feature = "sqlite"))]
    pub(crate) fn as_bytes(&self) -> Option<&[u8]> {
        match self {
            Self::Bytes(bytes) => Some(&bytes.0),
            Self::Text { text } => Some(text.as_bytes()),
            _ => None,
        }
    }
}

impl fmt::Debug for StoredValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("NULL"),
            Self::Integer(number) => write!(f, "{number}"),
            Self::Real(number) => write!(f, "{number:?}"),
            Self::Bytes(bytes) => write!(f, "{bytes:?}"),
            Self::Text { text } => write!(f, "{text:?}"),
        }
    }
}

/// Bytes that are written as base64.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Base64(pub Vec<u8>);

/// Bytes that are written as text, and as `{"base64": "…"}` if they are not UTF-8.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Octets(pub Vec<u8>);

impl Serialize for Base64 {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for Base64 {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        STANDARD.decode(text).map(Self).map_err(D::Error::custom)
    }
}

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum OctetsForm {
    Text(String),
    Bytes { base64: Base64 },
}

impl Serialize for Octets {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match std::str::from_utf8(&self.0) {
            Ok(text) => serializer.serialize_str(text),
            Err(_) => OctetsForm::Bytes { base64: Base64(self.0.clone()) }.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Octets {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self(match OctetsForm::deserialize(deserializer)? {
            OctetsForm::Text(text) => text.into_bytes(),
            OctetsForm::Bytes { base64 } => base64.0,
        }))
    }
}

impl fmt::Debug for Base64 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "b\"{}\"", self.0.escape_ascii())
    }
}

impl fmt::Debug for Octets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "b\"{}\"", self.0.escape_ascii())
    }
}

fn yes() -> bool {
    true
}
