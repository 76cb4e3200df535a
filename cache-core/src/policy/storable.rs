//! Storing responses in caches (RFC 9111, 3), and for how long.

use std::time::Duration;

use crate::model::entry::{Request, Response};
use crate::model::freshness::Freshness;
use crate::model::headers::Headers;
use crate::policy::conditional::has_validator;
use crate::policy::directives::{RequestDirectives, ResponseDirectives, members};
use crate::policy::fields::{is_condition, is_credential, is_hop_by_hop};
use crate::policy::freshness::is_heuristically_cacheable;
use crate::policy::{invalidation, vary};

/// The longest time that a response is kept past its freshness lifetime; seconds.
const MAX_STALE_RETENTION: f64 = 7.0 * 86_400.0;

/// The shortest time that a response is kept past its freshness lifetime if it can be validated; seconds.
const MIN_VALIDATION_RETENTION: f64 = 86_400.0;

/// How long a response is kept that cannot be served any more: until its readers have finished; seconds.
const UNUSABLE_RETENTION: f64 = 60.0;

/// RFC 9111, 3: whether a cache may store the response.
pub(crate) fn is_storable(
    request: &Request,
    response: &Response,
    directives: &ResponseDirectives<'_>,
    is_shared: bool,
) -> bool {
    let status = response.status_code;
    let has_explicit_lifetime = directives.max_age.is_some()
        || is_shared && directives.s_maxage.is_some()
        || response.headers.get("expires").is_some();
    let is_method_understood = match request.method.as_str() {
        "GET" => true,
        // RFC 9110, 9.3.3.
        "POST" => {
            has_explicit_lifetime && (200..300).contains(&status) && invalidation::is_same_origin(request, response)
        }
        _ => false,
    };
    // RFC 9111, 5.2.2.3: with `must-understand` and a known status, `no-store` is for older caches.
    let forbids = if directives.must_understand { !is_understood(status) } else { directives.no_store };
    // RFC 9111, 3.5.
    let is_for_one_user = request.headers.get("authorization").is_some()
        && !(directives.public || directives.must_revalidate || directives.s_maxage.is_some());
    is_method_understood
        && describes_resource(status)
        && !forbids
        && !RequestDirectives::from_headers(&request.headers).no_store
        && !(is_shared && (directives.private || is_for_one_user))
        && (has_explicit_lifetime || directives.public || directives.private || is_heuristically_cacheable(status))
        && !vary::is_anything(&response.headers)
}

/// Whether the response sets a cookie and is fresh by heuristics only: the origin did not think of caches.
pub(crate) fn is_session(response: &Response, directives: &ResponseDirectives<'_>) -> bool {
    response.headers.get("set-cookie").is_some()
        && directives.max_age.is_none()
        && response.headers.get("expires").is_none()
}

/// Whether a status is final and of the whole resource: 206 is a part, 304, 412 and 416 are about the request.
pub(crate) fn describes_resource(status: u16) -> bool {
    status >= 200 && !matches!(status, 206 | 304 | 412 | 416)
}

/// The status codes that RFC 9110 (15) defines.
fn is_understood(status: u16) -> bool {
    matches!(status, 200..=206 | 300..=305 | 307 | 308 | 400..=417 | 421 | 422 | 426 | 500..=505)
}

/// How long a response is kept; `None` if it could never be served.
pub(crate) fn retention(
    response: &Headers,
    directives: &ResponseDirectives<'_>,
    freshness: &Freshness,
    is_shared: bool,
) -> Option<Duration> {
    let lifetime = freshness.lifetime.unwrap_or(0.0);
    if directives.no_store && !directives.must_understand || is_shared && directives.private {
        return Some(Duration::from_secs_f64(UNUSABLE_RETENTION));
    }
    let windows = directives.stale_while_revalidate.unwrap_or(0.0).max(directives.stale_if_error.unwrap_or(0.0));
    if lifetime <= 0.0 && windows <= 0.0 && !has_validator(response) {
        return None;
    }
    let is_left = (lifetime - freshness.initial_age).max(0.0);
    // For as long again as it was fresh, if it can be of use.
    let stale = if has_validator(response) {
        lifetime.clamp(MIN_VALIDATION_RETENTION, MAX_STALE_RETENTION)
    } else if directives.no_cache || forbids_stale(directives, is_shared) {
        UNUSABLE_RETENTION
    } else {
        lifetime.clamp(UNUSABLE_RETENTION, MAX_STALE_RETENTION)
    };
    Some(Duration::from_secs_f64(is_left + windows.max(stale)))
}

/// RFC 9111, 4.2.4: whether directives forbid to serve a response stale.
pub(crate) fn forbids_stale(directives: &ResponseDirectives<'_>, is_shared: bool) -> bool {
    directives.must_revalidate || is_shared && (directives.proxy_revalidate || directives.s_maxage.is_some())
}

