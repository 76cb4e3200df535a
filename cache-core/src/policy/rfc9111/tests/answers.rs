//! Responses to conditional and range requests (RFC 9111, 4.3.2; RFC 9110, 14), and stale ones (RFC 9111, 4.2.4; RFC
//! 5861).

use rstest::rstest;

use crate::policy::rfc9111::tests::*;

#[test]
fn a_fresh_response_answers_conditions_with_304() {
    let fields = [
        ("cache-control", "max-age=60"),
        ("etag", "\"a\""),
        ("content-length", "10"),
        ("content-type", "text/plain"),
        ("content-location", "/b"),
        ("vary", "Foo"),
        ("date", DATE),
    ];
    let scene = Scene::default().holding(&[], &fields);
    let serve = scene.served(&get(&[("if-none-match", "\"a\""), ("range", "bytes=0-1")]), 1.0).unwrap();
    let response = serve.response.unwrap();
    assert_eq!((response.status_code, serve.body), (304, BodyRange::None));
    let kept = [
        ("cache-control", "max-age=60"),
        ("etag", "\"a\""),
        ("content-location", "/b"),
        ("vary", "Foo"),
        ("date", DATE),
        ("age", "1"),
    ];
    assert_eq!(response.headers, headers(&kept));
    assert_eq!(scene.served(&get(&[("if-none-match", "\"b\"")]), 1.0).unwrap().body, BodyRange::Full);
}

#[rstest]
#[case("bytes=2-3", 206, "bytes 2-3/10", "2", BodyRange::Range(2, 3))]
#[case("bytes=-1", 206, "bytes 9-9/10", "1", BodyRange::Range(9, 9))]
#[case("bytes=10-", 416, "bytes */10", "0", BodyRange::None)]
fn a_whole_response_answers_ranges(
    #[case] range: &str,
    #[case] status: u16,
    #[case] content_range: &str,
    #[case] length: &str,
    #[case] body: BodyRange,
) {
    let scene = Scene::default().holding(&[], &[("cache-control", "max-age=60"), ("x", "1"), ("content-length", "10")]);
    let serve = scene.served(&get(&[("range", range)]), 1.0).unwrap();
    let response = serve.response.unwrap();
    assert_eq!((response.status_code, serve.body), (status, body));
    assert_eq!(response.headers.get("content-range"), Some(content_range));
    assert_eq!(response.headers.get("content-length"), Some(length));
    assert_eq!(response.headers.get("x").is_some(), status == 206);
}

#[test]
fn range_of_a_body_of_unknown_length_gets_the_whole() {
    let mut scene = Scene::default().holding(&[], &[("cache-control", "max-age=60")]);
    scene.stored[0].body = None;
    assert_eq!(scene.served(&get(&[("range", "bytes=0-1")]), 1.0).unwrap().body, BodyRange::Full);
    let mut scene = Scene::default();
    assert!(scene.store(&get(&[]), &response(404, &[("cache-control", "max-age=60")]), START));
    assert_eq!(scene.served(&get(&[("range", "bytes=0-1")]), 1.0).unwrap().body, BodyRange::Full);
}

#[rstest]
#[case::nothing_forbids_it("max-age=1", "x", true, true)]
#[case::must_revalidate("max-age=1, must-revalidate", "x", false, false)]
#[case::no_cache("max-age=1, no-cache", "x", false, false)]
#[case::proxy_revalidate("max-age=1, proxy-revalidate", "x", true, false)]
#[case::s_maxage("max-age=1, s-maxage=1", "x", true, false)]
#[case::within_the_window("max-age=1, stale-if-error=60", "x", true, true)]
#[case::after_the_window("max-age=1, stale-if-error=5", "x", false, false)]
#[case::the_caller_s_window("max-age=1", "stale-if-error=5", false, false)]
#[case::the_caller_wants_it_new("max-age=1", "no-cache", false, false)]
#[case::the_caller_wants_it_young("max-age=1", "max-age=1", false, false)]
fn stale_response_is_served_if_the_origin_is_unreachable(
    #[case] stored: &str,
    #[case] asked: &str,
    #[case] in_private: bool,
    #[case] in_shared: bool,
) {
    let fields = [("cache-control", stored), ("etag", "\"a\"")];
    let asked = get(&[("cache-control", asked)]);
    for (scene, expected) in [(Scene::default(), in_private), (Scene::shared(), in_shared)] {
        let serve = scene.holding(&[], &fields).unreachable(&asked, 10.0);
        assert_eq!(serve.is_some(), expected);
        assert!(serve.is_none_or(|serve| serve.is_stale));
    }
}

#[rstest]
#[case("max-age=1, stale-if-error=60", "x", 503, true)]
#[case("max-age=1, stale-if-error=60", "x", 500, true)]
#[case("max-age=1", "stale-if-error=60", 502, true)]
#[case("max-age=1, stale-if-error=60", "x", 501, false)]
#[case("max-age=1, stale-if-error=60", "x", 404, false)]
#[case("max-age=1, stale-if-error=5", "x", 503, false)]
#[case("max-age=1, stale-if-error=60, must-revalidate", "x", 503, false)]
#[case("max-age=1", "x", 503, false)]
fn stale_response_replaces_an_error_only_if_allowed(
    #[case] stored: &str,
    #[case] asked: &str,
    #[case] status: u16,
    #[case] is_hidden: bool,
) {
    let scene = Scene::default().holding(&[], &[("cache-control", stored)]);
    let outcome = scene.receive(&get(&[("cache-control", asked)]), &response(status, &[]), START + 10.0);
    assert_eq!(matches!(outcome.reply, Reply::InsteadOfError(_)), is_hidden, "{outcome:?}");
}

#[test]
fn response_served_stale_is_revalidated_in_background() {
    let fields = [("cache-control", "max-age=1, stale-while-revalidate=60"), ("etag", "\"a\"")];
    let scene = Scene::default().holding(&[], &fields);
    let asked = get(&[("authorization", "x"), ("if-none-match", "\"a\""), ("range", "bytes=0-1")]);
    let serve = scene.served(&asked, 2.0).unwrap();
    assert!(serve.is_stale);
    assert_eq!(serve.response.unwrap().status_code, 304);
    let refresh = serve.refresh.unwrap();
    assert_eq!(refresh.request.headers, headers(&[("authorization", "x"), ("if-none-match", "\"a\"")]));
    assert!(scene.served(&request("HEAD", &[]), 2.0).unwrap().refresh.is_none());
}
