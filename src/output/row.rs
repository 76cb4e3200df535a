//! An entry as JSON: one line of `ls --json`, and the beginning of `show --json`. It borrows, because lists are long.

use cache_core::redact::{Redacted, Secrets};
use cache_core::{BackendKind, EntryId, HttpSummary, Summary};
use serde::Serialize;

use crate::output::json::Text;

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
    id: Id<'a>,
    key: Id<'a>,
    layout: &'static str,
    cache_key: Id<'a>,
    service: &'static str,
    state: &'static str,
    method: Redacted<'a>,
    url: Redacted<'a>,
    status: u16,
    size: u64,
    created_at: Option<f64>,
    age: Option<f64>,
    ttl: Option<f64>,
    last_used: Option<f64>,
    freshness_lifetime: Option<f64>,
    fresh: Option<bool>,
    content_type: Option<Redacted<'a>>,
    title: Option<Redacted<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<Redacted<'a>>,
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
    prefix: Id<'a>,
    schema: Option<&'a str>,
    arguments: Id<'a>,
    size: u64,
    ttl: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<Redacted<'a>>,
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
    problem: Option<Redacted<'a>>,
}

/// Unknown: `null`.
type Unknown = ();

/// An ID or key: text or, in a foreign key with a key prefix of the cache, any bytes.
#[derive(Serialize)]
#[serde(untagged)]
pub enum Id<'a> {
    Name(Redacted<'a>),
    Key(Text<'a>),
}

impl<'a> Id<'a> {
    /// The ID of an entry.
    fn of(id: &'a EntryId, secrets: Secrets) -> Self {
        match id {
            EntryId::Http(..) => Self::Name(secrets.key(&id.text()).into_owned()),
            EntryId::Key(key) => Self::from_key(key, secrets),
        }
    }

    /// The Redis key of an entry; that of a response is text.
    fn of_key(id: &'a EntryId, secrets: Secrets) -> Self {
        match id {
            EntryId::Http(..) => Self::Name(secrets.key_bytes(&id.redis_key()).into_owned()),
            EntryId::Key(key) => Self::from_key(key, secrets),
        }
    }

    /// A Redis key, a cache key, or a part of one.
    pub fn from_key(key: &'a [u8], secrets: Secrets) -> Self {
        let masked = secrets.key_bytes(key);
        match std::str::from_utf8(key) {
            // Bytes stay bytes, unless they hold a secret.
            Err(_) if masked == Secrets::Revealed.key_bytes(key) => Self::Key(Text(key)),
            _ => Self::Name(masked),
        }
    }
}

impl<'a> Row<'a> {
    /// The row of an entry of this kind of backend; `now` in Unix seconds.
    pub fn new(entry: &'a Summary, backend: BackendKind, now: f64, secrets: Secrets) -> Self {
        match (&entry.http, &entry.id) {
            (Some(http), EntryId::Http(..)) => Self::Http(HttpRow::new(entry, http, now, secrets)),
            (_, EntryId::Key(key)) => match entry.result_key() {
                Some(parts) => Self::Result(ResultRow {
                    kind: entry.kind().name(),
                    id: Id::from_key(key, secrets),
                    key: Id::from_key(key, secrets),
                    layout: layout(&entry.id, backend),
                    service: entry.service.name(),
                    state: entry.state.name(),
                    prefix: Id::from_key(parts.prefix, secrets),
                    schema: parts.schema,
                    arguments: Id::from_key(parts.arguments, secrets),
                    size: entry.size,
                    ttl: entry.ttl(now),
                    problem: entry.problem.as_deref().map(|text| secrets.text(text)),
                }),
                None => Self::Unreadable(UnreadableRow::new(entry, backend, now, secrets)),
            },
            (None, EntryId::Http(..)) => Self::Unreadable(UnreadableRow::new(entry, backend, now, secrets)),
        }
    }
}

impl<'a> HttpRow<'a> {
    fn new(entry: &'a Summary, http: &'a HttpSummary, now: f64, secrets: Secrets) -> Self {
        Self {
            kind: entry.kind().name(),
            id: Id::of(&entry.id, secrets),
            key: Id::of_key(&entry.id, secrets),
            layout: layout(&entry.id, BackendKind::Redis),
            cache_key: Id::from_key(http.cache_key.as_bytes(), secrets),
            service: entry.service.name(),
            state: entry.state.name(),
            method: secrets.text(&http.method),
            url: secrets.url(&http.url),
            status: http.status,
            size: entry.size,
            created_at: entry.created_at,
            age: entry.age(now),
            ttl: entry.ttl(now),
            last_used: entry.last_used(now),
            freshness_lifetime: http.freshness.lifetime,
            fresh: entry.is_fresh(now),
            content_type: http.content_type.as_deref().map(|text| secrets.text(text)),
            title: http.title.as_deref().map(|text| secrets.text(text)),
            problem: entry.problem.as_deref().map(|text| secrets.text(text)),
        }
    }
}

impl<'a> UnreadableRow<'a> {
    fn new(entry: &'a Summary, backend: BackendKind, now: f64, secrets: Secrets) -> Self {
        Self {
            kind: entry.kind().name(),
            id: Id::of(&entry.id, secrets),
            key: Id::of_key(&entry.id, secrets),
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
            problem: entry.problem.as_deref().map(|text| secrets.text(text)),
        }
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