/// The fields of a response to store (RFC 9111, 3.1).
pub(crate) fn fields(response: &Headers, directives: &ResponseDirectives<'_>, is_shared: bool) -> Headers {
    let private: Vec<&str> =
        directives.private_fields.iter().copied().filter(|_| is_shared).flat_map(members).collect();
    let mut fields = exclude_unstorable_headers(response);
    fields.retain(|name| !is_named(name, &private));
    fields
}

/// The fields of a response without the hop-by-hop ones (RFC 9110, 7.6.1).
pub(crate) fn exclude_unstorable_headers(response: &Headers) -> Headers {
    let options: Vec<&str> = response.all("connection").flat_map(members).collect();
    let mut fields = response.clone();
    fields.retain(|name| {
        let is_option = is_named(name, &options) && !is_public(name);
        !(is_hop_by_hop(name) || is_option)
    });
    fields
}

pub(crate) fn is_named(name: &str, names: &[&str]) -> bool {
    names.iter().any(|other| other.eq_ignore_ascii_case(name))
}

/// RFC 9110, 7.6.1: "Cache-Control is never appropriate as a connection option". Without it, what it forbids would be
/// allowed.
fn is_public(name: &str) -> bool {
    matches!(name, "cache-control" | "vary")
}

/// The request as stored: only `Vary` compares a later GET with it, and needs no credentials for that but their hash.
pub(crate) fn request(request: &Request, response: &Headers) -> Request {
    let nominated: Vec<&str> = vary::nominated(response).collect();
    let mut stored = Request { method: "GET".into(), ..request.clone() };
    stored.headers.retain(|name| is_named(name, &nominated) || !(is_hop_by_hop(name) || matches_request(name)));
    let credentials: Vec<String> =
        stored.headers.iter().map(|(name, _)| name.to_owned()).filter(|name| is_credential(name)).collect();
    for name in credentials {
        let hash = vary::credential_hash(&name, request);
        stored.headers.set(&name, [hash]);
    }
    stored
}

