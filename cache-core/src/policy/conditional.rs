//! Conditional requests and validation (RFC 9110, 13; RFC 9111, 4.3).

use crate::format::http_date;
use crate::model::entry::{Request, Response};
use crate::model::headers::Headers;
use crate::policy::directives::members;
use crate::policy::fields::is_condition;

/// RFC 9110, 8.8.3.2: the strong comparison.
pub(crate) fn is_same_strong(one: &str, other: &str) -> bool {
    one == other && is_strong(one)
}

fn is_strong(tag: &str) -> bool {
    !tag.starts_with("W/")
}

/// RFC 9110, 8.8.3.2: the weak comparison.
fn is_same(one: &str, other: &str) -> bool {
    opaque(one) == opaque(other)
}

fn opaque(tag: &str) -> &str {
    tag.strip_prefix("W/").unwrap_or(tag)
}

fn tags(request: &Headers) -> impl Iterator<Item = &str> {
    request.all("if-none-match").flat_map(members)
}

/// Whether a response has a validator.
pub(crate) fn has_validator(response: &Headers) -> bool {
    response.get("etag").is_some() || response.get("last-modified").is_some()
}

/// Whether only the origin may evaluate the conditions of a request (RFC 9111, 4.3.2).
pub(crate) fn is_for_origin(request: &Headers) -> bool {
    request.get("if-match").is_some() || request.get("if-unmodified-since").is_some()
}

/// Whether the caller validates its own copy.
pub(crate) fn is_conditional(request: &Headers) -> bool {
    request.get("if-none-match").is_some() || request.get("if-modified-since").is_some()
}

/// The request without its conditions and ranges.
pub(crate) fn unconditional(request: &Request) -> Request {
    let mut whole = request.clone();
    whole.headers.retain(|name| !is_condition(name));
    whole
}

/// Whether the stored response meets the conditions of a request with a 304 (RFC 9111, 4.3.2).
pub(crate) fn is_not_modified(request: &Headers, stored: &Response, stored_at: Option<f64>) -> bool {
    // RFC 9110, 13.2.1: conditions apply to responses that would be successful without them.
    if stored.status_code != 200 {
        return false;
    }
    // RFC 9110, 13.2.2: If-None-Match takes precedence.
    if request.get("if-none-match").is_some() {
        let tag = stored.headers.get("etag");
        return tags(request).any(|asked| asked == "*" || tag.is_some_and(|tag| is_same(asked, tag)));
    }
    let date = |name| stored.headers.get(name).and_then(http_date::parse);
    let modified = date("last-modified").or_else(|| date("date")).or(stored_at);
    let since = request.get("if-modified-since").and_then(http_date::parse);
    matches!((modified, since), (Some(modified), Some(since)) if modified <= since)
}

/// The caller's request with the validators of the stored responses that may answer it (RFC 9111, 4.3.1).
pub(crate) fn make_conditional_request(request: &Request, nominated: &[&Response]) -> Request {
    let mut sent = request.clone();
    let ours: Vec<&str> = nominated.iter().filter_map(|stored| stored.headers.get("etag")).collect();
    if request.headers.get("if-none-match").is_some() {
        // RFC 9111, 4.3.2: the union of both lists, so that one response validates the caller's and the stored copies.
        let mut all: Vec<&str> = tags(&request.headers).collect();
        if !ours.is_empty() && !all.contains(&"*") {
            all.extend(ours.into_iter().filter(|tag| !tags(&request.headers).any(|asked| asked == *tag)));
            sent.headers.set("if-none-match", [all.join(", ")]);
        }
        return sent;
    }
    let modified = match nominated {
        [one] => one.headers.get("last-modified"),
        _ => None,
    };
    if !ours.is_empty() {
        sent.headers.set("if-none-match", [ours.join(", ")]);
    }
    if !ours.is_empty() || modified.is_some() {
        // The stored date replaces the caller's, which is evaluated by the stored response once that is validated.
        sent.headers.set("if-modified-since", modified.map(str::to_owned));
    }
    sent
}

