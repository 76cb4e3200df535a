//! The short form of an entry, which lists show, made from what a store read. One place, so that every backend tells
//! the same.

use std::borrow::Cow;

use crate::codec::{Facts, body};
use crate::entry::{Entry, EntryId, Kind, Layout, State};
use crate::key::{CacheKey, ResultKey};
use crate::policy::Freshness;
use crate::service::{Service, Services};

/// One entry as lists show it: everything but headers and body.
#[derive(Clone, Debug, PartialEq)]
pub struct Summary {
    /// What names it.
    pub id: EntryId,
    /// Whether it can be served.
    pub state: State,
    /// Whose it is.
    pub service: Service,
    /// Bytes of the body as stored (HTTP) or of the value (results).
    pub size: u64,
    /// When it was stored; `None` where the layout does not say.
    pub created_at: Option<f64>,
    /// When it expires; `None`: never.
    pub expires_at: Option<f64>,
    /// When it was last served, as far as the remaining TTL tells: of a TTL that was changed by hand it is not true, and
    /// may be a time to come. [`Summary::last_used`] is for showing.
    pub last_used: Option<f64>,
    /// What only HTTP entries have. `None` for results and for what cannot be read.
    pub http: Option<Box<HttpSummary>>,
    /// Why it cannot be read or has no owner; `None` for a readable entry.
    pub problem: Option<Box<str>>,
}

/// The part of a [`Summary`] that only HTTP entries have.
#[derive(Clone, Debug, PartialEq)]
pub struct HttpSummary {
    /// The key that the response is stored under.
    pub cache_key: CacheKey,
    /// The request's method.
    pub method: Cow<'static, str>,
    /// The request's URL.
    pub url: Box<str>,
    /// The response's status code.
    pub status: u16,
    /// The response's `Content-Type`.
    pub content_type: Option<Box<str>>,
    /// What the answer is about, where the URL does not tell (`POST`, GraphQL).
    pub title: Option<Box<str>>,
    /// Freshness by RFC 9111, as a private cache sees it.
    pub freshness: Freshness,
}

impl Summary {
    /// Which cache it belongs to.
    pub fn kind(&self) -> Kind {
        self.id.kind()
    }

    /// Seconds until it expires, at least 0; `None`: never.
    pub fn ttl(&self, now: f64) -> Option<f64> {
        self.expires_at.map(|at| (at - now).max(0.0))
    }

    /// Seconds since it was stored; `None` where the layout does not say when that was.
    pub fn stored_for(&self, now: f64) -> Option<f64> {
        self.created_at.map(|at| (now - at).max(0.0))
    }

    /// RFC 9111 §4.2.3 `current_age` of an HTTP entry, seconds since stored of a result.
    pub fn age(&self, now: f64) -> Option<f64> {
        let initial = self.http.as_ref().map_or(0.0, |http| http.freshness.initial_age);
        self.stored_for(now).map(|seconds| initial + seconds)
    }

    /// RFC 9111 §4.2: whether it may be served without asking the origin; `None` where its age is unknown.
    pub fn is_fresh(&self, now: f64) -> Option<bool> {
        let http = self.http.as_ref()?;
        Some(http.freshness.is_fresh(self.age(now)?))
    }

    /// When it was last served; `None` where that is not known.
    pub fn last_used(&self, now: f64) -> Option<f64> {
        self.last_used.filter(|at| *at <= now + CLOCKS_DIFFER).map(|at| at.min(now))
    }

    /// The parts of a result's key; `None` for HTTP entries.
    pub fn result_key(&self) -> Option<ResultKey<'_>> {
        match &self.id {
            EntryId::Key(key) => ResultKey::parse(key),
            EntryId::Http(..) => None,
        }
    }
}

/// By how much, in seconds, the clock of a server may be ahead of ours.
const CLOCKS_DIFFER: f64 = 1.0;

/// How much of a body is looked at for a title.
pub(crate) const TITLE_WINDOW: usize = 2_048;