/// Whether a field concerns this request only.
fn matches_request(name: &str) -> bool {
    is_condition(name) || is_credential(name) || matches!(name, "content-length" | "content-type")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::freshness::freshness_for_cache;
    use rstest::rstest;

    fn headers(fields: &[(&str, &str)]) -> Headers {
        fields.iter().copied().collect()
    }

    fn get(fields: &[(&str, &str)]) -> Request {
        Request { method: "GET".into(), url: "http://x/".into(), headers: headers(fields), ..Request::default() }
    }

    fn is_stored(request: &Request, status: u16, fields: &[(&str, &str)], is_shared: bool) -> bool {
        let response = Response { status_code: status, headers: headers(fields), ..Response::default() };
        is_storable(request, &response, &ResponseDirectives::from_view(&response.headers), is_shared)
    }

    #[rstest]
    #[case::heuristically(200, "x", true, true)]
    #[case::without_reason(201, "x", false, false)]
    #[case::explicitly(201, "max-age=1", true, true)]
    #[case::unknown_status(599, "max-age=1", true, true)]
    #[case::public(599, "public", true, true)]
    #[case::private(200, "private, max-age=1", true, false)]
    #[case::private_makes_storable(201, "private", true, false)]
    #[case::private_for_some_fields(200, "private=\"a\", max-age=1", true, true)]
    #[case::s_maxage(201, "s-maxage=1", false, true)]
    #[case::no_store(200, "max-age=1, no-store", false, false)]
    #[case::understood(200, "max-age=1, no-store, must-understand", true, true)]
    #[case::not_understood(599, "max-age=1, must-understand", false, false)]
    #[case::no_cache(200, "no-cache", true, true)]
    #[case::part(206, "max-age=1", false, false)]
    #[case::not_modified(304, "max-age=1", false, false)]
    #[case::interim(103, "max-age=1", false, false)]
    #[case::of_the_range(416, "max-age=1", false, false)]
    fn section_3_says_what_is_stored(
        #[case] status: u16,
        #[case] cache_control: &str,
        #[case] in_private: bool,
        #[case] in_shared: bool,
    ) {
        let fields = [("cache-control", cache_control)];
        assert_eq!(is_stored(&get(&[]), status, &fields, false), in_private);
        assert_eq!(is_stored(&get(&[]), status, &fields, true), in_shared);
    }

    #[rstest]
    #[case("max-age=1", false)]
    #[case("max-age=1, public", true)]
    #[case("max-age=1, must-revalidate", true)]
    #[case("s-maxage=1", true)]
    #[case("s-maxage=1, private", false)]
    fn authorization_is_not_stored_in_shared_caches(#[case] cache_control: &str, #[case] in_shared: bool) {
        let request = get(&[("authorization", "Bearer x")]);
        assert_eq!(is_stored(&request, 200, &[("cache-control", cache_control)], true), in_shared);
        assert!(is_stored(&request, 200, &[("cache-control", "max-age=1")], false));
    }

    #[test]
    fn forbidden_and_never_matching_responses_are_not_stored() {
        assert!(!is_stored(&get(&[("cache-control", "x, No-Store")]), 200, &[("cache-control", "max-age=1")], false));
        assert!(!is_stored(&get(&[]), 200, &[("cache-control", "max-age=1"), ("vary", "a, *")], false));
    }

    #[rstest]
    #[case("POST", 200, &[("cache-control", "max-age=1"), ("content-location", "/")], true)]
    #[case("POST", 200, &[("cache-control", "max-age=1"), ("content-location", "/other")], false)]
    #[case("POST", 200, &[("cache-control", "max-age=1")], false)]
    #[case("POST", 200, &[("content-location", "/"), ("last-modified", "x")], false)]
    #[case("POST", 500, &[("cache-control", "max-age=1"), ("content-location", "/")], false)]
    #[case("PUT", 200, &[("cache-control", "max-age=1"), ("content-location", "/")], false)]
    #[case("HEAD", 200, &[("cache-control", "max-age=1")], false)]
    fn other_methods_are_stored_only_if_valid_for_get(
        #[case] method: &str,
        #[case] status: u16,
        #[case] fields: &[(&str, &str)],
        #[case] expected: bool,
    ) {
        let request = Request { method: method.into(), ..get(&[]) };
        assert_eq!(is_stored(&request, status, fields, false), expected);
    }

    #[test]
    fn hop_by_hop_fields_are_not_stored() {
        let response = headers(&[
            ("connection", "close, A"),
            ("connection", "b,Cache-Control"),
            ("a", "1"),
            ("b", "2"),
            ("c", "3"),
            ("c", "4"),
            ("cache-control", "no-cache, private=\"p\""),
            ("keep-alive", "timeout=5"),
            ("proxy-authenticate", "x"),
            ("proxy-authentication-info", "x"),
            ("proxy-authorization", "x"),
            ("proxy-connection", "x"),
            ("te", "x"),
            ("trailer", "x"),
            ("transfer-encoding", "chunked"),
            ("upgrade", "x"),
            ("p", "x"),
        ]);
        let directives = ResponseDirectives::from_view(&response);
        let kept = [("c", "3"), ("c", "4"), ("cache-control", "no-cache, private=\"p\"")];
        assert_eq!(fields(&response, &directives, true), headers(&kept));
        assert_eq!(fields(&response, &directives, false), headers(&[&kept[..], &[("p", "x")]].concat()));
    }

    #[test]
    fn credentials_are_stored_only_if_the_response_varies_by_them() {
        let asked = get(&[
            ("accept", "*/*"),
            ("authorization", "Bearer x"),
            ("cookie", "a=b"),
            ("if-none-match", "\"a\""),
            ("range", "bytes=0-1"),
            ("te", "trailers"),
        ]);
        let stored = request(&asked, &headers(&[]));
        assert_eq!(stored.headers, headers(&[("accept", "*/*")]));
        let stored = request(&asked, &headers(&[("vary", "Cookie")]));
        let cookie = stored.headers.get("cookie").unwrap();
        assert!(cookie.starts_with("sha-256=") && !cookie.contains("a=b"), "{cookie}");
        assert_eq!(stored.headers.iter().map(|(name, _)| name).collect::<Vec<_>>(), ["accept", "cookie"]);
    }

    #[rstest]
    #[case("max-age=1, must-revalidate", &[], false, 61)]
    #[case("max-age=1, must-revalidate", &[("etag", "\"a\"")], false, 86_401)]
    #[case("max-age=1", &[], false, 61)]
    #[case("max-age=3600", &[], false, 7_200)]
    #[case("max-age=3600", &[], true, 7_200)]
    #[case("max-age=60, no-cache", &[], false, 120)]
    #[case("s-maxage=3600", &[], true, 3_660)]
    #[case("max-age=60, proxy-revalidate", &[], true, 120)]
    #[case("max-age=60, stale-if-error=600", &[], false, 660)]
    #[case("max-age=31536000", &[], false, 31_536_000 + 604_800)]
    #[case("no-cache", &[("etag", "\"a\"")], false, 86_400)]
    fn response_is_kept_as_long_as_it_can_be_used(
        #[case] cache_control: &str,
        #[case] fields: &[(&str, &str)],
        #[case] is_shared: bool,
        #[case] seconds: u64,
    ) {
        let response = headers(&[&[("cache-control", cache_control)], fields].concat());
        let directives = ResponseDirectives::from_view(&response);
        let freshness = freshness_for_cache(200, &response, &directives, Some(0.0), is_shared);
        let kept = retention(&response, &directives, &freshness, is_shared).unwrap();
        assert_eq!(kept, Duration::from_secs(seconds));
    }
}