/// The nominated responses that a 304 validates (RFC 9111, 4.3.4), the one to serve first; none if it identifies none.
pub(crate) fn identified_by(sent: &Headers, not_modified: &Headers, nominated: &[&Response]) -> Vec<usize> {
    let new_tag = not_modified.get("etag");
    let new_date = not_modified.get("last-modified");
    let position = |is: &dyn Fn(&Headers) -> bool| nominated.iter().position(|stored| is(&stored.headers));
    if let Some(new) = new_tag {
        let has_same_strong =
            |stored: &&Response| stored.headers.get("etag").is_some_and(|tag| is_same_strong(tag, new));
        let strong = (0..nominated.len()).filter(|index| has_same_strong(&nominated[*index]));
        let strong: Vec<usize> = strong.collect();
        if !strong.is_empty() {
            return strong;
        }
        // An unknown entity tag validates none of them, unless they have no entity tags: then it is new.
        let weak = position(&|stored| stored.get("etag").is_some_and(|tag| is_same(tag, new)));
        let undated = || position(&|stored| stored.get("etag").is_none() && stored.get("last-modified") == new_date);
        return weak.or_else(|| new_date.and_then(|_| undated())).into_iter().collect();
    }
    let by_date = new_date.and_then(|_| position(&|stored| stored.get("last-modified") == new_date));
    if by_date.is_some() {
        return by_date.into_iter().collect();
    }
    // Many origins leave the validator out. If only one was sent, that one was validated.
    let [one] = nominated else { return Vec::new() };
    let (tag, date) = (one.headers.get("etag"), one.headers.get("last-modified"));
    let is_meant = if sent.get("if-none-match").is_some() {
        tags(sent).all(|sent| tag == Some(sent)) && (new_date.is_none() || date.is_none())
    } else {
        // RFC 9111, 4.3.4: without validators on either side it can only be this one. But if the caller's copy is
        // newer, the 304 is about the caller's.
        let since = sent.get("if-modified-since");
        let is_old_enough = || {
            let dates = (since.and_then(http_date::parse), one.headers.get("date").and_then(http_date::parse));
            since.is_none() || matches!(dates, (Some(since), Some(made)) if since <= made)
        };
        new_date.is_none() && (date.is_some() && since == date || !has_validator(&one.headers) && is_old_enough())
    };
    if is_meant { vec![0] } else { Vec::new() }
}

