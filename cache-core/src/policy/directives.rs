//! `Cache-Control` directives (RFC 9111, 5.2) of requests and responses.
//!
//! An invalid argument has its more restrictive meaning; unknown directives are ignored (5.2.3).

use crate::model::headers::Headers;

/// RFC 9111, 1.2.2: a delta-seconds value that is too large counts as this many seconds.
pub(crate) const MAX_DELTA_SECONDS: f64 = 2_147_483_648.0;

/// The non-empty members of a list (RFC 9110, 5.6.1). A comma in quotes does not separate members.
pub(crate) fn members(list: &str) -> impl Iterator<Item = &str> {
    let mut rest = Some(list);
    std::iter::from_fn(move || {
        loop {
            let list = rest?;
            let end = member_end(list);
            rest = list.get(end + 1..);
            let member = list[..end].trim_matches([' ', '\t']);
            if !member.is_empty() {
                return Some(member);
            }
        }
    })
}

/// The end of the first member of a list. An unclosed quote is an ordinary character: the directives after it count.
fn member_end(list: &str) -> usize {
    let mut at = 0;
    while let Some(found) = list[at..].find([',', '"']) {
        at += found;
        if list.as_bytes()[at] == b',' {
            return at;
        }
        match list[at + 1..].find('"') {
            Some(close) => at += close + 2,
            None => return list[at..].find(',').map_or(list.len(), |comma| at + comma),
        }
    }
    list.len()
}

/// The directives of a field with their arguments, quoted or not (RFC 9111, 5.2: both forms are equal).
fn directives<'a>(values: impl Iterator<Item = &'a str>) -> impl Iterator<Item = (&'a str, Option<&'a str>)> {
    values.flat_map(members).map(|directive| match directive.split_once('=') {
        Some((name, argument)) => (name.trim(), Some(argument.trim().trim_matches('"'))),
        None => (directive, None),
    })
}

/// RFC 9111, 1.2.2.
pub(crate) fn delta_seconds(text: &str) -> Option<f64> {
    let text = text.trim();
    if text.is_empty() || !text.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    Some(text.parse::<f64>().map_or(MAX_DELTA_SECONDS, |seconds| seconds.min(MAX_DELTA_SECONDS)))
}

/// Keeps the first of duplicates. An invalid value is zero: stale (RFC 9111, 4.2.1).
fn keep_first(seconds: &mut Option<f64>, argument: Option<&str>) {
    seconds.get_or_insert_with(|| argument.and_then(delta_seconds).unwrap_or(0.0));
}

/// The directives of a response (RFC 9111, 5.2.2; RFC 5861; RFC 8246).
#[derive(Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a directive without an argument")]
pub(crate) struct ResponseDirectives<'a> {
    pub(crate) max_age: Option<f64>,
    pub(crate) s_maxage: Option<f64>,
    /// `no-cache` for the whole response.
    pub(crate) no_cache: bool,
    /// The lists of fields that `no-cache="…"` names.
    pub(crate) no_cache_fields: Vec<&'a str>,
    /// `private` for the whole response.
    pub(crate) private: bool,
    /// The lists of fields that `private="…"` names.
    pub(crate) private_fields: Vec<&'a str>,
    pub(crate) no_store: bool,
    pub(crate) public: bool,
    pub(crate) must_revalidate: bool,
    pub(crate) proxy_revalidate: bool,
    pub(crate) must_understand: bool,
    pub(crate) immutable: bool,
    pub(crate) stale_while_revalidate: Option<f64>,
    pub(crate) stale_if_error: Option<f64>,
}

impl<'a> ResponseDirectives<'a> {
    /// Reads all values of the field.
    pub(crate) fn from_headers(values: impl Iterator<Item = &'a str>) -> Self {
        let mut all = Self::default();
        for (name, argument) in directives(values) {
            let is = |known: &str| name.eq_ignore_ascii_case(known);
            // A directive that may name fields concerns the whole response if its quotes are empty.
            let fields = argument.filter(|fields| members(fields).next().is_some());
            if is("max-age") {
                keep_first(&mut all.max_age, argument);
            } else if is("s-maxage") {
                keep_first(&mut all.s_maxage, argument);
            } else if is("no-cache") {
                all.no_cache |= fields.is_none();
                all.no_cache_fields.extend(fields);
            } else if is("private") {
                all.private |= fields.is_none();
                all.private_fields.extend(fields);
            } else if is("no-store") {
                all.no_store = true;
            } else if is("public") {
                all.public = true;
            } else if is("must-revalidate") {
                all.must_revalidate = true;
            } else if is("proxy-revalidate") {
                all.proxy_revalidate = true;
            } else if is("must-understand") {
                all.must_understand = true;
            } else if is("immutable") {
                all.immutable = true;
            } else if is("stale-while-revalidate") {
                keep_first(&mut all.stale_while_revalidate, argument);
            } else if is("stale-if-error") {
                keep_first(&mut all.stale_if_error, argument);
            }
        }
        all
    }

    pub(crate) fn from_view(headers: &'a Headers) -> Self {
        Self::from_headers(headers.all("cache-control"))
    }
}

