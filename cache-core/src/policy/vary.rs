//! Selection of stored responses by `Vary` (RFC 9111, 4.1).

use crate::model::headers::Headers;
use crate::policy::directives::members;

/// The field names that a response nominates, as written.
pub(crate) fn nominated(response: &Headers) -> impl Iterator<Item = &str> {
    response.all("vary").flat_map(members)
}

/// Whether `Vary` contains `*`: no later request matches.
pub(crate) fn is_anything(response: &Headers) -> bool {
    nominated(response).any(|name| name == "*")
}

/// Whether both requests have equal values of the nominated fields, or lack them both.
pub(crate) fn matches(stored: &Headers, stored_request: &Headers, request: &Headers) -> bool {
    nominated(stored).all(|name| {
        let name = name.to_ascii_lowercase();
        name != "*" && normalized(&name, stored_request) == normalized(&name, request)
    })
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
        assert_eq!(matches(&headers(&[("vary", vary)]), &headers(stored), &headers(request)), expected);
    }

    #[test]
    fn every_line_of_vary_counts() {
        assert!(is_anything(&headers(&[("vary", ""), ("vary", "*")])));
        let two = headers(&[("vary", "foo"), ("vary", "bar")]);
        assert!(!matches(&two, &headers(&[("bar", "1")]), &headers(&[("bar", "2")])));
    }
}
