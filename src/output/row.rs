//! An entry as JSON: one line of `ls --json`, and the beginning of `show --json`. It borrows, because lists are long.

use std::borrow::Cow;

use cache_core::{BackendKind, EntryId, HttpSummary, Summary};
use serde::Serialize;

use crate::output::json::Text;
use crate::output::secrets;

/// The fields of one entry, in their documented order.
#[derive(Serialize)]
#[serde(untagged)]
pub enum Row<'a> {
    Http(HttpRow<'a>),
    Result(ResultRow<'a>),
    Unreadable(UnreadableRow<'a>),
}

/// A readable HTTP entry.
#[derive(Serialize)]
pub struct HttpRow<'a> {
    kind: &'static str,
    id: Cow<'a, str>,
    key: Cow<'a, str>,
    layout: &'static str,
    cache_key: Text<'a>,
    service: &'static str,
    state: &'static str,
    method: &'a str,
    url: Cow<'a, str>,
    status: u16,
    size: u64,
    created_at: Option<f64>,
    age: Option<f64>,
    ttl: Option<f64>,
    last_used: Option<f64>,
    freshness_lifetime: Option<f64>,
    fresh: Option<bool>,
    content_type: Option<&'a str>,
    title: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<&'a str>,
}

/// A result.
#[derive(Serialize)]
pub struct ResultRow<'a> {
    kind: &'static str,
    id: Id<'a>,
    key: Id<'a>,
    layout: &'static str,
    service: &'static str,
    state: &'static str,
    prefix: Text<'a>,
    schema: Option<&'a str>,
    arguments: Id<'a>,
    size: u64,
    ttl: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<&'a str>,
}

/// The known fields of an HTTP entry that cannot be decoded, or of a part of one.
#[derive(Serialize)]
pub struct UnreadableRow<'a> {
    kind: &'static str,
    id: Id<'a>,
    key: Id<'a>,
    layout: &'static str,
    cache_key: Unknown,
    service: &'static str,
    state: &'static str,
    method: Unknown,
    url: Unknown,
    status: Unknown,
    size: u64,
    created_at: Option<f64>,
    age: Option<f64>,
    ttl: Option<f64>,
    last_used: Option<f64>,
    freshness_lifetime: Unknown,
    fresh: Unknown,
    content_type: Unknown,
    title: Unknown,
    problem: Option<&'a str>,
}

/// Unknown: `null`.
type Unknown = ();

/// An ID or key: text or, in a foreign key with a key prefix of the cache, any bytes.
#[derive(Serialize)]
#[serde(untagged)]
pub enum Id<'a> {
    Name(Cow<'a, str>),
    Key(Text<'a>),
}

impl<'a> Id<'a> {
    /// A Redis key or a part of it; credentials are masked unless `reveal` is set.
    pub fn from_key(key: &'a [u8], reveal: bool) -> Self {
        match std::str::from_utf8(key) {
            Ok(text) if !reveal => Self::Name(secrets::key(text)),
            _ => Self::Key(Text(key)),
        }
    }
}

impl<'a> Row<'a> {
    /// The row of an entry of this kind of backend; `now` in Unix seconds.
    pub fn new(entry: &'a Summary, backend: BackendKind, now: f64, reveal: bool) -> Self {
        match (&entry.http, &entry.id) {
            (Some(http), EntryId::Http(..)) => Self::Http(HttpRow::new(entry, http, now, reveal)),
            (_, EntryId::Key(key)) => match entry.result_key() {
                Some(parts) => Self::Result(ResultRow {
                    kind: entry.kind().name(),
                    id: Id::from_key(key, reveal),
                    key: Id::from_key(key, reveal),
                    layout: layout(&entry.id, backend),
                    service: entry.service.name(),
                    state: entry.state.name(),
                    prefix: Text(parts.prefix),
                    schema: parts.schema,
                    arguments: Id::from_key(parts.arguments, reveal),
                    size: entry.size,
                    ttl: entry.ttl(now),
                    problem: entry.problem.as_deref(),
                }),
                None => Self::Unreadable(UnreadableRow::new(entry, backend, now, reveal)),
            },
            (None, EntryId::Http(..)) => Self::Unreadable(UnreadableRow::new(entry, backend, now, reveal)),
        }
    }
}

impl<'a> HttpRow<'a> {
    fn new(entry: &'a Summary, http: &'a HttpSummary, now: f64, reveal: bool) -> Self {
        Self {
            kind: entry.kind().name(),
            id: entry.id.text(),
            key: key_name(&entry.id),
            layout: layout(&entry.id, BackendKind::Redis),
            cache_key: Text(http.cache_key.as_bytes()),
            service: entry.service.name(),
            state: entry.state.name(),
            method: &http.method,
            url: if reveal { Cow::Borrowed(&*http.url) } else { secrets::redact_url(&http.url) },
            status: http.status,
            size: entry.size,
            created_at: entry.created_at,
            age: entry.age(now),
            ttl: entry.ttl(now),
            last_used: entry.last_used(now),
            freshness_lifetime: http.freshness.lifetime,
            fresh: entry.is_fresh(now),
            content_type: http.content_type.as_deref(),
            title: http.title.as_deref(),
            problem: entry.problem.as_deref(),
        }
    }
}

impl<'a> UnreadableRow<'a> {
    fn new(entry: &'a Summary, backend: BackendKind, now: f64, reveal: bool) -> Self {
        let (id, key) = match &entry.id {
            EntryId::Http(..) => (Id::Name(entry.id.text()), Id::Name(key_name(&entry.id))),
            EntryId::Key(key) => (Id::from_key(key, reveal), Id::from_key(key, reveal)),
        };
        Self {
            kind: entry.kind().name(),
            id,
            key,
            layout: layout(&entry.id, backend),
            cache_key: (),
            service: entry.service.name(),
            state: entry.state.name(),
            method: (),
            url: (),
            status: (),
            size: entry.size,
            created_at: entry.created_at,
            age: entry.age(now),
            ttl: entry.ttl(now),
            last_used: entry.last_used,
            freshness_lifetime: (),
            fresh: (),
            content_type: (),
            title: (),
            problem: entry.problem.as_deref(),
        }
    }
}

/// The Redis key of an HTTP entry, which is text.
fn key_name(id: &EntryId) -> Cow<'_, str> {
    match id.redis_key() {
        Cow::Borrowed(key) => String::from_utf8_lossy(key),
        Cow::Owned(key) => String::from_utf8(key).unwrap_or_default().into(),
    }
}

/// A key alone does not determine the Redis layout; results have only one there.
fn layout(id: &EntryId, backend: BackendKind) -> &'static str {
    match (id, backend) {
        (EntryId::Http(layout, _), _) => layout.name(),
        (EntryId::Key(_), BackendKind::Sqlite) => "sqlite",
        (EntryId::Key(_), _) => "pipeline",
    }
}