/// The directives of a request (RFC 9111, 5.2.1; RFC 5861, 4).
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct RequestDirectives {
    pub(crate) max_age: Option<f64>,
    /// `max-stale`: the staleness that is accepted, in seconds; infinite without an argument.
    pub(crate) max_stale: Option<f64>,
    pub(crate) min_fresh: Option<f64>,
    pub(crate) no_cache: bool,
    pub(crate) no_store: bool,
    pub(crate) only_if_cached: bool,
    pub(crate) stale_if_error: Option<f64>,
}

impl RequestDirectives {
    pub(crate) fn from_headers(headers: &Headers) -> Self {
        let mut all = Self::default();
        for (name, argument) in directives(headers.all("cache-control")) {
            let is = |known: &str| name.eq_ignore_ascii_case(known);
            if is("max-age") {
                keep_first(&mut all.max_age, argument);
            } else if is("max-stale") {
                match argument {
                    Some(_) => keep_first(&mut all.max_stale, argument),
                    None => all.max_stale = all.max_stale.or(Some(f64::INFINITY)),
                }
            } else if is("min-fresh") {
                keep_first(&mut all.min_fresh, argument);
            } else if is("no-cache") {
                all.no_cache = true;
            } else if is("no-store") {
                all.no_store = true;
            } else if is("only-if-cached") {
                all.only_if_cached = true;
            } else if is("stale-if-error") {
                keep_first(&mut all.stale_if_error, argument);
            }
        }
        // RFC 9111, 5.4: `Pragma` counts only without `Cache-Control`.
        if headers.get("cache-control").is_none() {
            let mut pragma = headers.all("pragma").flat_map(members);
            all.no_cache = pragma.any(|directive| directive.eq_ignore_ascii_case("no-cache"));
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("a, b ,c", &["a", "b", "c"])]
    #[case(" ,, a,\t,", &["a"])]
    #[case(r#"a="x, y", b"#, &[r#"a="x, y""#, "b"])]
    #[case(r#""x", W/"y,z" , "#, &[r#""x""#, r#"W/"y,z""#])]
    #[case(r#"a="x, no-store"#, &[r#"a="x"#, "no-store"])]
    #[case(r#"a="x"", b"#, &[r#"a="x"""#, "b"])]
    #[case("é, ü", &["é", "ü"])]
    #[case("", &[])]
    fn list_is_split_at_commas_outside_of_quotes(#[case] list: &str, #[case] expected: &[&str]) {
        assert_eq!(members(list).collect::<Vec<_>>(), expected);
    }

    fn response(value: &str) -> ResponseDirectives<'_> {
        ResponseDirectives::from_headers([value].into_iter())
    }

    #[rstest]
    #[case("max-age=60", Some(60.0))]
    #[case("MaX-aGe=60", Some(60.0))]
    #[case(r#"max-age="60""#, Some(60.0))]
    #[case("max-age=0060", Some(60.0))]
    #[case("foo, bar=1,, max-age = 60", Some(60.0))]
    #[case("max-age=60, max-age=1", Some(60.0))]
    #[case(r#"extension="max-age=3600", max-age=1"#, Some(1.0))]
    #[case("max-age=99999999999999999999999", Some(MAX_DELTA_SECONDS))]
    #[case("max-age=-1", Some(0.0))]
    #[case("max-age=60.5", Some(0.0))]
    #[case("max-age='60'", Some(0.0))]
    #[case("max-age=60a", Some(0.0))]
    #[case("max-age", Some(0.0))]
    #[case("s-maxage=60", None)]
    fn first_max_age_counts_and_an_invalid_one_is_stale(#[case] value: &str, #[case] expected: Option<f64>) {
        assert_eq!(response(value).max_age, expected);
    }

    #[test]
    fn directive_with_field_names_concerns_those_fields_only() {
        let named = response(r#"no-cache="Set-Cookie, x", Private=y, max-age=1"#);
        assert!(!named.no_cache && !named.private);
        assert_eq!((named.no_cache_fields, named.private_fields), (vec!["Set-Cookie, x"], vec!["y"]));
        for whole in ["no-cache", "NO-CACHE=", r#"no-cache="""#, r#"no-cache=" , ""#, r#"no-cache="x", no-cache"#] {
            assert!(response(whole).no_cache, "{whole}");
        }
    }

    #[test]
    fn unclosed_quote_hides_no_directive() {
        assert!(response(r#"private="x, no-store, max-age=60"#).no_store);
        assert!(response(r#"no-store="oops", must-revalidate=1"#).must_revalidate);
    }

    fn request(fields: &[(&str, &str)]) -> RequestDirectives {
        RequestDirectives::from_headers(&fields.iter().copied().collect())
    }

    #[test]
    fn request_directives_are_found_among_unknown_ones() {
        let found = request(&[("cache-control", "nothing-to-see-here"), ("cache-control", "max-stale, min-fresh=5")]);
        let expected =
            RequestDirectives { max_stale: Some(f64::INFINITY), min_fresh: Some(5.0), ..RequestDirectives::default() };
        assert_eq!(found, expected);
        assert_eq!(request(&[("cache-control", "max-stale=x")]).max_stale, Some(0.0));
    }

    #[test]
    fn pragma_counts_only_without_cache_control() {
        assert!(request(&[("pragma", "foo, No-Cache")]).no_cache);
        assert!(!request(&[("pragma", "no-cache"), ("cache-control", "x")]).no_cache);
        assert!(!request(&[("pragma", "foo")]).no_cache);
    }
}