/// Whether a 304 may validate the caller's own copy, by its entity tag.
pub(crate) fn is_requested(request: &Headers, not_modified: &Headers) -> bool {
    let tag = not_modified.get("etag");
    tags(request).any(|asked| asked == "*" || tag.is_some_and(|tag| is_same(asked, tag)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    const DATE: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
    const LATER: &str = "Sun, 06 Nov 1994 08:49:38 GMT";
    const EARLIER: &str = "Sun, 06 Nov 1994 08:49:36 GMT";

    fn headers(fields: &[(&str, &str)]) -> Headers {
        fields.iter().copied().collect()
    }

    fn response(fields: &[(&str, &str)]) -> Response {
        Response { status_code: 200, headers: headers(fields), ..Response::default() }
    }

    fn request(fields: &[(&str, &str)]) -> Request {
        Request { method: "GET".into(), headers: headers(fields), ..Request::default() }
    }

    #[rstest]
    #[case::same(&[("if-none-match", "\"a\"")], &[("etag", "\"a\"")], true)]
    #[case::other(&[("if-none-match", "\"b\"")], &[("etag", "\"a\"")], false)]
    #[case::last_of_list(&[("if-none-match", "\"c,d\", \"b\",\"a\"")], &[("etag", "\"a\"")], true)]
    #[case::second_line(&[("if-none-match", "\"b\""), ("if-none-match", "\"a\"")], &[("etag", "\"a\"")], true)]
    #[case::weak_is_compared_weakly(&[("if-none-match", "W/\"a\"")], &[("etag", "\"a\"")], true)]
    #[case::unquoted(&[("if-none-match", "a")], &[("etag", "\"a\"")], false)]
    #[case::any(&[("if-none-match", "*")], &[], true)]
    #[case::no_tag(&[("if-none-match", "\"a\"")], &[("last-modified", DATE)], false)]
    #[case::tag_before_date(&[("if-none-match", "\"b\""), ("if-modified-since", LATER)],
        &[("etag", "\"a\""), ("last-modified", DATE)], false)]
    #[case::same_date(&[("if-modified-since", DATE)], &[("last-modified", DATE)], true)]
    #[case::not_modified_since(&[("if-modified-since", LATER)], &[("last-modified", DATE)], true)]
    #[case::modified_since(&[("if-modified-since", EARLIER)], &[("last-modified", DATE)], false)]
    #[case::obsolete_form(&[("if-modified-since", "Sunday, 06-Nov-94 08:49:37 GMT")], &[("last-modified", DATE)], true)]
    #[case::date_instead(&[("if-modified-since", DATE)], &[("date", DATE)], true)]
    #[case::newer_date_instead(&[("if-modified-since", EARLIER)], &[("date", DATE)], false)]
    #[case::invalid(&[("if-modified-since", "yesterday")], &[("last-modified", DATE)], false)]
    #[case::unconditional(&[], &[("etag", "\"a\""), ("last-modified", DATE)], false)]
    fn condition_of_the_caller_is_evaluated_by_the_stored_response(
        #[case] asked: &[(&str, &str)],
        #[case] stored: &[(&str, &str)],
        #[case] expected: bool,
    ) {
        assert_eq!(is_not_modified(&headers(asked), &response(stored), None), expected);
        let not_found = Response { status_code: 404, ..response(stored) };
        assert!(!is_not_modified(&headers(asked), &not_found, None), "RFC 9110, 13.2.1");
    }

    /// Responses with these entity tags and dates; empty ones are left out.
    fn tagged(validators: &[(&str, &str)]) -> Vec<Response> {
        let of = |(tag, date): &(&str, &str)| {
            let fields = [("etag", *tag), ("last-modified", *date)];
            response(&fields.into_iter().filter(|(_, value)| !value.is_empty()).collect::<Vec<_>>())
        };
        validators.iter().map(of).collect()
    }

    #[rstest]
    #[case::both(&[], &[("\"a\"", DATE)], Some("\"a\""), Some(DATE))]
    #[case::date_alone(&[], &[("", DATE)], None, Some(DATE))]
    #[case::none(&[("if-modified-since", EARLIER)], &[("", "")], None, Some(EARLIER))]
    #[case::variants(&[], &[("\"a\"", DATE), ("\"b\"", "")], Some("\"a\", \"b\""), None)]
    #[case::union(&[("if-none-match", "\"c\", \"a\"")], &[("\"a\"", ""), ("\"b\"", "")],
        Some("\"c\", \"a\", \"b\""), None)]
    #[case::any_is_never_joined(&[("if-none-match", "*")], &[("\"a\"", "")], Some("*"), None)]
    #[case::our_date_for_the_callers(&[("if-modified-since", EARLIER)], &[("", DATE)], None, Some(DATE))]
    #[case::our_tag_for_the_callers_date(&[("if-modified-since", EARLIER)], &[("\"a\"", "")], Some("\"a\""), None)]
    #[case::the_callers_tag_beside_our_date(&[("if-none-match", "\"c\"")], &[("", DATE)], Some("\"c\""), None)]
    fn request_to_the_origin_has_stored_validators(
        #[case] asked: &[(&str, &str)],
        #[case] stored: &[(&str, &str)],
        #[case] tags: Option<&str>,
        #[case] date: Option<&str>,
    ) {
        let sent = make_conditional_request(&request(asked), &tagged(stored).iter().collect::<Vec<_>>());
        assert_eq!((sent.headers.get("if-none-match"), sent.headers.get("if-modified-since")), (tags, date));
    }

    #[rstest]
    #[case::strong(("\"b\"", ""), &[("\"a\"", ""), ("\"b\"", "")], &[1])]
    #[case::every_same_strong_one(("\"b\"", ""), &[("\"b\"", ""), ("\"b\"", "")], &[0, 1])]
    #[case::first_same_weak_one(("W/\"b\"", ""), &[("W/\"b\"", ""), ("W/\"b\"", "")], &[0])]
    #[case::unknown_tag(("\"c\"", ""), &[("\"a\"", "")], &[])]
    #[case::unknown_tag_same_date(("\"c\"", DATE), &[("\"a\"", DATE)], &[])]
    #[case::first_tag_ever(("\"c\"", DATE), &[("", DATE)], &[0])]
    #[case::date(("", DATE), &[("", LATER), ("", DATE)], &[1])]
    #[case::other_date(("", LATER), &[("", DATE)], &[])]
    #[case::first_date_ever(("", DATE), &[("\"a\"", "")], &[0])]
    #[case::nothing_of_one(("", ""), &[("\"a\"", "")], &[0])]
    #[case::nothing_of_one_by_date(("", ""), &[("", DATE)], &[0])]
    #[case::nothing_of_two(("", ""), &[("\"a\"", ""), ("\"b\"", "")], &[])]
    fn not_modified_identifies_responses_by_validators(
        #[case] not_modified: (&str, &str),
        #[case] stored: &[(&str, &str)],
        #[case] expected: &[usize],
    ) {
        let (stored, new) = (tagged(stored), tagged(&[not_modified]).remove(0));
        let stored: Vec<&Response> = stored.iter().collect();
        let sent = make_conditional_request(&request(&[]), &stored);
        assert_eq!(identified_by(&sent.headers, &new.headers, &stored), expected);
    }

    #[test]
    fn not_modified_for_the_callers_date_skips_undated_responses() {
        let stored = response(&[]);
        let sent = make_conditional_request(&request(&[("if-modified-since", DATE)]), &[&stored]);
        assert!(identified_by(&sent.headers, &headers(&[("last-modified", DATE)]), &[&stored]).is_empty());
        assert!(identified_by(&sent.headers, &headers(&[]), &[&stored]).is_empty(), "his may be newer");
        let made = response(&[("date", LATER)]);
        assert_eq!(identified_by(&sent.headers, &headers(&[]), &[&made]), [0], "RFC 9111, 4.3.4");
        assert_eq!(identified_by(&headers(&[]), &headers(&[]), &[&stored]), [0], "RFC 9111, 4.3.4");
        let dated = response(&[("last-modified", LATER)]);
        assert!(identified_by(&request(&[("if-modified-since", DATE)]).headers, &headers(&[]), &[&dated]).is_empty());
    }

    #[test]
    fn not_modified_without_validators_may_be_the_callers() {
        let stored = response(&[("etag", "\"a\"")]);
        let sent = make_conditional_request(&request(&[("if-none-match", "\"mine\"")]), &[&stored]);
        assert!(identified_by(&sent.headers, &headers(&[]), &[&stored]).is_empty());
    }
}