/// What a store knows of an entry besides its encoded heads.
pub(crate) struct Stored<'a> {
    pub(crate) layout: Layout,
    pub(crate) id: uuid::Uuid,
    /// Bytes of the body.
    pub(crate) size: u64,
    pub(crate) is_complete: bool,
    /// When the layout says that it expires; `None`: never.
    pub(crate) expires_at: Option<f64>,
    /// Where the layout keeps the cache key beside the heads.
    pub(crate) cache_key: Option<&'a [u8]>,
    /// The start of the body, where it was read for a title.
    pub(crate) body_start: &'a [u8],
}

/// The summary of an entry whose heads were read as [`Facts`].
pub(crate) fn of_facts(services: &Services, facts: &Facts<'_>, stored: &Stored<'_>) -> Summary {
    let created_at = facts.meta.as_ref().map(|meta| meta.created_at);
    let service = services.of_url(&facts.request.url);
    let cache_key = stored.cache_key.or(facts.cache_key.map(|key| &key[..])).unwrap_or_default();
    Summary {
        id: EntryId::Http(stored.layout, stored.id),
        state: state(facts.is_deleted(), stored.is_complete),
        service,
        size: stored.size,
        created_at,
        expires_at: stored.expires_at,
        last_used: last_used(services, service, facts.request.extra.own_ttl(), created_at, stored.expires_at),
        http: Some(Box::new(HttpSummary {
            cache_key: CacheKey::new(cache_key),
            method: method(&facts.request.method),
            url: facts.request.url.as_ref().into(),
            status: facts.response.status_code,
            content_type: facts.response.headers.content_type.first().map(Into::into),
            title: title(&facts.request.method, stored.body_start),
            freshness: Freshness::of_fields(facts.response.status_code, &facts.response.headers, created_at),
        })),
        problem: None,
    }
}

/// The summary of an entry that is there whole.
pub(crate) fn of_entry(
    services: &Services,
    layout: Layout,
    entry: &Entry,
    body: &[u8],
    expires_at: Option<f64>,
) -> Summary {
    let service = services.of_url(&entry.request.url);
    Summary {
        id: EntryId::Http(layout, entry.id),
        state: state(entry.is_deleted(), true),
        service,
        size: body.len() as u64,
        created_at: entry.created_at,
        expires_at,
        last_used: last_used(services, service, entry.request.extra.ttl(), entry.created_at, expires_at),
        http: Some(Box::new(HttpSummary {
            cache_key: entry.cache_key.clone(),
            method: method(&entry.request.method),
            url: entry.request.url.as_str().into(),
            status: entry.response.status_code,
            content_type: entry.response.headers.get("content-type").map(Into::into),
            title: title(&entry.request.method, body),
            freshness: Freshness::of(entry.response.status_code, &entry.response.headers, entry.created_at),
        })),
        problem: None,
    }
}

/// The summary of a stored result.
pub(crate) fn of_result(key: &[u8], size: u64, expires_at: Option<f64>) -> Summary {
    let service = ResultKey::parse(key).map_or(Service::Other, |parts| Service::of_result_prefix(parts.prefix));
    Summary {
        id: EntryId::key(key),
        state: State::Live,
        service,
        size,
        created_at: None,
        expires_at,
        last_used: None,
        http: None,
        problem: None,
    }
}

/// The summary of what cannot be read (`Corrupt`) or belongs to nothing (`Orphan`).
pub(crate) fn of_problem(id: EntryId, state: State, expires_at: Option<f64>, problem: impl Into<Box<str>>) -> Summary {
    Summary {
        id,
        state,
        service: Service::Other,
        size: 0,
        created_at: None,
        expires_at,
        last_used: None,
        http: None,
        problem: Some(problem.into()),
    }
}

fn state(is_deleted: bool, is_complete: bool) -> State {
    match (is_deleted, is_complete) {
        (true, _) => State::Deleted,
        (false, true) => State::Live,
        (false, false) => State::Incomplete,
    }
}

