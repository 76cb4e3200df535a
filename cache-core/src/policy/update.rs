//! Updating stored responses by a 304 or the response to a HEAD (RFC 9111, 3.2, 4.3.4, 4.3.5).

use crate::format::http_date;
use crate::model::entry::Response;
use crate::model::headers::Headers;
use crate::policy::directives::ResponseDirectives;
use crate::policy::storable;

/// The stored response with the fields of the new one (RFC 9111, 3.2), received at `now`.
pub(crate) fn refresh_response_headers(stored: &Response, new: &Headers, now: f64, is_shared: bool) -> Response {
    let mut updated = stored.clone();
    // `Age` and the like of the earlier response no longer apply.
    updated.headers.set("age", None);
    let fields = storable::fields(new, &ResponseDirectives::from_view(new), is_shared);
    for (name, values) in fields.iter().filter(|(name, _)| !describes_body(name)) {
        updated.headers.set(name, values.iter().cloned());
    }
    if new.get("date").is_none() {
        set_date(&mut updated.headers, now);
    }
    updated
}

/// RFC 9110, 6.6.1: a stored response without `Date` gets the time of its arrival.
pub(crate) fn set_date(headers: &mut Headers, now: f64) {
    if let Some(date) = http_date::format(now) {
        headers.set("date", [date]);
    }
}

/// RFC 9111, 3.2: the body is not updated, nor are the fields that describe its encoding.
fn describes_body(name: &str) -> bool {
    matches!(name, "content-length" | "content-encoding" | "content-range")
}

/// Whether the response to a HEAD is of the stored representation (RFC 9111, 4.3.5): the validators that it has are
/// equal.
pub(crate) fn is_of_same_representation(stored: &Response, head: &Response) -> bool {
    stored.status_code == head.status_code
        && ["etag", "last-modified", "content-length"]
            .into_iter()
            .all(|name| head.headers.get(name).is_none_or(|value| stored.headers.get(name) == Some(value)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn response(fields: &[(&str, &str)]) -> Response {
        Response { status_code: 200, headers: fields.iter().copied().collect(), ..Response::default() }
    }

    #[test]
    fn new_fields_replace_all_but_those_of_the_body() {
        let stored = response(&[
            ("age", "7"),
            ("cache-control", "max-age=1"),
            ("content-encoding", "gzip"),
            ("content-length", "36"),
            ("kept", "a"),
            ("date", "Sun, 06 Nov 1994 08:49:37 GMT"),
        ]);
        let new = response(&[
            ("connection", "hop"),
            ("cache-control", "max-age=2"),
            ("cache-control", "public"),
            ("content-length", "0"),
            ("content-encoding", "br"),
            ("content-type", "text/html"),
            ("hop", "x"),
            ("transfer-encoding", "chunked"),
        ]);
        let expected = response(&[
            ("cache-control", "max-age=2"),
            ("cache-control", "public"),
            ("content-encoding", "gzip"),
            ("content-length", "36"),
            ("kept", "a"),
            ("date", "Thu, 01 Jan 1970 00:00:09 GMT"),
            ("content-type", "text/html"),
        ]);
        assert_eq!(refresh_response_headers(&stored, &new.headers, 9.0, false), expected);
    }

    #[rstest]
    #[case(&[], true)]
    #[case(&[("etag", "\"a\""), ("content-length", "3")], true)]
    #[case(&[("etag", "\"b\"")], false)]
    #[case(&[("content-length", "4")], false)]
    #[case(&[("last-modified", "Sun, 06 Nov 1994 08:49:37 GMT")], false)]
    fn head_response_identifies_the_representation(#[case] fields: &[(&str, &str)], #[case] expected: bool) {
        let stored = response(&[("etag", "\"a\""), ("content-length", "3")]);
        assert_eq!(is_of_same_representation(&stored, &response(fields)), expected);
        let gone = Response { status_code: 410, ..response(fields) };
        assert!(!is_of_same_representation(&stored, &gone));
    }
}
