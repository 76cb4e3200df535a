//! What is in a cache: entries, and how they are named.
//!
//! All times are Unix seconds (`f64`), as hishel stores them.

mod octets;

use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::key::{CacheKey, HTTP_PREFIX, ResultKey};

/// Which of the two caches an entry belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// A stored HTTP response.
    Http,
    /// The stored result of a function.
    Result,
}

impl Kind {
    /// The name in selectors and JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Result => "result",
        }
    }
}

/// How an HTTP entry is laid out in its store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Layout {
    /// The pipeline's own Redis layout (A).
    Pipeline,
    /// The Redis layout of hishel 1.2 and 1.3 (B).
    Hishel1,
    /// The Redis layout of hishel 2 (D).
    Hishel2,
    /// The SQLite layout of hishel 1 (C).
    Sqlite1,
    /// The SQLite layout of hishel 2 (E).
    Sqlite2,
}

impl Layout {
    /// The name in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pipeline => "pipeline",
            Self::Hishel1 | Self::Hishel2 => "hishel",
            Self::Sqlite1 | Self::Sqlite2 => "sqlite",
        }
    }

    /// The id as this layout writes it: with dashes, except in hishel's own Redis layouts.
    pub fn id_text(self, id: Uuid) -> String {
        match self {
            Self::Hishel1 | Self::Hishel2 => id.simple().to_string(),
            _ => id.hyphenated().to_string(),
        }
    }
}

/// What names one entry for good.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum EntryId {
    /// An HTTP entry: its entry, its body and its place in the index.
    Http(Layout, Uuid),
    /// A result, or a Redis key of ours that belongs to no entry; the whole Redis key.
    Key(Box<[u8]>),
}

impl EntryId {
    /// The id of the entry under a Redis key.
    pub fn key(bytes: impl Into<Box<[u8]>>) -> Self {
        Self::Key(bytes.into())
    }

    /// The id as text; bytes that are not UTF-8 are replaced. For people: ids are compared as values.
    pub fn text(&self) -> Cow<'_, str> {
        match self {
            Self::Http(layout, id) => Cow::Owned(layout.id_text(*id)),
            Self::Key(key) => String::from_utf8_lossy(key),
        }
    }

    /// The Redis key that stands for the entry (SQLite entries have the pipeline's name for it).
    pub fn redis_key(&self) -> Cow<'_, [u8]> {
        match self {
            Self::Http(layout, id) => Cow::Owned(format!("{HTTP_PREFIX}:entry:{}", layout.id_text(*id)).into_bytes()),
            Self::Key(key) => Cow::Borrowed(key),
        }
    }

    /// Which cache the entry belongs to.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Key(key) if ResultKey::parse(key).is_some() => Kind::Result,
            Self::Http(..) | Self::Key(_) => Kind::Http,
        }
    }
}

impl fmt::Display for EntryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text())
    }
}

/// Whether an entry can be served, and if not, why.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum State {
    /// Whole and not expired.
    Live,
    /// Without the mark that the body is whole: still being written, cut short, or its body is gone.
    Incomplete,
    /// Marked as deleted, taken out of the index, or expired and kept for hishel's grace of 180 s.
    Deleted,
    /// Bytes that cannot be understood, or a key of the wrong type.
    Corrupt,
    /// A key under our prefixes that no entry owns.
    Orphan,
}

impl State {
    /// All states.
    pub const ALL: [Self; 5] = [Self::Live, Self::Incomplete, Self::Deleted, Self::Corrupt, Self::Orphan];

    /// The name in selectors and JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Incomplete => "incomplete",
            Self::Deleted => "deleted",
            Self::Corrupt => "corrupt",
            Self::Orphan => "orphan",
        }
    }

    /// The state of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }
}

/// One stored HTTP response without its body: hishel's "pair".
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// Its id.
    pub id: Uuid,
    /// The key that it is stored under.
    pub cache_key: CacheKey,
    /// The request that it answers.
    pub request: Request,
    /// The response.
    pub response: Response,
    /// When it was stored; `None` in hishel 2's layouts, which do not say.
    pub created_at: Option<f64>,
    /// When it was marked as deleted.
    pub deleted_at: Option<f64>,
}

impl Entry {
    /// hishel's mark for a soft deletion.
    pub fn is_deleted(&self) -> bool {
        self.deleted_at.is_some_and(|at| at > 0.0)
    }

    /// The order of the responses under a key; those last of which it is not known when they were stored.
    pub(crate) fn newest_first(&self, other: &Self) -> Ordering {
        other.created_at.unwrap_or(0.0).total_cmp(&self.created_at.unwrap_or(0.0))
    }
}

/// The stored part of a request. Its body is not stored.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Request {
    /// The method.
    pub method: String,
    /// The URL as sent.
    pub url: String,
    /// The header fields.
    pub headers: Headers,
    /// hishel's metadata.
    #[serde(default, skip_serializing_if = "Extra::is_absent")]
    pub extra: Extra,
}

