//! Selection and freshness of stored responses (RFC 9111, 4, 4.1, 4.2 and 5.2.1).

use rstest::rstest;

use crate::policy::rfc9111::tests::*;

#[rstest]
#[case::fresh("max-age=60", "x", 59.0, true)]
#[case::at_its_end("max-age=60", "x", 60.0, false)]
#[case::no_cache("max-age=60, no-cache", "x", 1.0, false)]
#[case::asked_for_anew("max-age=60", "no-cache", 1.0, false)]
#[case::no_store_is_for_storing("max-age=60", "no-store", 1.0, true)]
#[case::young_enough("max-age=60", "max-age=30", 30.0, true)]
#[case::too_old("max-age=60", "max-age=30", 31.0, false)]
#[case::reload("max-age=60", "max-age=0", 1.0, false)]
#[case::reload_of_what_does_not_change("max-age=60, immutable", "max-age=0", 1.0, true)]
#[case::forced_reload_of_what_does_not_change("max-age=60, immutable", "no-cache", 1.0, false)]
#[case::stale_though_immutable("max-age=60, immutable", "max-age=0", 61.0, false)]
#[case::fresh_for_long_enough("max-age=60", "min-fresh=30", 30.0, true)]
#[case::not_for_long_enough("max-age=60", "min-fresh=30", 31.0, false)]
#[case::stale_is_taken("max-age=60", "max-stale=30", 90.0, true)]
#[case::too_stale("max-age=60", "max-stale=30", 91.0, false)]
#[case::any_stale("max-age=60", "max-stale", 1e6, true)]
#[case::stale_but_too_old("max-age=60", "max-stale, max-age=70", 80.0, false)]
#[case::stale_is_forbidden("max-age=60, must-revalidate", "max-stale", 61.0, false)]
#[case::fresh_though_it_must_be_validated("max-age=60, must-revalidate", "x", 1.0, true)]
#[case::while_revalidating("max-age=60, stale-while-revalidate=10", "x", 70.0, true)]
#[case::after_the_window("max-age=60, stale-while-revalidate=10", "x", 71.0, false)]
#[case::no_window_over_must_revalidate("max-age=60, stale-while-revalidate=10, must-revalidate", "x", 61.0, false)]
#[case::no_window_for_those_who_want_it_fresh("max-age=60, stale-while-revalidate=10", "min-fresh=0", 61.0, false)]
fn a_stored_response_is_reused(#[case] stored: &str, #[case] asked: &str, #[case] at: f64, #[case] is_served: bool) {
    let scene = Scene::default().holding(&[], &[("cache-control", stored), ("etag", "\"a\"")]);
    let asked = get(&[("cache-control", asked)]);
    assert_eq!(scene.served(&asked, at).is_some(), is_served);
}

#[rstest]
#[case::private(Scene::default(), "max-age=60, s-maxage=1", 2.0, true)]
#[case::shared(Scene::shared(), "max-age=60, s-maxage=1", 2.0, false)]
#[case::longer_when_shared(Scene::shared(), "max-age=0, s-maxage=60", 2.0, true)]
fn s_maxage_is_for_shared_caches(#[case] scene: Scene, #[case] stored: &str, #[case] at: f64, #[case] is_served: bool) {
    let scene = scene.holding(&[], &[("cache-control", stored)]);
    assert_eq!(scene.served(&get(&[]), at).is_some(), is_served);
}

#[test]
fn only_if_cached_without_suitable_response_is_504() {
    let asked = get(&[("cache-control", "only-if-cached")]);
    assert_eq!(Scene::default().decide(&asked, 0.0), Decision::Unsatisfiable);
    let scene = Scene::default().holding(&[], &[("cache-control", "max-age=60")]);
    assert!(scene.served(&asked, 1.0).is_some());
    assert_eq!(scene.decide(&asked, 61.0), Decision::Unsatisfiable);
}

#[test]
fn reused_response_has_age_and_keeps_its_date() {
    let fields = [("cache-control", "max-age=99"), ("age", "30"), ("date", DATE), ("x", "1"), ("x", "2")];
    let scene = Scene::default().holding(&[], &fields);
    let serve = scene.served(&get(&[]), 5.75).unwrap();
    let expected = [("cache-control", "max-age=99"), ("age", "35"), ("date", DATE), ("x", "1"), ("x", "2")];
    assert_eq!(serve.response.unwrap().headers, headers(&expected));
    assert_eq!((serve.age, serve.is_stale, serve.body), (35.75, false, BodyRange::Full));
}

/// RFC 9111, 4.2.3: the response delay counts.
#[test]
fn age_includes_response_delay_and_apparent_age() {
    for (date, age, at, expected) in [
        (DATE, "10", START, 10.0),
        (BEFORE, "10", START, 3_600.0),
        ("Sun, 06 Nov 1994 08:50:37 GMT", "10", START, 10.0),
        (DATE, "10", START - 20.0, 30.0),
    ] {
        let mut scene = Scene::default();
        let fields = [("cache-control", "max-age=9999"), ("date", date), ("age", age)];
        let asked = get(&[]);
        let new = response(200, &fields);
        // Sent at `at`; the response arrives at START.
        let outcome = scene
            .policy
            .receive(Exchange { request: &asked, sent: &asked, stored: &[], requested_at: at, now: START }, &new);
        let Reply::Origin(Some(storing)) = outcome.reply else { panic!("not stored") };
        assert!(scene.store(&asked, &new, storing.created_at));
        assert_eq!(scene.served(&asked, 0.0).map(|serve| serve.age), Some(expected), "{date} {at}");
    }
}

