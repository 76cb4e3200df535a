//! Validation (RFC 9111, 4.3) and invalidation (4.4).

use rstest::rstest;

use crate::policy::rfc9111::tests::*;

fn stale() -> Scene {
    Scene::default().holding(&[], &[("cache-control", "max-age=1"), ("etag", "\"a\""), ("date", DATE), ("x", "1")])
}

#[test]
fn not_modified_makes_the_stored_response_fresh() {
    let mut scene = stale();
    assert_eq!(scene.forwarded(&get(&[]), 2.0).request.headers, headers(&[("if-none-match", "\"a\"")]));
    let outcome = scene.receive(&get(&[]), &response(304, &[("cache-control", "max-age=60"), ("x", "2")]), START + 2.0);
    let Reply::Validated(serve) = &outcome.reply else { panic!("{outcome:?}") };
    let updated = headers(&[
        ("cache-control", "max-age=60"),
        ("etag", "\"a\""),
        ("date", "Sun, 06 Nov 1994 08:49:39 GMT"),
        ("x", "2"),
    ]);
    let served = serve.response.as_ref().unwrap();
    assert_eq!((served.status_code, &served.headers, serve.body), (200, &updated, BodyRange::Full));
    assert!(served.headers.get("age").is_none(), "RFC 9111, 4: Age is for what was not validated");
    let [update] = <[Update; 1]>::try_from(outcome.updates).unwrap();
    scene.update(update);
    assert_eq!(scene.served(&get(&[]), 61.0).map(|serve| serve.age), Some(59.0));
}

#[test]
fn condition_of_the_caller_is_evaluated_after_validation() {
    let scene = stale();
    let asked = get(&[("if-none-match", "\"mine\", \"a\"")]);
    assert_eq!(scene.forwarded(&asked, 2.0).request.headers.get("if-none-match"), Some("\"mine\", \"a\""));
    let reply = |tag| scene.receive(&asked, &response(304, &[("etag", tag)]), START + 2.0).reply;
    let Reply::Validated(serve) = reply("\"a\"") else { panic!() };
    assert_eq!((serve.response.unwrap().status_code, serve.body), (304, BodyRange::None));
    assert_eq!(reply("\"mine\""), Reply::Origin(None), "it speaks of the caller's copy alone");

    let asked = get(&[("if-none-match", "\"mine\"")]);
    let outcome = scene.receive(&asked, &response(304, &[("etag", "\"a\"")]), START + 2.0);
    let Reply::Validated(serve) = outcome.reply else { panic!() };
    assert_eq!((serve.response.unwrap().status_code, serve.body), (200, BodyRange::Full), "RFC 9111, 4.3.2");
}

#[test]
fn a_304_that_fits_nothing_is_asked_again() {
    assert_eq!(stale().receive(&get(&[]), &response(304, &[("etag", "\"b\"")]), START + 2.0).reply, Reply::Mismatch);
    let asked = get(&[("if-modified-since", DATE)]);
    assert_eq!(stale().receive(&asked, &response(304, &[("etag", "\"b\"")]), START + 2.0).reply, Reply::Mismatch);
    assert_eq!(Scene::default().receive(&asked, &response(304, &[]), START).reply, Reply::Origin(None));
}

#[test]
fn unknown_variant_may_be_a_stored_one() {
    let scene = two_variants();
    let asked = get(&[("foo", "3")]);
    assert_eq!(scene.forwarded(&asked, 1.0).request.headers.get("if-none-match"), Some("\"two\", \"one\""));
    let outcome = scene.receive(&asked, &response(304, &[("etag", "\"one\"")]), START + 1.0);
    let Reply::Validated(serve) = outcome.reply else { panic!() };
    assert_eq!(serve.index, 1);
    assert_eq!(scene.receive(&asked, &response(304, &[]), START + 1.0).reply, Reply::Mismatch);
}