/// The stored part of a response besides its body.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Response {
    /// The status code.
    pub status_code: u16,
    /// The header fields.
    pub headers: Headers,
    /// hishel's metadata.
    #[serde(default, skip_serializing_if = "Extra::is_absent")]
    pub extra: Extra,
}

/// Header fields in their stored order: lower-case names, each with its values.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Headers(IndexMap<String, Vec<String>>);

impl Headers {
    /// The first value of a field; `name` in lower case.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name)?.first().map(String::as_str)
    }

    /// Every value of a field; `name` in lower case.
    pub fn all<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a str> + use<'a> {
        self.0.get(name).into_iter().flatten().map(String::as_str)
    }

    /// How many fields there are.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// Every field with its values.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[String])> {
        self.0.iter().map(|(name, values)| (name.as_str(), values.as_slice()))
    }

    /// Every field line as it was sent: a name and the bytes of one value.
    pub fn lines(&self) -> impl Iterator<Item = (&str, Cow<'_, [u8]>)> {
        self.0.iter().flat_map(|(name, values)| values.iter().map(|value| (name.as_str(), octets::to_bytes(value))))
    }

    /// Adds a value as it was sent, behind those that the field has. Bytes that are no UTF-8 are stored as private-use
    /// characters, and [`Self::lines`] gives them back.
    pub fn append_line(&mut self, name: &str, value: &[u8]) {
        self.append(name, octets::to_text(value));
    }

    /// Adds a value behind those that the field has.
    pub fn append(&mut self, name: &str, value: impl Into<String>) {
        self.0.entry(name.to_ascii_lowercase()).or_default().push(value.into());
    }

    /// Gives a field these values in place of those that it has; without any, it is gone. `name` in lower case.
    pub(crate) fn set(&mut self, name: &str, values: impl IntoIterator<Item = String>) {
        let values: Vec<String> = values.into_iter().collect();
        if values.is_empty() {
            self.0.shift_remove(name);
        } else {
            self.0.insert(name.to_owned(), values);
        }
    }

    /// Keeps the fields whose lower-case name passes.
    pub(crate) fn retain(&mut self, mut is_kept: impl FnMut(&str) -> bool) {
        self.0.retain(|name, _| is_kept(name));
    }
}

impl<'a> FromIterator<(&'a str, &'a str)> for Headers {
    fn from_iter<I: IntoIterator<Item = (&'a str, &'a str)>>(fields: I) -> Self {
        let mut headers = Self::default();
        for (name, value) in fields {
            headers.append(name, value);
        }
        headers
    }
}

/// Beside `hishel_ttl`: the storage wrote it. hishel keeps what it does not know.
pub(crate) const KEPT: &str = "animecache_kept";

/// hishel's metadata map, kept as it was read so that it is written back to the byte.
#[derive(Clone, Debug, PartialEq)]
pub struct Extra(rmpv::Value);

impl Default for Extra {
    fn default() -> Self {
        Self(rmpv::Value::Map(Vec::new()))
    }
}

impl Extra {
    /// hishel 2 stores no metadata at all.
    pub(crate) fn absent() -> Self {
        Self(rmpv::Value::Nil)
    }

    fn is_absent(&self) -> bool {
        self.0.is_nil()
    }

    /// `hishel_ttl`: the entry's own TTL in seconds.
    pub fn ttl(&self) -> Option<f64> {
        let members = self.0.as_map()?;
        let (_, value) = members.iter().find(|(name, _)| name.as_str() == Some("hishel_ttl"))?;
        value.as_f64()
    }

    /// Sets `hishel_ttl`, in seconds.
    pub fn set_ttl(&mut self, seconds: f64) {
        self.set("hishel_ttl", seconds.into());
    }

    /// Writes down how long a storage keeps the entry in the one place where hishel 1 looks for it; with a mark that
    /// this is no TTL of the entry's own, unless it had one.
    pub(crate) fn set_kept(&mut self, seconds: f64) {
        let is_own = self.ttl().is_some();
        self.set_ttl(seconds);
        if !is_own {
            self.set(KEPT, true.into());
        }
    }

    /// Takes out again what [`Extra::set_kept`] wrote.
    pub(crate) fn take_kept(&mut self) {
        if let rmpv::Value::Map(members) = &mut self.0
            && members.iter().any(|(name, _)| name.as_str() == Some(KEPT))
        {
            members.retain(|(name, _)| !matches!(name.as_str(), Some(KEPT | "hishel_ttl")));
        }
    }

    fn set(&mut self, member: &str, value: rmpv::Value) {
        if !self.0.is_map() {
            self.0 = rmpv::Value::Map(Vec::new());
        }
        if let rmpv::Value::Map(members) = &mut self.0 {
            members.retain(|(name, _)| name.as_str() != Some(member));
            members.push((member.into(), value));
        }
    }
}

impl Serialize for Extra {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Extra {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        rmpv::Value::deserialize(deserializer).map(Self)
    }
}