/// The pipeline gives an entry its full TTL again whenever it serves it, so what is left tells when that was.
fn last_used(
    services: &Services,
    service: Service,
    own_ttl: Option<f64>,
    created_at: Option<f64>,
    expires_at: Option<f64>,
) -> Option<f64> {
    let ttl = own_ttl.unwrap_or_else(|| services.ttl(service).as_secs_f64());
    // Never before it was stored: its TTL may have been changed by hand.
    Some((expires_at? - ttl).max(created_at?))
}

fn method(text: &str) -> Cow<'static, str> {
    match text {
        "GET" => Cow::Borrowed("GET"),
        "POST" => Cow::Borrowed("POST"),
        other => Cow::Owned(other.to_owned()),
    }
}

/// A URL says what its answer is about, except where the question is in the request's body, which is not stored.
pub(crate) fn needs_title(method: &str) -> bool {
    method != "GET" && method != "HEAD"
}

fn title(method: &str, body_start: &[u8]) -> Option<Box<str>> {
    let window = &body_start[..body_start.len().min(TITLE_WINDOW)];
    needs_title(method).then(|| body::title(window)).flatten().map(Into::into)
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;
    use crate::codec;
    use crate::entry::{Headers, Request, Response};

    #[test]
    fn an_entry_whose_ttl_was_made_longer_was_not_used_in_the_future() {
        let mut summary = of_result(b"result_cache:p:1", 0, Some(100.0));
        for (last_used, expected) in
            [(None, None), (Some(40.0), Some(40.0)), (Some(50.5), Some(50.0)), (Some(60.0), None)]
        {
            summary.last_used = last_used;
            assert_eq!(summary.last_used(50.0), expected);
        }
    }

    fn fields(names: &'static [&'static str]) -> impl Strategy<Value = Headers> {
        let value = prop_oneof![
            "\\PC{0,12}",
            Just("max-age=60, no-cache".to_owned()),
            Just("Sun, 06 Nov 1994 08:49:37 GMT".to_owned()),
        ];
        vec((prop::sample::select(names), value), 0..8)
            .prop_map(|fields| fields.iter().map(|(name, value)| (*name, value.as_str())).collect())
    }

    prop_compose! {
        fn entry()(
            (method, url) in (prop_oneof!["GET", "POST", "[A-Z]{1,6}"], "https://(kitsu.io|x.org)/\\PC{0,20}"),
            asked in fields(&["accept", "cookie"]),
            answered in fields(&["cache-control", "age", "date", "expires", "last-modified", "content-type", "etag"]),
            status_code in any::<u16>(),
            own_ttl in proptest::option::of(1.0..1e6),
            created_at in 0.0..2e9,
            deleted_at in proptest::option::of(0.0..2e9),
        ) -> Entry {
            let mut request = Request { method, url, headers: asked, ..Request::default() };
            if let Some(ttl) = own_ttl {
                request.extra.set_ttl(ttl);
            }
            Entry {
                id: uuid::Uuid::from_u128(1),
                cache_key: CacheKey::new(*b"key"),
                request,
                response: Response { status_code, headers: answered, ..Response::default() },
                created_at: Some(created_at),
                deleted_at,
            }
        }
    }

    proptest! {
        #[test]
        fn the_few_facts_tell_the_same_as_the_whole_entry(
            entry in entry(), body in "(\\PC{0,9}|\\{\"title\": \"t\"\\})", expires_at in proptest::option::of(0.0..2e9),
        ) {
            let services = Services::default();
            let pair = codec::encode_pair(&entry);
            let stored = Stored {
                layout: Layout::Sqlite1,
                id: entry.id,
                size: body.len() as u64,
                is_complete: true,
                expires_at,
                cache_key: None,
                body_start: body.as_bytes(),
            };
            let facts = Facts::decode(&pair).unwrap();
            for tail in [0x00, 0xc1, 0xdb] {
                prop_assert!(Facts::decode(&[&pair[..], &[tail]].concat()).is_err());
            }
            prop_assert_eq!(
                of_facts(&services, &facts, &stored),
                of_entry(&services, Layout::Sqlite1, &entry, body.as_bytes(), expires_at)
            );
        }
    }
}