#[test]
fn full_response_outdates_the_one_to_be_validated() {
    let scene = stale();
    let outcome = scene.receive(&get(&[]), &response(404, &[]), START + 2.0);
    assert_eq!((outcome.reply, outcome.removals), (Reply::Origin(None), vec![0]));
    let scene = two_variants();
    assert_eq!(scene.receive(&get(&[("foo", "1")]), &response(404, &[]), START).removals, [1]);
    assert!(scene.receive(&get(&[("foo", "3")]), &response(404, &[]), START).removals.is_empty());
    let scene = stale();
    for status in [206, 416, 500, 503] {
        assert_eq!(scene.receive(&get(&[]), &response(status, &[]), START + 2.0), Outcome::pass());
    }
}

#[test]
fn no_store_of_a_304_requires_validation_from_then_on() {
    let mut scene = Scene::default().holding(&[], &[("cache-control", "max-age=1"), ("etag", "\"a\"")]);
    let outcome = scene.receive(&get(&[]), &response(304, &[("cache-control", "no-store, max-age=60")]), START + 2.0);
    let [update] = <[Update; 1]>::try_from(outcome.updates).unwrap();
    assert!(update.retention.as_secs() <= 60);
    scene.update(update);
    assert!(scene.served(&get(&[]), 3.0).is_none());
    assert!(scene.unreachable(&get(&[]), 3.0).is_none());
}

#[test]
fn head_is_answered_from_the_response_to_a_get() {
    let scene = Scene::default().holding(&[], &[("cache-control", "max-age=60"), ("content-length", "10")]);
    let serve = scene.served(&request("HEAD", &[("range", "bytes=0-1")]), 1.0).unwrap();
    assert_eq!(serve.body, BodyRange::None);
    let response = serve.response.unwrap();
    assert_eq!((response.status_code, response.headers.get("content-length")), (200, Some("10")));
    let asked = request("HEAD", &[]);
    assert_eq!(scene.forwarded(&asked, 61.0), Forward { request: asked.clone(), can_be_shared: false });
}

#[test]
fn response_to_head_updates_or_outdates() {
    let mut scene = stale();
    let asked = request("HEAD", &[]);
    let same = response(200, &[("etag", "\"a\""), ("cache-control", "max-age=60"), ("x", "2")]);
    let outcome = scene.receive(&asked, &same, START + 2.0);
    assert_eq!((outcome.reply, outcome.removals.len()), (Reply::Origin(None), 0));
    let [update] = <[Update; 1]>::try_from(outcome.updates).unwrap();
    scene.update(update);
    assert_eq!(scene.served(&get(&[]), 50.0).unwrap().response.unwrap().headers.get("x"), Some("2"));

    let other = response(200, &[("etag", "\"b\"")]);
    assert_eq!(scene.receive(&asked, &other, START + 2.0).removals, [0]);
    assert_eq!(scene.receive(&asked, &response(410, &[]), START + 2.0), Outcome::pass());
}

#[test]
fn a_post_may_be_stored_for_get_but_is_never_served() {
    let asked = request("POST", &[("content-type", "text/plain")]);
    let fields = [("cache-control", "max-age=60"), ("content-location", "/a"), ("date", DATE)];
    let mut scene = Scene::default();
    assert!(scene.store(&asked, &response(200, &fields), START));
    assert!(scene.served(&get(&[]), 1.0).is_some());
    assert!(scene.served(&asked, 1.0).is_none(), "a POST is never answered from the store");
}

#[rstest]
#[case(&[], true)]
#[case(&[("cache-control", "max-age=0, foo")], true)]
#[case(&[("cache-control", "no-store")], false)]
#[case(&[("cache-control", "no-cache")], false)]
#[case(&[("range", "bytes=0-1")], false)]
#[case(&[("if-none-match", "\"a\"")], false)]
fn waiting_is_allowed_only_for_storable_responses(#[case] fields: Fields<'_>, #[case] expected: bool) {
    assert_eq!(Scene::default().forwarded(&get(fields), 0.0).can_be_shared, expected);
    let with_credentials = get(&[fields, &[("authorization", "x")]].concat());
    assert_eq!(Scene::default().forwarded(&with_credentials, 0.0).can_be_shared, expected);
    assert!(!Scene::shared().forwarded(&with_credentials, 0.0).can_be_shared);
}
