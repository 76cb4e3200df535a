//! Building the [`Summary`] of an entry. All backends share this code, so that they return the same.

use std::borrow::Cow;
#[cfg(any(feature = "redis", feature = "sqlite"))]
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use crate::format::charset;
#[cfg(any(feature = "redis", feature = "sqlite"))]
use crate::format::entry_view::EntryView;
use crate::format::title;
use crate::model::entry::{Entry, EntryId, EntryState, StorageLayout};
#[cfg(any(feature = "redis", feature = "sqlite"))]
use crate::model::key::CacheKey;
use crate::model::key::ResultKey;
use crate::model::service::{ServiceName, ServiceRegistry};
use crate::model::summary::{HttpSummary, Summary};
use crate::policy::freshness;

/// How much of a body is searched for a title.
pub(crate) const TITLE_WINDOW: usize = 2_048;

/// The data of a stored entry besides its encoded head.
#[cfg(any(feature = "redis", feature = "sqlite"))]
pub(crate) struct StoredParts<'a> {
    pub(crate) layout: StorageLayout,
    pub(crate) id: uuid::Uuid,
    /// Bytes of the body.
    pub(crate) size: u64,
    pub(crate) is_complete: bool,
    /// The expiry recorded in the layout; `None`: never.
    pub(crate) expires_at: Option<f64>,
    /// The cache key, if the layout stores it beside the head.
    pub(crate) cache_key: Option<&'a [u8]>,
    /// The start of the body, if it was read for a title.
    pub(crate) body_start: &'a [u8],
}

/// The summary of an entry with a head that was read as [`EntryView`].
#[cfg(any(feature = "redis", feature = "sqlite"))]
pub(crate) fn from_view(services: &ServiceRegistry, view: &EntryView<'_>, stored: &StoredParts<'_>) -> Summary {
    let created_at = view.meta.as_ref().map(|meta| meta.created_at);
    let service = services.by_url(&view.request.url);
    let cache_key = stored.cache_key.or(view.cache_key.map(|key| &key[..])).unwrap_or_default();
    Summary {
        id: EntryId::Http(stored.layout, stored.id),
        state: state(view.is_deleted(), stored.is_complete),
        service,
        size: stored.size,
        created_at,
        expires_at: stored.expires_at,
        last_used: last_used(services, service, view.request.extra.own_ttl(), created_at, stored.expires_at),
        http: Some(Box::new(HttpSummary {
            cache_key: CacheKey::new(cache_key),
            method: method(&view.request.method),
            url: view.request.url.as_ref().into(),
            status: view.response.status_code,
            content_type: view.response.headers.content_type.first().map(Into::into),
            title: title(
                &view.request.method,
                stored.body_start,
                view.response.headers.content_type.first().map(AsRef::as_ref),
            ),
            freshness: freshness::freshness_of_fields(view.response.status_code, &view.response.headers, created_at),
        })),
        problem: None,
        version: None,
    }
}

/// The summary of a complete entry.
pub(crate) fn from_entry(
    services: &ServiceRegistry,
    layout: StorageLayout,
    entry: &Entry,
    body: &[u8],
    expires_at: Option<f64>,
) -> Summary {
    let service = services.by_url(&entry.request.url);
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
            title: title(&entry.request.method, body, entry.response.headers.get("content-type")),
            freshness: freshness::freshness(entry.response.status_code, &entry.response.headers, entry.created_at),
        })),
        problem: None,
        version: None,
    }
}

/// The summary of a stored result.
pub(crate) fn from_result(services: &ServiceRegistry, key: &[u8], size: u64, expires_at: Option<f64>) -> Summary {
    let service = ResultKey::parse(key).map_or(ServiceName::OTHER, |parts| services.by_result_prefix(parts.prefix));
    Summary {
        id: EntryId::key(key),
        state: EntryState::Live,
        service,
        size,
        created_at: None,
        expires_at,
        last_used: None,
        http: None,
        problem: None,
        version: None,
    }
}

/// The summary of a corrupt entry or an orphan.
#[cfg(any(feature = "redis", feature = "sqlite"))]
pub(crate) fn from_problem(
    id: EntryId,
    state: EntryState,
    expires_at: Option<f64>,
    problem: impl Into<Box<str>>,
) -> Summary {
    Summary {
        id,
        state,
        service: ServiceName::OTHER,
        size: 0,
        created_at: None,
        expires_at,
        last_used: None,
        http: None,
        problem: Some(problem.into()),
        version: None,
    }
}

