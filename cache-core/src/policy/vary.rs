//! Selection of stored responses by `Vary` (RFC 9111, 4.1).

use crate::format::hex::sha256_hex;
use crate::model::entry::Request;
use crate::model::headers::Headers;
use crate::policy::directives::members;
use crate::policy::fields::is_credential;

/// The field names that a response nominates, as written.
pub(crate) fn nominated(response: &Headers) -> impl Iterator<Item = &str> {
    response.all("vary").flat_map(members)
}

/// Whether `Vary` contains `*`: no later request matches.
pub(crate) fn is_anything(response: &Headers) -> bool {
    nominated(response).any(|name| name == "*")
}

/// Whether both requests have equal values of the nominated fields, or lack them both.
pub(crate) fn matches(stored: &Headers, stored_request: &Request, request: &Request) -> bool {
    nominated(stored).all(|name| {
        let name = name.to_ascii_lowercase();
        name != "*" && is_equal(&name, stored_request, request)
    })
}

fn is_equal(name: &str, stored: &Request, request: &Request) -> bool {
    match stored.headers.get(name) {
        // Also if the request has such a value: the hash must not serve as the credential.
        Some(hash) if is_credential(name) && hash.starts_with(HASHED) => {
            let own = Request { url: stored.url.clone(), ..request.clone() };
            request.headers.get(name).is_some() && credential_hash(name, &own) == hash
        }
        _ => normalized(name, &stored.headers) == normalized(name, &request.headers),
    }
}

/// How the hash of a credential begins.
const HASHED: &str = "sha-256=";

/// The value that is stored in place of a credential: a hash of it and of the URL, so that equal credentials differ
/// between URLs. hishel takes it for another value, and fetches.
pub(crate) fn credential_hash(name: &str, request: &Request) -> String {
    let value = normalized(name, &request.headers).unwrap_or_default().join("\n");
    format!("{HASHED}{}", sha256_hex(format!("{name}\n{}\n{value}", request.url).as_bytes()))
}

/// A field's value, normalized: lines and white space between members do not count, nor, for languages, case (RFC 5646,
/// 2.1.1) and order (RFC 9110, 12.5.4: weights express preference, order "cannot be relied upon").
fn normalized(name: &str, request: &Headers) -> Option<Vec<String>> {
    request.get(name)?;
    let values = request.all(name).flat_map(members);
    if name != "accept-language" {
        return Some(values.map(str::to_owned).collect());
    }
    let mut languages: Vec<String> = values
        .map(|language| language.chars().filter(|c| !c.is_ascii_whitespace()).collect::<String>().to_ascii_lowercase())
        .collect();
    languages.sort_unstable();
    Some(languages)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn headers(fields: &[(&str, &str)]) -> Headers {
        fields.iter().copied().collect()
    }

    fn with(fields: &[(&str, &str)]) -> Request {
        Request { url: "http://example.org/".into(), headers: headers(fields), ..Request::default() }
    }

    #[test]
    fn hashed_credential_matches_itself_only() {
        let sent = with(&[("cookie", "session=ALICE")]);
        let hash = credential_hash("cookie", &sent);
        let stored = with(&[("cookie", &hash)]);
        let vary = headers(&[("vary", "Cookie")]);
        assert!(matches(&vary, &stored, &sent));
        for other in [&[][..], &[("cookie", "session=BOB")], &[("cookie", &hash)]] {
            assert!(!matches(&vary, &stored, &with(other)), "{other:?}");
        }
        let elsewhere = Request { url: "http://example.org/b".into(), ..sent.clone() };
        assert_ne!(credential_hash("cookie", &elsewhere), hash);
        // As other programs store it.
        assert!(matches(&vary, &sent, &sent));
    }

    #[rstest]
    #[case::same("Foo", &[("foo", "1")], &[("foo", "1")], true)]
    #[case::other("Foo", &[("foo", "1")], &[("foo", "2")], false)]
    #[case::case_of_values("Foo", &[("foo", "a")], &[("foo", "A")], false)]
    #[case::missing_now("Foo", &[("foo", "1")], &[], false)]
    #[case::missing_then("Foo", &[], &[("foo", "1")], false)]
    #[case::empty_is_not_missing("Foo", &[("foo", "")], &[], false)]
    #[case::missing_in_both("Foo, Bar", &[("foo", "1")], &[("foo", "1")], true)]
    #[case::not_nominated("Foo", &[("bar", "1")], &[("bar", "2")], true)]
    #[case::one_of_several("foo,,bar", &[("foo", "1"), ("bar", "1")], &[("foo", "1"), ("bar", "2")], false)]
    #[case::lines("Foo", &[("foo", "1, 2")], &[("foo", "1"), ("foo", "2")], true)]
    #[case::space("Foo", &[("foo", "1,2")], &[("foo", " 1 ,\t2 ")], true)]
    #[case::order("Foo", &[("foo", "1, 2")], &[("foo", "2, 1")], false)]
    #[case::quoted("Foo", &[("foo", "\"1,2\"")], &[("foo", "\"1, 2\"")], false)]
    #[case::languages("Accept-Language", &[("accept-language", "en, de;q=0.5")],
        &[("accept-language", "DE; q=0.5,eN")], true)]
    #[case::weights("Accept-Language", &[("accept-language", "en, de;q=0.5")],
        &[("accept-language", "en;q=0.5, de")], false)]
    #[case::anything("*", &[], &[], false)]
    #[case::anything_among_others("Foo, *", &[("foo", "1")], &[("foo", "1")], false)]
    fn requests_match_by_the_nominated_fields(
        #[case] vary: &str,
        #[case] stored: &[(&str, &str)],
        #[case] request: &[(&str, &str)],
        #[case] expected: bool,
    ) {
        assert_eq!(matches(&headers(&[("vary", vary)]), &with(stored), &with(request)), expected);
    }

    #[test]
    fn every_line_of_vary_counts() {
        assert!(is_anything(&headers(&[("vary", ""), ("vary", "*")])));
        let two = headers(&[("vary", "foo"), ("vary", "bar")]);
        assert!(!matches(&two, &with(&[("bar", "1")]), &with(&[("bar", "2")])));
    }
}