#[test]
fn fields_of_no_cache_are_served_only_after_validation() {
    let fields = [
        ("cache-control", "max-age=60, no-cache=\"Set-Cookie, b\""),
        ("set-cookie", "x"),
        ("b", "1"),
        ("etag", "\"a\""),
    ];
    let scene = Scene::default().holding(&[], &fields);
    let reused = scene.served(&get(&[]), 1.0).unwrap().response.unwrap();
    assert!(reused.headers.get("set-cookie").is_none() && reused.headers.get("b").is_none());
    let outcome = scene.receive(&get(&[]), &response(304, &[]), START + 61.0);
    let Reply::Validated(serve) = outcome.reply else { panic!("{outcome:?}") };
    assert_eq!(serve.response.unwrap().headers.get("b"), Some("1"));
}

#[test]
fn heuristic_needs_last_modified_and_a_cacheable_status() {
    let fields = [("date", DATE), ("last-modified", BEFORE)];
    let scene = Scene::default().holding(&[], &fields);
    assert!(scene.served(&get(&[]), 359.0).is_some());
    assert!(scene.served(&get(&[]), 361.0).is_none());
    let mut scene = Scene::default();
    assert!(!scene.store(&get(&[]), &response(201, &fields), START));
    let public = [&fields[..], &[("cache-control", "public")]].concat();
    assert!(scene.store(&get(&[]), &response(599, &public), START));
    assert!(scene.served(&get(&[]), 359.0).is_some());
}

#[test]
fn response_that_could_never_be_served_is_not_stored() {
    assert!(!Scene::default().store(&get(&[]), &response(200, &[("date", DATE)]), START));
    assert!(!Scene::default().store(&get(&[]), &response(200, &[("cache-control", "max-age=0")]), START));
    assert!(Scene::default().store(&get(&[]), &response(200, &[("etag", "\"a\"")]), START));
}

#[test]
fn what_comes_without_a_date_gets_one() {
    let scene = Scene::default().holding(&[], &[("cache-control", "max-age=60")]);
    assert_eq!(scene.stored[0].entry.response.headers.get("date"), Some(DATE));
    let scene = Scene::default().holding(&[], &[("cache-control", "max-age=60"), ("date", "foo")]);
    assert_eq!(scene.stored[0].entry.response.headers.get("date"), Some("foo"));
}

#[test]
fn each_variant_answers_its_own_requests() {
    let scene = two_variants();
    let tag = |foo| scene.served(&get(&[("foo", foo)]), 1.0)?.response?.headers.get("etag").map(str::to_owned);
    assert_eq!((tag("1").as_deref(), tag("2").as_deref()), (Some("\"one\""), Some("\"two\"")));
    assert_eq!(tag("3"), None);
    assert!(scene.served(&get(&[]), 1.0).is_none());
}

#[test]
fn of_several_the_most_recent_is_used() {
    let mut scene = Scene::default();
    for (date, at) in [(DATE, START), (BEFORE, START + 1.0)] {
        let fields = [("cache-control", "max-age=9999"), ("date", date)];
        // As two processes would store them at the same time.
        let before = std::mem::take(&mut scene.stored);
        assert!(scene.store(&get(&[]), &response(200, &fields), at));
        scene.stored.extend(before);
    }
    assert_eq!(scene.served(&get(&[]), 2.0).unwrap().index, 1, "the one with the later Date");
}

#[test]
fn response_with_vary_precedes_one_without() {
    let default = [("cache-control", "max-age=60"), ("date", DATE)];
    let mut scene = two_variants();
    let variants = std::mem::take(&mut scene.stored);
    assert!(scene.store(&get(&[]), &response(200, &default), START + 1.0));
    scene.stored.extend(variants);
    assert_eq!(scene.served(&get(&[("foo", "1")]), 2.0).unwrap().index, 2);
    assert_eq!(scene.served(&get(&[("foo", "3")]), 2.0).unwrap().index, 0);
}

#[test]
fn new_response_replaces_the_selected_ones() {
    let mut scene = two_variants();
    let fields = [("cache-control", "max-age=60"), ("vary", "Foo"), ("etag", "\"new\"")];
    assert!(scene.store(&get(&[("foo", "1")]), &response(200, &fields), START + 1.0));
    let tags: Vec<_> = scene.stored.iter().map(|found| found.entry.response.headers.get("etag").unwrap()).collect();
    assert_eq!(tags, ["\"new\"", "\"two\""]);
}

#[rstest]
#[case("POST", &[])]
#[case("OPTIONS", &[])]
#[case("get", &[])]
#[case("GET", &[("if-match", "\"a\"")])]
#[case("GET", &[("if-unmodified-since", DATE)])]
fn request_for_the_origin_only_is_forwarded_unchanged(#[case] method: &str, #[case] fields: Fields<'_>) {
    let scene = Scene::default().holding(&[], &[("cache-control", "max-age=60"), ("etag", "\"a\"")]);
    let asked = request(method, fields);
    assert_eq!(scene.forwarded(&asked, 1.0), Forward { request: asked.clone(), can_be_shared: false });
}