/// The [`Summary::version`] of an entry. `body`: its number of elements or rows, and whether a mark says that it is
/// complete.
#[cfg(any(feature = "redis", feature = "sqlite"))]
pub(crate) fn version(
    layout: StorageLayout,
    data: &[u8],
    created_at: Option<f64>,
    body: Option<(Option<u64>, bool)>,
) -> u64 {
    let mut hasher = DefaultHasher::new();
    match (layout, created_at) {
        // These contain the TTL, which each hit renews.
        (StorageLayout::Hishel1 | StorageLayout::Sqlite1, Some(at)) => at.to_bits().hash(&mut hasher),
        _ => data.hash(&mut hasher),
    }
    body.hash(&mut hasher);
    hasher.finish()
}

pub(crate) fn state(is_deleted: bool, is_complete: bool) -> EntryState {
    match (is_deleted, is_complete) {
        (true, _) => EntryState::Deleted,
        (false, true) => EntryState::Live,
        (false, false) => EntryState::Incomplete,
    }
}

/// The pipeline renews the full TTL of an entry on every hit, so the remaining TTL gives the time of the last hit.
pub(crate) fn last_used(
    services: &ServiceRegistry,
    service: ServiceName,
    own_ttl: Option<f64>,
    created_at: Option<f64>,
    expires_at: Option<f64>,
) -> Option<f64> {
    let ttl = own_ttl.unwrap_or_else(|| services.get(service).ttl.as_secs_f64());
    // Not before it was stored: the TTL may have been changed manually.
    Some((expires_at? - ttl).max(created_at?))
}

pub(crate) fn method(text: &str) -> Cow<'static, str> {
    match text {
        "GET" => Cow::Borrowed("GET"),
        "POST" => Cow::Borrowed("POST"),
        other => Cow::Owned(other.to_owned()),
    }
}

/// Whether the URL does not identify the content: the query may be in the body of the request, which is not stored.
pub(crate) fn needs_title(method: &str) -> bool {
    method != "GET" && method != "HEAD"
}

pub(crate) fn title(method: &str, body_start: &[u8], content_type: Option<&str>) -> Option<Box<str>> {
    let window = &body_start[..body_start.len().min(TITLE_WINDOW)];
    needs_title(method).then(|| title::title(&charset::start_text(window, content_type))).flatten().map(Into::into)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn last_used_after_ttl_extension_is_not_in_the_future() {
        let mut summary = from_result(&ServiceRegistry::default(), b"result_cache:p:1", 0, Some(100.0));
        for (last_used, expected) in
            [(None, None), (Some(40.0), Some(40.0)), (Some(50.5), Some(50.0)), (Some(60.0), None)]
        {
            summary.last_used = last_used;
            assert_eq!(summary.last_used(50.0), expected);
        }
    }
}

#[cfg(all(test, any(feature = "redis", feature = "sqlite")))]
mod view_tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;
    use crate::format::msgpack;
    use crate::model::entry::{Request, Response};
    use crate::model::headers::Headers;

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
            (method, url) in (prop_oneof!["GET", "POST", "[A-Z]{1,6}"], "https://(maps.example|x.org)/\\PC{0,20}"),
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
        fn an_entry_view_gives_the_same_summary_as_the_entry(
            entry in entry(), body in "(\\PC{0,9}|\\{\"title\": \"t\"\\})", expires_at in proptest::option::of(0.0..2e9),
        ) {
            let services = ServiceRegistry::default();
            let pair = msgpack::encode_pair(&entry);
            let stored = StoredParts {
                layout: StorageLayout::Sqlite1,
                id: entry.id,
                size: body.len() as u64,
                is_complete: true,
                expires_at,
                cache_key: None,
                body_start: body.as_bytes(),
            };
            let view = EntryView::decode(&pair).unwrap();
            for tail in [0x00, 0xc1, 0xdb] {
                prop_assert!(EntryView::decode(&[&pair[..], &[tail]].concat()).is_err());
            }
            prop_assert_eq!(
                from_view(&services, &view, &stored),
                from_entry(&services, StorageLayout::Sqlite1, &entry, body.as_bytes(), expires_at)
            );
        }
    }
}
